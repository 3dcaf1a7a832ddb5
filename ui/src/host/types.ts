// Made by `opossum till call --types`; edit the Rust types instead.

/** Every command and query of a till: what goes in and what comes out. */
export interface Operations {
	/** Who may sign in at this till. */
	staff: { input: AboutStaff; output: Array<Colleague> };
	/** Sign someone in at this till, by PIN. */
	sign_in: { input: SignIn; output: Person };
	/** Sign out whoever is at this till. */
	sign_out: { input: SignOut; output: Kept };
	/** Stay signed in: somebody touches the till, or types. */
	attend: { input: Attend; output: Kept };
	/** Give someone of the staff a PIN. */
	set_pin: { input: SetPin; output: Kept };
	/** The shop's settings and categories, and who is at this till. */
	shop: { input: AboutShop; output: Shop };
	/** How the shop's store is doing, and what this process did with it. */
	store_health: { input: AboutStore; output: StoreHealth };
	/** Products by words and category, page by page. */
	products: { input: FindProducts; output: ProductPage };
	/** One product by SKU or barcode, with its stock and limits. */
	product: { input: FindProduct; output: ProductOnHand };
	/** Products by the first letters of words, the best first, at most 50. */
	search: { input: Search; output: Found };
	/** What a scanned barcode or a typed SKU stands for. */
	scan: { input: Scan; output: Scanned };
	/** What this till sold last, the newest first, at most 3 products. */
	recently_sold: { input: RecentlySold; output: Array<ProductOnHand> };
	/** This till's open shift. */
	shift: { input: AboutShift; output: TillState };
	/** The cart this till was at, or its receipt if it was sold. */
	cart: { input: CurrentCart; output: WhereItWas };
	/** Keep the cart this till is at, safe from a crash, until its checkout. */
	save_cart: { input: SaveCart; output: CartSaved };
	/** A receipt by its number, or by the id of its sale or refund. */
	receipt: { input: FindReceipt; output: AnyReceipt };
	/** What recorded events say, in words: why something was refused. */
	events: { input: TellEvents; output: EventsTold };
	/** What can still be refunded of a sale. */
	refundable: { input: FindRefundable; output: Refundable };
	/** A gift card and what is left on it. */
	gift_card: { input: FindGiftCard; output: GiftCard };
	/** What a customer owes, may owe, and has in points. */
	account: { input: FindAccount; output: Standing };
	/** The promotions that run today, or all of them. */
	promotions: { input: ListPromotions; output: Array<NamedPromotion> };
	/** Sales and refunds by day, hour, product, category, …. */
	sales_report: { input: ReportSales; output: SalesReport };
	/** Give the shop its settings, or other ones. */
	configure_shop: { input: { requestId: string; approval?: Approval } & ConfigureShop; output: null };
	/** Add a product to the catalogue. */
	add_product: { input: { requestId: string; approval?: Approval } & AddProduct; output: null };
	/** Add many products, all or none. */
	add_products: { input: { requestId: string; approval?: Approval } & AddProducts; output: null };
	/** Give a product another price. */
	change_price: { input: { requestId: string; approval?: Approval } & ChangePrice; output: null };
	/** Give a product a further barcode. */
	assign_barcode: { input: { requestId: string; approval?: Approval } & AssignBarcode; output: null };
	/** Take a barcode from its product. */
	release_barcode: { input: { requestId: string; approval?: Approval } & ReleaseBarcode; output: null };
	/** Limit what a receipt, or a customer on one day, may have. */
	set_limit: { input: { requestId: string; approval?: Approval } & SetLimit; output: null };
	/** Put a product together of others. */
	define_kit: { input: { requestId: string; approval?: Approval } & DefineKit; output: null };
	/** Restrict a product to who is old enough. */
	set_age_rule: { input: { requestId: string; approval?: Approval } & SetAgeRule; output: null };
	/** Define a promotion, or define it anew. */
	define_promotion: { input: { requestId: string; approval?: Approval } & DefinePromotion; output: null };
	/** Hand out coupons, all or none. */
	issue_coupons: { input: { requestId: string; approval?: Approval } & IssueCoupons; output: null };
	/** Declare a coupon void. */
	void_coupon: { input: { requestId: string; approval?: Approval } & VoidCoupon; output: null };
	/** Add a customer. */
	add_customer: { input: { requestId: string; approval?: Approval } & AddCustomer; output: CustomerMade };
	/** Take over customers under the ids they have elsewhere. */
	add_customers: { input: { requestId: string; approval?: Approval } & AddCustomers; output: null };
	/** Set what a customer may owe. */
	set_credit_limit: { input: { requestId: string; approval?: Approval } & SetCreditLimit; output: null };
	/** Add someone to the staff. */
	add_staff: { input: { requestId: string; approval?: Approval } & AddStaff; output: StaffMade };
	/** Give someone of the staff another role. */
	set_staff_role: { input: { requestId: string; approval?: Approval } & SetStaffRole; output: null };
	/** Take someone off the staff. */
	remove_staff: { input: { requestId: string; approval?: Approval } & RemoveStaff; output: null };
	/** What each role may do. */
	roles: { input: AboutRoles; output: Array<RoleRights> };
	/** Say what a role may do. */
	change_role: { input: { requestId: string; approval?: Approval } & ChangeRole; output: null };
	/** The acts that rules refused, the newest first. */
	refused_acts: { input: RefusedActs; output: Array<RefusedAct> };
	/** Receive a delivery. */
	receive_stock: { input: { requestId: string; approval?: Approval } & ReceiveStock; output: null };
	/** Correct what is on hand, with a reason. */
	adjust_stock: { input: { requestId: string; approval?: Approval } & AdjustStock; output: null };
	/** Record what was counted of a product. */
	count_stock: { input: { requestId: string; approval?: Approval } & CountStock; output: CountResult };
	/** Open this till's shift with the cash in the drawer. */
	open_shift: { input: { requestId: string; approval?: Approval } & OpenShift; output: ShiftStarted };
	/** Close this till's shift with the cash that was counted. */
	close_shift: { input: { requestId: string; approval?: Approval } & CloseShift; output: ShiftResult };
	/** Pay cash into this till's drawer, or out of it, for a reason. */
	move_cash: { input: { requestId: string; approval?: Approval } & MoveCash; output: null };
	/** Take cash from this till's drawer to the safe. */
	drop_cash: { input: { requestId: string; approval?: Approval } & DropCash; output: null };
	/** What this till's open shift came to so far. */
	x_report: { input: ReportX; output: XReport };
	/** What a closed shift of this till came to, to be printed. */
	z_report: { input: ReportZ; output: ZReport };
	/** Sell a cart. */
	checkout: { input: { requestId: string; approval?: Approval } & Checkout; output: PrintedReceipt };
	/** Take goods back with their receipt. */
	refund_sale: { input: { requestId: string; approval?: Approval } & RefundSale; output: PrintedRefund };
	/** Take goods back without a receipt. */
	refund: { input: { requestId: string; approval?: Approval } & Refund; output: PrintedRefund };
	/** Take money for what a customer owes. */
	pay_account: { input: { requestId: string; approval?: Approval } & PayAccount; output: null };
	/** Take back a payment that did not arrive. */
	bounce_account_payment: { input: { requestId: string; approval?: Approval } & BounceAccountPayment; output: null };
	/** Sell a gift card. */
	issue_gift_card: { input: { requestId: string; approval?: Approval } & IssueGiftCard; output: null };
	/** Put more money on a gift card. */
	top_up_gift_card: { input: { requestId: string; approval?: Approval } & TopUpGiftCard; output: null };
	/** Pay back what was put on a gift card by mistake. */
	cancel_gift_card_top_up: { input: { requestId: string; approval?: Approval } & CancelGiftCardTopUp; output: null };
	/** Block a gift card. */
	block_gift_card: { input: { requestId: string; approval?: Approval } & BlockGiftCard; output: null };
}

/** Asks what each role may do. */
export type AboutRoles = Record<symbol, never>;

/** Asks for the state of this till. */
export type AboutShift = Record<symbol, never>;

/** Asks what shop this is. */
export type AboutShop = Record<symbol, never>;

/** Asks who may sign in here. */
export type AboutStaff = Record<symbol, never>;

/** Asks how the shop's store is doing. */
export type AboutStore = Record<symbol, never>;

/** Adds a customer. */
export type AddCustomer = {
	/** The customer's name. */
	name: string,
};

/** Takes over customers from elsewhere under the ids they have there, all or none. */
export type AddCustomers = {
	/** The customers, at most `MAX_LINES`. */
	customers: Array<CustomerFromElsewhere>,
};

/** Adds a product to the catalogue. */
export type AddProduct = {
	/** Its SKU. */
	sku: ProductId,
	/** What it is called; not blank. */
	name: string,
	/** Where it belongs; may be empty. */
	category: string,
	/** The price of one unit. */
	price: Money,
	/** What one unit costs the shop. */
	cost: Money,
	/** The rate of its tax. */
	taxRate: BasisPoints,
	/** Whether it can run out; a service cannot. It is so unless told otherwise. */
	stocked: boolean,
	/** Its barcode, if it has one. */
	barcode?: Gtin,
};

/** Adds many products to the catalogue: all of them, or none. */
export type AddProducts = {
	/** The products, at most `MAX_PRODUCTS_AT_ONCE`. */
	products: Array<AddProduct>,
};

/** Adds someone to the staff. Their name must be nobody else's. */
export type AddStaff = {
	/** The person's name. */
	name: string,
	/** What the person may do. */
	role: Role,
};

/**
 * Corrects what is on hand: something was found, or broke, or went back to its supplier. Of a
 * product that holds no stock it is only recorded.
 */
export type AdjustStock = {
	/** The product. */
	product: ProductId,
	/** How much more, or, if negative, how much less there is. */
	quantity: Quantity,
	/** Why; may be empty. */
	reason: string,
};

/** A receipt of either kind. */
export type AnyReceipt = { "kind": "sale" } & PrintedReceipt | { "kind": "refund" } & PrintedRefund;

/**
 * Someone's consent to what another does: who, and the PIN that shows it. It is looked at and put
 * aside before anything is decided, so that no PIN gets into the log.
 */
export type Approval = {
	/** Who approves. */
	user: UserId,
	/** Their PIN. */
	pin: Pin,
};

/** Gives a product a further barcode. */
export type AssignBarcode = {
	/** The product. */
	product: ProductId,
	/** The code; it must belong to no product. */
	barcode: Gtin,
};

/** Tells that somebody touches the till or types, so that they stay signed in. */
export type Attend = Record<symbol, never>;

/** A rate in hundredths of a percent: 20 % is 2000. */
export type BasisPoints = number;

/** Blocks a gift card, because it was lost or stolen. What is on it stays there. */
export type BlockGiftCard = {
	/** The card. */
	card: GiftCardId,
	/** Why; may be empty. */
	reason: string,
};

/**
 * Records that a customer's payment by card did not arrive after all: it is owed again, also beyond
 * the limit.
 */
export type BounceAccountPayment = {
	/** The customer. */
	customer: CustomerId,
	/** How much: at most what the customer paid by card and did not bounce before. */
	amount: Money,
	/** What the bank or the terminal calls it. */
	reference?: string,
	/** Why. */
	reason: string,
};

/** A day of trade, written `2010-12-01`. It may end hours after midnight. */
export type BusinessDay = string;

/** Pays back what was put on a gift card by mistake, from the till's open shift. */
export type CancelGiftCardTopUp = {
	/** The card. */
	card: GiftCardId,
	/** What is paid back: at most what is on the card, and what was put on it this way. */
	paidBack: PaidIn,
	/** Why. */
	reason: string,
};

/** A cart that is being filled. */
export type Cart = {
	/** Made when it is opened; the `requestId` of its checkout. */
	id: string,
	/** What is in it, in the order in which it was put in. */
	lines: Array<CartLine>,
	/** Whose it is, if known. */
	customer?: CustomerId,
	/** The age in years that the customer has at least, if somebody made sure of it. */
	ageChecked?: number,
};

/** A line of a `Cart`. */
export type CartLine = {
	/** What the line is called as long as the cart exists. */
	id: string,
	/** The product. */
	product: ProductId,
	/** How much. */
	quantity: Quantity,
	/** The price of one unit when it was put in. */
	scannedPrice: Money,
	/** What the product was called then. */
	name: string,
	/** The product's tax rate then; nothing unless told otherwise. */
	taxRate: BasisPoints,
	/** The label it was put in by, if a scale printed one and its quantity still holds. */
	label?: Label,
};

/** The cart is safe. */
export type CartSaved = Record<symbol, never>;

/** Into the drawer or out of it. */
export type CashWay = "in" | "out";

/** Gives a product another price. */
export type ChangePrice = {
	/** The product. */
	product: ProductId,
	/** The price of one unit from now on. */
	price: Money,
};

/** Says what a role may do from now on, in place of what it could. */
export type ChangeRole = {
	/** Which role. */
	role: Role,
	/** All that it may do. Managers keep the right to change the staff. */
	permissions: Array<Permission>,
	/** The largest discount it may give; at most 100 %. */
	discountLimit: BasisPoints,
};

/** Sells a cart at the till. The sale is called by the request's id. */
export type Checkout = {
	/**
	 * What is sold, at most `MAX_LINES` lines. They keep their order, and the
	 * same product may be on several.
	 */
	lines: Array<CheckoutLine>,
	/** To whom, if known. */
	customer?: CustomerId,
	/** The promotions that are used, each once. */
	promotions?: Array<PromotionId>,
	/** A discount on the whole sale, on what lines and promotions leave of it. */
	discount?: GivenDiscount,
	/** The coupons that are redeemed, each once. */
	coupons?: Array<CouponId>,
	/** How many of the customer's points are redeemed; none unless told otherwise. */
	redeemPoints?: number,
	/** How it is paid, at most `MAX_PAYMENTS`. */
	payments: Array<Payment>,
	/** The age in years that the customer has at least, if somebody made sure of it. */
	ageChecked?: number,
	/** Whether to sell what lies on the counter although none should be left. It needs permission. */
	overrideStock?: boolean,
	/** What it is called elsewhere, such as an invoice number. */
	reference?: string,
	/** A note of the cashier. */
	note?: string,
};

/** A line of a cart. */
export type CheckoutLine = {
	/** The product. */
	product: ProductId,
	/** How much; positive, at most `Quantity::MAX_LINE`. Kits are sold whole. */
	quantity: Quantity,
	/**
	 * The price of one unit to charge, if it is not the one in the catalogue; at most
	 * `Money::MAX_PRICE`. Another price needs permission.
	 */
	price?: Money,
	/**
	 * The price of one unit in the catalogue when it was scanned. If it changed since, it is
	 * honoured for a while; without it the price now is charged.
	 */
	scannedPrice?: Money,
	/**
	 * The code on the label of what was weighed before. Then `quantity` is what that says, and if
	 * it holds a price, the line comes to that.
	 */
	label?: Gtin,
	/** A discount on this line. */
	discount?: GivenDiscount,
};

/** Closes the till's open shift with the cash that was found in the drawer. */
export type CloseShift = {
	/** The shift that was counted: what was counted for one cannot close another. */
	shift: ShiftId,
	/** The cash in the drawer; 0 or more. */
	countedCash: Money,
	/** The notes and coins it was counted by, if it was; they make up `countedCash`. */
	denominations?: Array<Denomination>,
	/**
	 * The head of the history when the drawer was counted. What happened in the shift since makes
	 * the count worthless; without it, it is taken to be of this moment.
	 */
	asOf?: number,
};

/** Someone who may sign in. */
export type Colleague = {
	/** Whether they have a PIN; without one they cannot sign in. */
	hasPin: boolean,
	/** The PIN, where everybody is to see it: in a demo shop. */
	shownPin: string | null,
	/** The opaque id. */
	user: UserId,
	/** What they are called. */
	name: string,
	/** What they are. */
	role: Role,
};

/**
 * Gives the shop its settings, or other ones. The currency can be changed only before the first
 * shift is opened; and if there are products already, only for one with as many decimals, so that
 * their prices keep their digits.
 */
export type ConfigureShop = ShopSettings;

/** What a count came to. */
export type CountResult = {
	/** What was found. */
	counted: Quantity,
	/** What should have been there when it was counted. */
	expected: Quantity,
	/** `counted - expected`: positive if there was more. */
	difference: Quantity,
};

/** Records what was found of a product. */
export type CountStock = {
	/** The product; a service cannot be counted. */
	product: ProductId,
	/** What was found; 0 or more. */
	counted: Quantity,
	/**
	 * The head of the history when it was counted. What moved of the product since makes the count
	 * worthless; without it, it is taken to be of this moment.
	 */
	asOf?: number,
};

/**
 * What `EventStore::counters` tells: what this process has done since
 * it opened the store. Other processes count for themselves.
 *
 * Each number is exact; they are read one after the other, so one may be ahead of another.
 */
export type Counters = {
	/** Appends that were written. */
	commits: number,
	/** Events in them. */
	events: number,
	/** Bytes of their lines. */
	bytes: number,
	/** Appends that were refused because an event matched their condition. */
	conflicts: number,
	/**
	 * Groups in which the commits were written, each with one write and at most one sync;
	 * `commits / groups` is how many shared one.
	 */
	groups: number,
	/** The most commits that one group had. */
	largestGroup: number,
	/** Syncs of event files. */
	syncs: number,
	/** How long they took together, in microseconds. */
	syncUs: number,
	/** How long the longest took, in microseconds. */
	longestSyncUs: number,
	/**
	 * How often the store's lock was not free at once, because another process, or another handle
	 * of this one, was writing.
	 */
	lockWaits: number,
	/** How long it was waited for together, in microseconds. */
	lockWaitUs: number,
};

/** A coupon by the code printed on it, in capital letters. */
export type CouponId = string;

/** A currency by its ISO 4217 code, such as `GBP`. */
export type Currency = string;

/** Asks for the cart that the till was at. */
export type CurrentCart = Record<symbol, never>;

/** A customer who has an id already. */
export type CustomerFromElsewhere = {
	/** The id; no customer has it here. */
	customer: CustomerId,
	/** The customer's name. */
	name: string,
};

/** A customer: an opaque id, never a name. */
export type CustomerId = string;

/** A customer that was added. */
export type CustomerMade = {
	/** The new customer's id. */
	customer: CustomerId,
};

/** The time of day at which a business day begins, written `04:00`. */
export type CutOver = string;

/**
 * Makes a product a kit, changes what it is made of, or, without components, makes it a service
 * again.
 */
export type DefineKit = {
	/** The product that is sold. It holds no stock of its own, and it has its own price and tax. */
	kit: ProductId,
	/** What one of it is made of: at most `MAX_COMPONENTS` products, each once. */
	components: Array<KitComponent>,
};

/** Defines a promotion, or defines it anew: what was used of it still counts. */
export type DefinePromotion = {
	/** What it is called by. */
	promotion: PromotionId,
	/** What holds from now on. */
	terms: Promotion,
};

/** A line of a delivery. */
export type DeliveryLine = {
	/** The product; a service cannot be received. */
	product: ProductId,
	/** How much came; positive. */
	quantity: Quantity,
	/** What one unit cost, where it is known. */
	cost?: Money,
};

/** How many notes or coins of one value there were. */
export type Denomination = {
	/** What one of them is worth; positive. */
	value: Money,
	/** How many there are. */
	pieces: number,
};

/** What is taken off. */
export type Discount = { "percent": BasisPoints } | { "amount": Money };

/** Takes cash from the drawer of this till's open shift to the safe. */
export type DropCash = {
	/** The shift, so that it counts for no other. */
	shift: ShiftId,
	/** How much; positive. */
	amount: Money,
};

/** What kind of error a `TillError` is: in JSON one word, of a rule or of a fault. */
export type ErrorCode = RefusalCode | Fault;

/** An event in words. */
export type EventTold = {
	/** Where it stands. */
	position: number,
	/** Its type, as recorded: `ProductSold`. */
	type: string,
	/** When it happened, on the shop's clock: `2010-12-01 08:26`. Empty if that is not known. */
	time: string,
	/** What who did it is called; empty if that is not known. */
	name: string,
	/** What happened: `2 sold, receipt T1-7`. */
	text: string,
};

/** What they say. */
export type EventsTold = {
	/** One for each position at which there is an event, in the order asked for. */
	events: Array<EventTold>,
};

/** What went wrong when no rule refused. */
export type Fault = "bad_request" | "not_allowed" | "not_found" | "contended" | "lock_timeout" | "cancelled" | "read_only" | "till_in_use" | "damaged" | "not_a_store" | "disk_full" | "io";

/** Asks what a customer owes and has. */
export type FindAccount = {
	/** The customer. */
	customer: CustomerId,
};

/** Looks up a gift card. */
export type FindGiftCard = {
	/** The code printed on it. */
	card: GiftCardId,
};

/** Looks up one product. */
export type FindProduct = {
	/** One of its barcodes as scanned, the code on the label of a scale, or its SKU. */
	code: string,
};

/** Looks for products, page by page, by SKU. */
export type FindProducts = {
	/** Words that all stand in the name, the SKU or a barcode, in either case. */
	search?: string,
	/** The category they are in. */
	category?: string,
	/** Which page, from 1; the first unless told otherwise. */
	page?: number,
	/** How many on a page, at most `MAX_PAGE_SIZE`; 50 unless told otherwise. */
	pageSize?: number,
};

/** Looks up a receipt. */
export type FindReceipt = {
	/** The number printed on it, such as `T1-42`, or the id of its sale or refund. */
	receipt: string,
};

/** Asks what can still be refunded of a sale. */
export type FindRefundable = {
	/** The sale. */
	sale: SaleId,
};

/** The products that were found, the best first. */
export type Found = {
	/** The products. */
	products: Array<ProductOnHand>,
	/** Whether there are more that fit. */
	more: boolean,
};

/** What a gift card's holder can ask for. */
export type GiftCard = {
	/** The card. */
	card: GiftCardId,
	/** What is left on it. */
	balance: Money,
	/** Whether it is blocked. */
	blocked: boolean,
};

/** A gift card by the code printed on it, in capital letters. */
export type GiftCardId = string;

/** A discount that somebody gives. */
export type GivenDiscount = {
	/** What is taken off. */
	off: Discount,
	/** Why. */
	reason?: string,
};

/**
 * A Global Trade Item Number in its 14-digit form, its check digit verified.
 *
 * EAN-8, UPC-A (12 digits), EAN-13 and GTIN-14 are the same number with more or fewer leading
 * zeros; events about it carry the tag `barcode:<14 digits>`.
 */
export type Gtin = string;

/** Hands out coupons that are all worth the same: all of them, or none. */
export type IssueCoupons = {
	/** Their codes, at most `MAX_LINES`. */
	coupons: Array<CouponId>,
	/** What each takes off. */
	discount: Discount,
	/** The product they are for; without one they are for the whole sale. */
	product?: ProductId,
	/** The last business day on which they count, if there is one. */
	until?: BusinessDay,
};

/** Sells a gift card. What is on it is owed to its holder, so it is no sale in any report. */
export type IssueGiftCard = {
	/** The code printed on it; no card has it yet. */
	card: GiftCardId,
	/** What is paid, in full and in cash or by card, and is on it then. */
	paid: PaidIn,
};

/**
 * What the journal was when something was written on paper: history up to this position has this
 * hash, and would have another if anything in it were changed.
 */
export type JournalMark = {
	/** The last position that the hash is about. */
	position: number,
	/** The hash of the commit that ends there, in hex; it covers every commit before. */
	hash: string,
};

/** It is done. */
export type Kept = Record<symbol, never>;

/** A part of a kit. */
export type KitComponent = {
	/** The product; it holds stock. */
	product: ProductId,
	/** How much of it is in one kit; positive. */
	quantity: Quantity,
};

/** What the label on goods says. */
export type Label = {
	/** Its code. */
	code: Gtin,
	/** How much there is: of a label with a price as much as that buys. */
	quantity: Quantity,
	/** What it costs, if the label says that. */
	price?: Money,
};

/** The limits of a product. */
export type Limit = {
	/** The most that one receipt may have. */
	perReceipt?: Quantity,
	/** The most that one customer may buy on one business day. Who is not known is not counted. */
	perCustomerDay?: Quantity,
};

/** A line of a sale that comes back. */
export type LineReturned = {
	/** Which line of the sale, from 1. */
	line: number,
	/** How much of it; positive, and at most what was not refunded yet. */
	quantity: Quantity,
	/** Whether it goes back on the shelf; true unless told otherwise. Services never do. */
	restock?: boolean,
};

/** Asks which promotions there are. */
export type ListPromotions = {
	/** Whether to name also those that don't run today. */
	all?: boolean,
};

/** How customers earn points, and what a point is worth. */
export type Loyalty = {
	/**
	 * For each of these amounts that a sale comes to there is a point; what is less is not
	 * counted.
	 */
	spendPerPoint: Money,
	/** What a point takes off a sale, in the way prices are given. */
	pointValue: Money,
};

/**
 * An amount in minor units of the shop's currency (pence, cents).
 *
 * Sums stay within ±`Money::MAX`, so that every reader of JSON holds them exactly.
 */
export type Money = number;

/** Pays cash into the drawer of this till's open shift, or out of it, beside sales and refunds. */
export type MoveCash = {
	/** The shift, so that it counts for no other. */
	shift: ShiftId,
	/** Which way. */
	way: CashWay,
	/** How much; positive. */
	amount: Money,
	/** Why. */
	reason: string,
};

/** A promotion by its id. */
export type NamedPromotion = {
	/** What it is called by. */
	promotion: PromotionId,
	/** What it offers. */
	terms: Promotion,
};

/** What can be done about a refusal. */
export type NextAction = "configure_shop" | "open_shift" | "close_shift" | "add_product" | "reduce_quantity" | "remove_line" | "take_payment" | "correct_input" | "try_again" | "use_new_request" | "check_age" | "confirm_price" | "reduce_discount" | "remove_promotion" | "remove_coupon" | "reduce_points" | "choose_customer" | "get_approval" | "count_again" | "sign_in" | "wait";

/** Opens a shift at the till. It is called by the request's id. */
export type OpenShift = {
	/** The cash in the drawer; 0 or more. */
	float: Money,
};

/** Money taken for something that is no sale: a gift card, or a debt. */
export type PaidIn = {
	/** How it is paid: in cash or by card. */
	tender: Tender,
	/** How much; positive, and of cash what coins can pay. */
	amount: Money,
	/** What the terminal calls it. */
	reference?: string,
};

/** Takes money for what a customer owes. */
export type PayAccount = {
	/** The customer. */
	customer: CustomerId,
	/** What is paid, in cash or by card: at most what is owed. */
	paid: PaidIn,
};

/** A payment for a cart. */
export type Payment = {
	/** How it is paid. */
	tender: Tender,
	/**
	 * Of cash what is given, from which change comes, of at most `Currency::most_change`; of all
	 * else what it is charged. Positive, or nothing in cash for what no coin can pay.
	 */
	amount: Money,
	/** The gift card, if it is one. */
	card?: GiftCardId,
	/** What the terminal or the invoice calls it. */
	reference?: string,
};

/** Something that not everyone may do. */
export type Permission = "sell" | "run_shifts" | "drop_cash" | "move_cash" | "accept_variance" | "override_stock" | "override_price" | "refund_without_receipt" | "set_credit_limit" | "block_value" | "reverse_payment" | "add_customers" | "receive_stock" | "correct_stock" | "manage_products" | "manage_staff" | "manage_shop" | "see_reports";

/** Someone at a till: what they are called and may do. */
export type Person = {
	/** The opaque id. */
	user: UserId,
	/** What they are called. */
	name: string,
	/** What they are; the owner of the shop needs to be nothing. */
	role: Role | null,
	/** What they may do alone. */
	rights: Rights,
};

/** A PIN as it was entered. It is shown nowhere and written nowhere. */
export type Pin = string;

/** The receipt of a sale, with what else is printed on it. */
export type PrintedReceipt = {
	/** The sale. */
	sale: SaleId,
	/** What is printed to find it again: `<till>-<number>`. */
	receipt: ReceiptId,
	/** Its number in the till's series, from 1. */
	number: number,
	/** When it was made, in UTC. */
	at: string,
	/** The business day it counts for. */
	businessDay: BusinessDay,
	/** Where it was made. */
	till: TillId,
	/** The shift in which it was made. */
	shift: ShiftId,
	/** Who made it. */
	cashier: UserId,
	/** To whom, if known. */
	customer?: CustomerId,
	/** Whether the prices hold their tax. */
	taxMode: TaxMode,
	/** Its lines, in the order they were rung up. */
	lines: Array<ReceiptLine>,
	/** The sum of the lines, with tax. */
	gross: Money,
	/** The sum of the lines, without tax. */
	net: Money,
	/** The sum of the lines' tax. */
	tax: Money,
	/** What made it cheaper, in this order; what it took off is in the lines already. */
	reductions?: Array<Reduction>,
	/** What the cash part was rounded up by, or down if negative: a line of its own. */
	rounding?: Money,
	/** What was given. */
	paid: Money,
	/** What was given back in cash. */
	change: Money,
	/** How it was paid. */
	payments: Array<ReceiptPayment>,
	/** The points that the customer earned by it. */
	pointsEarned?: number,
	/** The age that somebody made sure of. */
	ageChecked?: number,
	/** What it is called elsewhere, such as an invoice number. */
	reference?: string,
	/** What the cashier noted. */
	note?: string,
	/** What the shop is called. */
	shop: string,
	/** What its amounts are in. */
	currency: Currency,
	/** When it was made, on the shop's clock: `2026-06-01 11:00`. */
	time: string,
	/** What who made it is called. */
	cashierName: string,
	/** The name of each product on it. */
	names: { [key in ProductId]: string },
	/** Its amounts by tax rate, the highest first. */
	taxes: Array<TaxAtRate>,
};

/** The receipt of a refund, with what else is printed on it. */
export type PrintedRefund = {
	/** The refund. */
	refund: RefundId,
	/** What is printed to find it again: `<till>-<number>`. */
	receipt: ReceiptId,
	/** Its number in the till's series, from 1. */
	number: number,
	/** When it was made, in UTC. */
	at: string,
	/** The business day it counts for. */
	businessDay: BusinessDay,
	/** Where it was made. */
	till: TillId,
	/** The shift in which it was made. */
	shift: ShiftId,
	/** Who made it. */
	cashier: UserId,
	/** To whom, if known. */
	customer?: CustomerId,
	/** The sale whose receipt was shown; none without a receipt. */
	sale?: SaleId,
	/** Whether the prices hold their tax. */
	taxMode: TaxMode,
	/** Its lines, in the order given. */
	lines: Array<RefundReceiptLine>,
	/** The sum of the lines, with tax: what was paid back, but for the rounding. */
	gross: Money,
	/** The sum of the lines, without tax. */
	net: Money,
	/** The sum of the lines' tax. */
	tax: Money,
	/** What the cash paid back was rounded up by, or down if negative. */
	rounding?: Money,
	/** How it was paid back. */
	payments: Array<ReceiptPayment>,
	/** Why. */
	reason: string,
	/** What it is called elsewhere, such as a credit note's number. */
	reference?: string,
	/** What the shop is called. */
	shop: string,
	/** What its amounts are in. */
	currency: Currency,
	/** When it was made, on the shop's clock: `2026-06-01 11:00`. */
	time: string,
	/** What who made it is called. */
	cashierName: string,
	/** The name of each product on it. */
	names: { [key in ProductId]: string },
	/** Its amounts by tax rate, the highest first. */
	taxes: Array<TaxAtRate>,
};

/** A product by its stock keeping unit, in capital letters: `85123A`. */
export type ProductId = string;

/** A product, and what is on hand of it. */
export type ProductOnHand = {
	/** What is on hand; `null` for what holds no stock. */
	onHand: Quantity | null,
	/** Its SKU. */
	id: ProductId,
	/** What it is called. */
	name: string,
	/** Where it belongs; may be empty. */
	category: string,
	/** The price of one unit now. */
	price: Money,
	/** What one unit costs the shop. */
	cost: Money,
	/** The rate of its tax. */
	taxRate: BasisPoints,
	/** Whether it can run out; a service cannot. */
	stocked: boolean,
	/** Its barcodes, in the order they were assigned. */
	barcodes: Array<Gtin>,
	/** Its limits. */
	limit: Limit,
	/** What one of it is made of, if it is a kit. */
	components?: Array<KitComponent>,
	/** The least age of who may have it, if it, or what it is made of, is restricted. */
	minimumAge?: number,
};

/** A page of the products that were found. */
export type ProductPage = {
	/** The products of this page. */
	products: Array<ProductOnHand>,
	/** How many were found on all pages. */
	total: number,
	/** The head of the history: what a count of these products that begins now is as of. */
	head: number,
};

/** What a promotion offers, and to whom how often. */
export type Promotion = {
	/** What it is called, as printed on receipts. */
	name: string,
	/** What it takes off: of an amount, once a sale. */
	discount: Discount,
	/** The product it is for; without one it is for the whole sale. */
	product?: ProductId,
	/** The first business day on which it counts. */
	from: BusinessDay,
	/** The last business day on which it counts. */
	until: BusinessDay,
	/** In how many sales it counts, if that is limited. */
	uses?: number,
	/**
	 * In how many sales of one customer it counts, if that is limited. Then the customer must be
	 * known.
	 */
	usesPerCustomer?: number,
};

/** A promotion, in capital letters: `3FOR2`. */
export type PromotionId = string;

/** How much of a product, in thousandths: a piece is 1000, and so is a kilogram. */
export type Quantity = number;

/** What is printed on a receipt to find it again: `<till>-<number>`. */
export type ReceiptId = string;

/** A line of a `Receipt`. */
export type ReceiptLine = {
	/** Which line, from 1. */
	line: number,
	/** The product. */
	product: ProductId,
	/** How much. */
	quantity: Quantity,
	/** The price of one unit that was charged. */
	unitPrice: Money,
	/** The price of one unit in the catalogue. */
	listPrice: Money,
	/** What its label says that the line costs, if it does; else it is `unit_price` times `quantity`. */
	labelPrice?: Money,
	/** What was taken off that. */
	discount?: Money,
	/** With tax. */
	gross: Money,
	/** Without tax. */
	net: Money,
	/** The tax. */
	tax: Money,
	/** Its rate. */
	taxRate: BasisPoints,
};

/** A payment on a `Receipt`. */
export type ReceiptPayment = {
	/** How it was paid. */
	tender: Tender,
	/** What it covered. */
	amount: Money,
	/** The gift card, if it was one. */
	card?: GiftCardId,
	/** The cash that was given, if it was cash. */
	given?: Money,
	/** The change, if it was cash. */
	change?: Money,
	/** What the terminal or the invoice calls it. */
	reference?: string,
};

/** Receives a delivery. */
export type ReceiveStock = {
	/** What came, at most `MAX_LINES` lines. */
	lines: Array<DeliveryLine>,
};

/**
 * Asks what this till sold last: each product once, the newest first, at most `MAX_RECENT`.
 *
 * It is about what goes over this counter, so what other tills sell is left out. A refund brings
 * nothing back into it, nor does it take anything away. What has run out stays, and says so: only
 * a sale at this till moves anything under the cashier's finger. Only this till's last sales are
 * read, however many there were.
 */
export type RecentlySold = Record<symbol, never>;

/** What made a sale cheaper. */
export type ReducedBy = { "discount": string | null } | { "promotion": PromotionId } | { "coupon": CouponId } | { "points": number };

/** Something that made a sale cheaper. */
export type Reduction = {
	/** What it was. */
	by: ReducedBy,
	/** The lines it was taken off, from 1; none if it was the whole sale. */
	lines: Array<number>,
	/** By how much, altogether. */
	amount: Money,
};

/** Takes goods back at the till without a receipt. The refund is called by the request's id. */
export type Refund = {
	/** What comes back, at most `MAX_LINES` lines. They keep their order. */
	lines: Array<RefundLine>,
	/** How it is paid back: in cash, by card or with a voucher. */
	tender: Tender,
	/** Why; may be empty. */
	reason: string,
	/** To whom, if known. */
	customer?: CustomerId,
	/** What it is called elsewhere, such as a credit note's number. */
	reference?: string,
	/** Whether the goods go back on the shelf; true unless told otherwise. Services never do. */
	restock?: boolean,
};

/** A refund. */
export type RefundId = string;

/** A line of a refund. */
export type RefundLine = {
	/** The product. */
	product: ProductId,
	/** How much; positive, at most `Quantity::MAX_LINE`. */
	quantity: Quantity,
	/** What is paid back for one unit, in the way prices are given; at most `Money::MAX_PRICE`. */
	price: Money,
};

/** A line of a `RefundReceipt`. */
export type RefundReceiptLine = {
	/** Which line, from 1. */
	line: number,
	/** The product. */
	product: ProductId,
	/** How much. */
	quantity: Quantity,
	/** What was paid back for one unit. */
	unitPrice: Money,
	/** With tax. */
	gross: Money,
	/** Without tax. */
	net: Money,
	/** The tax. */
	tax: Money,
	/** Its rate. */
	taxRate: BasisPoints,
	/** Whether it went back on the shelf. */
	restocked: boolean,
};

/**
 * Takes back what a sale sold, with its receipt. The refund is called by the request's id.
 *
 * Each line is paid back at its share of what was paid for it, so that all of its parts come to
 * exactly that. The money goes back to the payments of the sale, to each at most what it took, to
 * cash last. So no more goes out than came in, and whoever may sell may do this; what comes back
 * without a receipt takes a permission of its own.
 */
export type RefundSale = {
	/** The sale. */
	sale: SaleId,
	/** What comes back: at most `MAX_LINES` lines of the sale, each once. */
	lines: Array<LineReturned>,
	/** Why; may be empty. */
	reason: string,
	/** What it is called elsewhere, such as a credit note's number. */
	reference?: string,
};

/** What can still be refunded of a sale. */
export type Refundable = {
	/** The sale. */
	sale: SaleId,
	/** Its lines, and what is left of each. */
	lines: Array<RefundableLine>,
};

/** What can still be refunded of a line. */
export type RefundableLine = {
	/** Which line of the sale, from 1. */
	line: number,
	/** The product. */
	product: ProductId,
	/** How much was not refunded yet. */
	quantity: Quantity,
	/** What that comes to, with tax. */
	gross: Money,
};

/** Which rule refused. */
export type RefusalCode = "shop_not_configured" | "currency_fixed" | "request_reused" | "invalid_input" | "product_unknown" | "product_exists" | "barcode_taken" | "barcode_unknown" | "label_unusable" | "too_many_lines" | "empty" | "quantity_out_of_bounds" | "price_out_of_bounds" | "amount_overflow" | "out_of_stock" | "holds_no_stock" | "limit_per_receipt" | "limit_per_customer_day" | "limit_changed" | "shift_closed" | "shift_open" | "not_enough_paid" | "card_overpaid" | "payment_out_of_bounds" | "kit_changed" | "age_check_needed" | "price_changed" | "nothing_to_reduce" | "promotion_unknown" | "promotion_changed" | "promotion_not_running" | "promotion_used_up" | "coupon_unknown" | "coupon_spent" | "coupon_expired" | "coupon_taken" | "customer_needed" | "customer_unknown" | "customer_exists" | "not_enough_points" | "gift_card_unknown" | "gift_card_blocked" | "gift_card_too_low" | "gift_card_taken" | "credit_exceeded" | "not_owed" | "not_paid" | "sale_unknown" | "refund_exceeds_sale" | "not_permitted" | "discount_over_limit" | "not_enough_cash" | "count_outdated" | "staff_unknown" | "name_taken" | "last_manager" | "role_just_changed" | "signed_out" | "pin_wrong" | "pin_locked";

/** What a `Refusal` is about. */
export type RefusalDetails = {
	/** The product in question. */
	product?: ProductId,
	/** The line in question, counted from 1. */
	line?: number,
	/**
	 * What is left, by what the code is about: thousandths of a product, minor units of money,
	 * basis points of discount, points, uses, tries, seconds to wait, or years of age.
	 */
	left?: number,
	/** What can be done. */
	action?: NextAction,
	/** The positions of the events that decided, the newest last, at most `Evidence::MOST`. */
	because: number[],
};

/** An act that a rule refused. */
export type RefusedAct = {
	/** Where it stands in the history. */
	position: number,
	/** When. */
	at: string,
	/** Where. */
	till: TillId,
	/** Who tried. */
	user: string,
	/** What they are called. */
	name: string,
	/** What was to be done: `checkout`. */
	command: string,
	/** Which rule refused. */
	code: RefusalCode,
	/** What was told. */
	message: string,
	/** The product in question, if there was one. */
	product: ProductId | null,
};

/** Asks which acts were refused, the newest first. */
export type RefusedActs = {
	/** How many, at most `MAX_REFUSED`; 50 unless told otherwise. */
	limit?: number,
};

/** Takes a barcode from the product it belongs to, so that another can have it. */
export type ReleaseBarcode = {
	/** The code. */
	barcode: Gtin,
};

/**
 * Takes someone off the staff. Their name may be another's from then on. The last manager stays,
 * unless the owner acts.
 */
export type RemoveStaff = {
	/** Who. */
	user: UserId,
};

/** Asks what was sold and refunded. */
export type ReportSales = {
	/** What the rows stand for. */
	by: SalesBy,
	/** The first business day that counts; without it, from the beginning. */
	from?: BusinessDay,
	/** The last business day that counts; without it, until now. */
	to?: BusinessDay,
};

/** Asks what the open shift of this till came to so far. */
export type ReportX = Record<symbol, never>;

/** Asks for a Z report of this till. */
export type ReportZ = {
	/** Its number; the last one unless told otherwise. */
	z?: number,
};

/** What a role may do. */
export type Rights = {
	/** What it may do. */
	permissions: Array<Permission>,
	/** The largest discount it may give, on a line or a total. */
	discountLimit: BasisPoints,
};

/** What someone of the staff is. */
export type Role = "cashier" | "supervisor" | "manager";

/** What a role may do. */
export type RoleRights = {
	/** The role. */
	role: Role,
	/** What it may do. */
	rights: Rights,
};

/** A sale. */
export type SaleId = string;

/** What the rows of a sales report stand for. */
export type SalesBy = "day" | "hour" | "product" | "category" | "customer" | "cashier" | "till" | "tender" | "tax";

/** A sales report. */
export type SalesReport = {
	/** The rows, by key. */
	rows: Array<SalesRow>,
	/** What the rows add up to; but each receipt counts once. */
	total: SalesRow,
	/**
	 * What rounding cash to coins brought in, or cost if negative: `gross - refunds` and this is
	 * what was paid.
	 */
	rounding?: Money,
};

/** A row of a sales report, or its total. */
export type SalesRow = {
	/** What the row stands for; empty for the total. */
	key: string,
	/** How many sales and refunds it has a part in. */
	receipts: number,
	/** What was sold less what was refunded. */
	items: Quantity,
	/** Sales, with tax. */
	gross: Money,
	/** Refunds, positive and with tax. */
	refunds: Money,
	/** `gross - refunds - tax`. */
	net: Money,
	/** Tax of sales less tax of refunds. */
	tax: Money,
};

/** Keeps the cart that the till is at. The last one counts. */
export type SaveCart = {
	/** The cart as it is now. */
	cart: Cart,
};

/**
 * What the shop's scales print: by which two digits their codes begin, 21 to 29, if there are any.
 * Codes that begin with 20 hold neither; see `Gtin::in_store`.
 */
export type ScaleCodes = {
	/** Of those that hold a weight, in grams; 21 unless told otherwise. */
	weight: number | null,
	/** Of those that hold a price, in minor units; 23 unless told otherwise. */
	price: number | null,
};

/** Looks up what was scanned. */
export type Scan = {
	/** A barcode in any of its forms, the code on the label of a scale, or a SKU. */
	code: string,
};

/** What a scanned code stands for. */
export type Scanned = { "kind": "product",
	/** The product. */
	product: ProductOnHand,
	/** What the label says, if it is one that a scale printed. */
	label?: Label, } | { "kind": "unknown",
	/** The code, without space around it. */
	code: string, } | { "kind": "bad_check_digit",
	/** The code, without space around it. */
	code: string,
	/** What the last digit should be. */
	expected: number, } | { "kind": "unusable_label",
	/** The code, without space around it. */
	code: string,
	/** Why, and what to do. */
	message: string,
};

/**
 * Looks for products while somebody types.
 *
 * Each word must begin a word of the name or the SKU, or a barcode. Best first: the product with
 * this very code, names that begin with the text, then the rest; among equals what sells more.
 * Without a word: what sells most of the category, or of all.
 */
export type Search = {
	/** What was typed so far. */
	text: string,
	/** The category they are in. */
	category?: string,
	/** The most to find, at most `MAX_FOUND` and so many unless told otherwise. */
	limit?: number,
};

/** Restricts a product to who is old enough; without an age everybody may have it again. */
export type SetAgeRule = {
	/** The product. */
	product: ProductId,
	/** The least age in years: 1 to `MAX_AGE`. */
	minimumAge?: number,
};

/** Sets what a customer may owe. */
export type SetCreditLimit = {
	/** The customer. */
	customer: CustomerId,
	/** The most that may be owed; 0 ends credit, and what is owed stays owed. */
	limit: Money,
};

/** Sets a product's limits; one that is not given is lifted. */
export type SetLimit = {
	/** The product. */
	product: ProductId,
	/** The most that one receipt may have. */
	perReceipt?: Quantity,
	/** The most that one customer may buy on one business day. */
	perCustomerDay?: Quantity,
};

/**
 * Gives someone of the staff a PIN. One's own takes the one before, whoever one is; those of others,
 * and one's first, are set by who may change the staff.
 */
export type SetPin = {
	/** Who. */
	user: UserId,
	/** The PIN from now on. */
	pin: Pin,
	/** The PIN until now, of who changes their own. */
	current?: Pin,
};

/** Gives someone of the staff another role. The last manager keeps theirs, unless the owner acts. */
export type SetStaffRole = {
	/** Who. */
	user: UserId,
	/** What they may do from now on. */
	role: Role,
};

/** A shift that is open. */
export type Shift = {
	/** The shift. */
	shift: ShiftId,
	/** Its till. */
	till: TillId,
	/** When it was opened. */
	openedAt: string,
	/** The business day on which it was opened. */
	businessDay: BusinessDay,
	/** The cash that was in the drawer then. */
	float: Money,
};

/** A shift: from opening a till to closing it. */
export type ShiftId = string;

/** What closing a shift came to. */
export type ShiftResult = {
	/** The cash that should have been there: the float, what was taken, less what was paid back. */
	expected: Money,
	/** The cash that was found. */
	counted: Money,
	/** `counted - expected`: negative if cash is missing. */
	variance: Money,
	/** The number of the Z report; `null` for shifts closed before there were any. */
	z: number | null,
	/** What the journal was then, to be printed; `null` where the store cannot tell. */
	journal: JournalMark | null,
};

/** A shift that was opened. */
export type ShiftStarted = {
	/** The new shift's id. */
	shift: ShiftId,
};

/** What a shift came to, up to some moment. */
export type ShiftTotals = {
	/** How many sales there were. */
	sales: number,
	/** How many refunds. */
	refunds: number,
	/** What was sold, with tax. */
	gross: Money,
	/** What was refunded, with tax; positive. */
	refunded: Money,
	/** The tax on sales, less that on refunds. */
	tax: Money,
	/**
	 * What was taken for gift cards and for what customers owed, which is no sale, less what was
	 * put on gift cards by mistake and paid back.
	 */
	received: Money,
	/** What rounding cash to coins brought in, or cost if negative. */
	rounding: Money,
	/**
	 * What each tender took and paid back; those that were used. All of it is `gross`, less
	 * `refunded`, with `received` and `rounding`.
	 */
	tenders: Array<TenderTotal>,
	/** The cash that was paid in beside sales. */
	paidIn: Money,
	/** The cash that was paid out beside refunds; positive. */
	paidOut: Money,
	/** The cash that was taken to the safe; positive. */
	dropped: Money,
	/** The cash that came into the drawer less what went out: what is in it beside the float. */
	cash: Money,
};

/** What shop this is, and who looks at it from where. */
export type Shop = {
	/** Its settings; `null` until it is configured. */
	settings: ShopSettings | null,
	/**
	 * The most change that is given: more cash than that beyond what is due is a mistake; `null`
	 * until the shop is configured.
	 */
	mostChange: Money | null,
	/** This till. */
	till: TillId,
	/** Who is at it; `null` while nobody is signed in. */
	person: Person | null,
	/** How many products the catalogue has. */
	products: number,
	/** The categories that products are in, sorted. */
	categories: Array<string>,
};

/** What holds for the whole shop. */
export type ShopSettings = {
	/** What the shop is called, as printed on receipts. */
	name: string,
	/**
	 * The currency of all amounts, as ISO 4217 lists it. It stays once a shift was opened, and the
	 * number of its decimals once there is a product.
	 */
	currency: Currency,
	/** Where the shop's clock hangs. */
	zone: Zone,
	/** When a business day begins. */
	cutOver: CutOver,
	/** Whether prices hold their tax. Each sale records what held for it. */
	taxMode: TaxMode,
	/** What tax is rounded on; each line unless told otherwise. */
	taxRounding?: TaxRounding,
	/** The smallest coin, to which cash is rounded; 1 unless told otherwise. */
	smallestCoin?: SmallestCoin,
	/**
	 * How many minutes after a price change the price as scanned is still charged; 0 unless told
	 * otherwise.
	 */
	priceGraceMinutes?: number,
	/** What the shop's scales print. */
	scaleCodes?: ScaleCodes,
	/** How customers earn points, if they do. */
	loyalty?: Loyalty,
	/** What holds at each of its tills. */
	tills?: TillSettings,
};

/** Signs someone in at this till, in place of whoever is there. */
export type SignIn = {
	/** Who. */
	user: UserId,
	/** Their PIN. */
	pin: Pin,
};

/** Signs out whoever is at this till. */
export type SignOut = Record<symbol, never>;

/** The smallest coin: what is paid in cash is a multiple of it. 1, 5 or 10 minor units. */
export type SmallestCoin = 1 | 5 | 10;

/** Someone of the staff who was added. */
export type StaffMade = {
	/** The new person's id. */
	user: UserId,
};

/** What a customer owes and has. All is zero of one who never had any of it. */
export type Standing = {
	/** The points. Negative if a refund took back what was redeemed. */
	points: number,
	/** The customer. */
	customer: CustomerId,
	/** The most that may be owed. */
	limit: Money,
	/** What is owed. */
	owed: Money,
};

/** How the shop's store is doing. */
export type StoreHealth = {
	/** The position of the last event; 0 before the first. */
	head: number,
	/**
	 * The hash of the last commit, in hex, which stands for all of history before it; `null` in an
	 * empty store, and in one that has no hashes.
	 */
	hash: string | null,
	/**
	 * What this process has done with the store since it opened it; `null` in one that does not
	 * count.
	 */
	counters: Counters | null,
};

/** What the lines of one tax rate on a receipt come to. */
export type TaxAtRate = {
	/** The rate. */
	taxRate: BasisPoints,
	/** With tax. */
	gross: Money,
	/** Without tax. */
	net: Money,
	/** The tax. */
	tax: Money,
};

/** Whether prices hold their tax or tax comes on top. */
export type TaxMode = "included" | "excluded";

/** What tax is rounded on. */
export type TaxRounding = "line" | "receipt";

/** Asks what the events at these positions say. */
export type TellEvents = {
	/** Their positions, such as those that a refusal names; at most 16. */
	positions: number[],
};

/** How something is paid. */
export type Tender = "cash" | "card" | "gift_card" | "account" | "voucher";

/** What a tender took in a shift, and paid back. */
export type TenderTotal = {
	/** The tender. */
	tender: Tender,
	/** What was paid with it; of cash what was kept. */
	taken: Money,
	/** What was paid back to it; positive. */
	refunded: Money,
};

/** Why a command or query was not done. In JSON: `{"code":…,"message":…,"details":{…}}`. */
export type TillError = {
	/** What kind of error it is. */
	code: ErrorCode,
	/** A sentence that says what happened and what to do. */
	message: string,
	/** What the sentence is made of, for programs; a fault has none. */
	details: RefusalDetails,
};

/** A till. */
export type TillId = string;

/** What holds at each till of a shop. */
export type TillSettings = {
	/** After how many seconds in which nobody touched it a till signs out who is there; 0 is never. */
	autoLockSeconds: number,
	/** How far a count of the drawer may be off before it needs who may accept that; 0 or more. */
	varianceLimit: Money,
	/** How much cash a drawer may hold before some of it is to be dropped in the safe. */
	drawerLimit: Money | null,
};

/** The state of a till. */
export type TillState = {
	/** The till. */
	till: TillId,
	/** Its open shift; `null` if it has none. */
	shift: Shift | null,
	/** The head of the history: what a count of the drawer that begins now is as of. */
	head: number,
	/**
	 * Whether there is more cash in the drawer than the shop wants there, so that some is to be
	 * dropped in the safe. How much is not told: who counts the drawer counts it blind.
	 */
	dropDue: boolean,
};

/** Puts more money on a gift card. */
export type TopUpGiftCard = {
	/** The card. */
	card: GiftCardId,
	/** What is paid, in full and in cash or by card. */
	paid: PaidIn,
};

/** Who works at the till: an opaque id, never a name. */
export type UserId = string;

/** Declares a coupon void, because it was lost or copied. */
export type VoidCoupon = {
	/** Its code. */
	coupon: CouponId,
	/** Why; may be empty. */
	reason: string,
};

/** Where a till was when it was last left. At most one of the two is there. */
export type WhereItWas = {
	/** The cart that was not sold yet. */
	cart: Cart | null,
	/** The receipt of the cart, if it was sold. */
	finished: PrintedReceipt | null,
};

/** What an open shift came to so far. */
export type XReport = {
	/** When this was asked. */
	at: string,
	/** What it came to. */
	totals: ShiftTotals,
	/** The cash that should be in the drawer. */
	expected: Money,
	/** The shift. */
	shift: ShiftId,
	/** Its till. */
	till: TillId,
	/** When it was opened. */
	openedAt: string,
	/** The business day on which it was opened. */
	businessDay: BusinessDay,
	/** The cash that was in the drawer then. */
	float: Money,
};

/** What a closed shift came to. It never changes. */
export type ZReport = {
	/** Its number at this till; `null` for shifts closed before there were any. */
	z: number | null,
	/** The till. */
	till: TillId,
	/** The shift. */
	shift: ShiftId,
	/** When it was opened. */
	openedAt: string | null,
	/** When it was closed. */
	closedAt: string,
	/** The business day on which it was closed. */
	businessDay: BusinessDay,
	/** The cash that was in the drawer when it was opened. */
	float: Money,
	/** What it came to. */
	totals: ShiftTotals,
	/** The cash that should have been in the drawer. */
	expected: Money,
	/** The cash that was found. */
	counted: Money,
	/** `counted - expected`. */
	variance: Money,
	/** The notes and coins that were found, if they were counted one by one. */
	denominations: Array<Denomination>,
	/**
	 * What the journal was when it was closed, to be printed: any later change to what came before
	 * shows against the paper. `null` where the store could not tell.
	 */
	journal: JournalMark | null,
};

/** A time zone by its IANA name, such as `Europe/London`. */
export type Zone = string;
