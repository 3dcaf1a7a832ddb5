import {
  Refusal,
  Unreachable,
  type Approval,
  type Label,
  type Operations,
  type PrintedReceipt,
  type Payment,
  type ProductOnHand,
} from '../host';
import { afterKey, type NumpadKey } from '../components/entry';
import { freshId } from '../id';
import { UNIT, formatQuantity, inCash, parseDecimal } from '../money';
import type { Session } from '../session.svelte';
import { warn } from '../sound';
import { isOfPin } from '../staff/approval';
import { oneAtATime, throttled } from '../throttle';
import { Cart, Line, MAX_QUANTITY, Stray, type Row } from './cart.svelte';
import { isCode } from './catalog.svelte';
import { Keeper } from './keeper';

/** The least time between two looks at the products of the cart, in milliseconds. */
const LIVE_GAP_MS = 500;
/** The least time between two looks at what was sold last, in milliseconds: one question each. */
const RECENT_GAP_MS = 100;
/** How long a scan may be looked up before its code is shown, in milliseconds. */
const LOOK_UP_MS = 150;
/** How long to wait before the cart of before is asked for again, in milliseconds. */
const ASK_AGAIN_MS = 1000;
/** The most digits that are typed at once. */
const MAX_ENTRY = 14;
/** The most digits of a quantity before its point; more are a code. */
const MAX_QUANTITY_DIGITS = 4;

/** How far the sale is. */
export type Phase =
  /** The cart is filled. */
  | { is: 'selling' }
  /** It is typed what cash was given. */
  | { is: 'paying' }
  /**
   * It is done, and the receipt is shown until the next sale begins. It may be of before: when the
   * cart was to be paid, it had been sold already.
   */
  | { is: 'done'; receipt: PrintedReceipt; ofBefore?: boolean };

/** What is typed and pressed is for: the sale as far as it is, or the shift that isn't open yet. */
export type Mode = Phase['is'] | 'opening';

type Checkout = Operations['checkout']['input'];

/** How a customer pays. */
export interface Tendered {
  tender: Payment['tender'];
  /** What they give, in minor units; the exact amount if it is `undefined`. */
  given?: number;
}

/** A sale, from the first scan to the receipt, and on to the next. */
export class Sale {
  readonly cart: Cart;
  phase = $state.raw<Phase>({ is: 'selling' });
  /** The checkout that is under way, if one is; it waits if the backend is away. */
  underWay = $state.raw<{ waits: boolean }>();
  /** What is typed on the numpad: a quantity, or cash, or what is in the drawer. */
  entry = $state('');
  /** The receipt of the sale before this one. */
  last = $state.raw<PrintedReceipt>();
  /** What was sold at this till last, the newest first; `undefined` until it is known. */
  recent = $state.raw<ProductOnHand[]>();
  /** Why what was tried last was refused, where that is about no line. */
  trouble = $state.raw<Refusal>();
  /** How the checkout that was refused last was to be paid. */
  refused = $state.raw<Tendered>();
  /** The refusal that someone may approve away, while they are asked. */
  approving = $state.raw<Refusal>();
  /** How many things that were scanned or touched are not in the cart yet. */
  waiting = $state(0);
  /** What was just done, for those who don't see it. */
  said = $state('');
  /** The code for which a product is being searched. */
  #sought: Stray | undefined;
  /** Lets a question go on that waits for the backend. */
  #goOn: (() => void) | undefined;
  readonly #session: Session;
  readonly #keeper: Keeper<Cart['stored']>;
  /** What is put into the cart, one thing after the other. */
  #turns: Promise<unknown> = Promise.resolve();
  /** Whether something acts just now whose turn has come: what it does is part of it. */
  #isActing = false;
  /** The checkout that is under way. Never fails. */
  #checkout: Promise<unknown> | undefined;

  /** Looks again at the products in the cart. */
  readonly refresh: () => void;
  /** Looks again at what was sold at this till last. */
  readonly refreshRecent: () => void;

  /** What is typed and pressed is for. */
  readonly mode: Mode = $derived.by(() =>
    this.#session.shift === null && this.phase.is !== 'done' ? 'opening' : this.phase.is,
  );
  readonly total = $derived.by(() => this.cart.total?.gross);
  /** What is to be paid if all of it is paid in cash: what coins can pay. */
  readonly cashTotal = $derived.by(() =>
    this.total === undefined ? undefined : inCash(this.total, this.#session.rules),
  );
  /** What has to be done before the cart can be paid, as “To pay, …” goes on; nothing if it can be. */
  readonly beforePaying: string = $derived.by(() => {
    if (this.cart.strays.length > 0) return 'deal with the code first';
    if (this.mode !== 'selling' || this.entry === '') return '';
    return `press ${this.isCodeTyped ? 'Find' : 'Qty'} first`;
  });
  readonly canPay = $derived.by(
    () =>
      this.cart.lines.length > 0 &&
      this.beforePaying === '' &&
      this.total !== undefined &&
      Boolean(this.#session.shift),
  );
  /** The cash that is typed; nothing typed means the exact amount. */
  readonly given = $derived.by(() =>
    this.entry === '' ? this.cashTotal : this.#session.money.parse(this.entry),
  );

  /** Whether the digits that are typed are a code: too many for a quantity, or of no line. */
  readonly isCodeTyped = $derived.by(
    () =>
      this.mode === 'selling' &&
      isCode(this.entry) &&
      (this.entry.length > MAX_QUANTITY_DIGITS || !(this.cart.selected instanceof Line)),
  );
  /** The cash in the drawer that is typed; nothing typed is none, a 0 must be typed too. */
  readonly float = $derived.by(() =>
    /\d/.test(this.entry) ? this.#session.money.parse(this.entry) : undefined,
  );
  /** The most cash that anyone gives for this cart. */
  readonly #mostGiven = $derived.by(
    () => (this.cashTotal ?? 0) + (this.#session.shop?.mostChange ?? Infinity),
  );
  /** Whether more cash is typed than anyone gives. */
  readonly isTooMuchGiven = $derived.by(() => (this.given ?? 0) > this.#mostGiven);
  /** Whether the cash that is typed can be taken. */
  readonly canTake = $derived.by(
    () => this.given !== undefined && this.given >= (this.cashTotal ?? 0) && !this.isTooMuchGiven,
  );

  constructor(session: Session) {
    this.#session = session;
    this.#keeper = new Keeper((cart) => session.call('save_cart', { cart }));
    this.cart = new Cart(
      () => session.rules,
      (cart) => this.#keeper.keep(cart),
    );
    this.refresh = throttled(() => this.#knowProducts(), LIVE_GAP_MS);
    this.refreshRecent = throttled(() => this.#knowRecent(), RECENT_GAP_MS);
  }

  /**
   * Goes on where this till was left: with its cart, or with the receipt it didn't show yet. What
   * is scanned meanwhile comes after.
   */
  restore(): Promise<void> {
    return this.#inTurn(async () => {
      const { cart, finished } = await this.#keptCart();
      if (finished) this.#finish(finished);
      else if (cart) {
        this.cart.restore(cart);
        this.refresh();
      }
    });
  }

  /** Goes on after the backend was away, or nobody at the till: what it was not told, it is told now. */
  async resume(): Promise<void> {
    if (this.#goOn) return this.#goOn();
    for (const stray of this.cart.strays) void this.lookUpAgain(stray);
    this.refresh();
    await this.#keeper.settled().catch(() => undefined);
  }

  /** Takes a scanned code. Scans are dealt with in order, and none is lost. */
  scan(code: string): Promise<void> {
    return this.#inTurn(async () => {
      await this.#checkout;
      this.#begin();
      await this.#resolve(new Stray(code));
    });
  }

  /** Looks a code up again that waits for it, unless it was taken out meanwhile. */
  lookUpAgain(stray: Stray): Promise<void> {
    return this.#inTurn(async () => {
      if (stray.state === 'waiting' && !stray.isRemoved) await this.#resolve(stray);
    });
  }

  /** Puts a product that was touched into the cart; after a receipt it is the first of the next sale. */
  add(product: ProductOnHand): Promise<void> {
    return this.#inTurn(async () => {
      await this.#checkout;
      this.#begin();
      const sought = this.#sought;
      this.#sought = undefined;
      await this.#put(product);
      if (sought) this.cart.remove(sought);
    });
  }

  /** Remembers that the product of a code is being searched for: whatever is added next is it. */
  seek(stray: Stray): void {
    this.#sought = stray;
  }

  /**
   * Acts at once, or after the scans that came before: what was pressed after a scan is about its
   * line, even if the line comes late.
   */
  inOrder(act: () => void): void {
    if (this.waiting === 0 || this.#isActing) return act();
    void this.#turns.then(() => {
      this.#isActing = true;
      try {
        act();
      } finally {
        this.#isActing = false;
      }
    });
  }

  /** Presses a key of the numpad. */
  press(key: NumpadKey): void {
    // What is given for a sale under way is settled.
    if (this.underWay) return;
    const entry = afterKey(this.entry, key);
    const isLess = entry.length < this.entry.length;
    if (isLess || (entry.length <= MAX_ENTRY && this.#canType(entry))) this.entry = entry;
  }

  /** Takes what was typed for what it is: cash given, cash in the drawer, a code, a quantity; or goes on. */
  confirm(): void {
    this.inOrder(() => {
      if (this.underWay) return;
      if (this.mode === 'paying') this.payGiven();
      else if (this.mode === 'opening') void this.openShift();
      else if (this.mode === 'done') this.next();
      else if (this.isCodeTyped) this.#lookUp();
      else if (this.entry !== '') this.#takeQuantity();
    });
  }

  /** Gives a line another quantity. */
  setQuantity(line: Line, quantity: number): void {
    this.#change(() => this.cart.setQuantity(line, quantity));
  }

  /** Changes the quantity of the selected line by so many units. */
  step(units: number): void {
    this.inOrder(() => {
      const { selected } = this.cart;
      if (!(selected instanceof Line)) return;
      const quantity = selected.quantity + units * UNIT;
      if (quantity <= MAX_QUANTITY) return this.setQuantity(selected, quantity);
      this.#object(
        `A line holds at most ${formatQuantity(MAX_QUANTITY)}. Scan it again for another.`,
      );
    });
  }

  /** Sells a line for another price: what the product costs now. */
  takeNewPrice(line: Line, price: number): void {
    this.#change(() => this.cart.takeNewPrice(line, price));
  }

  /** Takes a row out. */
  remove(row: Row): void {
    this.#change(() => this.cart.remove(row));
  }

  /** Takes the selected row out, and what was typed for it. */
  removeSelected(): void {
    this.inOrder(() =>
      this.#change(() => {
        this.entry = '';
        if (this.cart.selected) this.cart.remove(this.cart.selected);
      }),
    );
  }

  /** Begins the next cart in place of this one, which was not sold. */
  clear(): void {
    this.#change(() => this.cart.clear());
  }

  /** Selects the row so many further down, or up. */
  move(by: number): void {
    if (this.mode !== 'selling') return;
    this.cart.move(by);
    const { selected } = this.cart;
    if (selected instanceof Stray) this.said = `Code ${selected.code}`;
    else if (selected) {
      const amount = this.#session.money.text(selected.amount ?? 0);
      this.said = `${formatQuantity(selected.quantity)} × ${selected.name}, ${amount}`;
    }
  }

  /** Forgets what was typed and begun in a shift that is over, or before there was one. */
  leaveShift(): void {
    this.entry = '';
    this.stopPaying();
  }

  /** Opens the shift with the cash that was typed; nothing happens until some is. */
  readonly openShift = oneAtATime(async (approval?: Approval) => {
    const { float } = this;
    if (this.#session.shift || float === undefined) return;
    this.trouble = this.refused = undefined;
    try {
      await this.#session.openShift(float, approval);
    } catch (failure) {
      if (approval && isOfPin(failure)) throw failure;
      if (failure instanceof Refusal) this.trouble = failure;
      await this.#session.refresh().catch(() => undefined);
    }
    // What is true is whether it is open now: an answer may be lost, or be of a shift closed since.
    if (!this.#session.shift) return;
    this.said = 'The shift is open.';
  });

  /** Asks for the cash that is given. */
  beginPaying(): void {
    this.#toPay(() => {
      if (this.mode === 'selling') this.phase = { is: 'paying' };
    });
  }

  /** Goes back to the cart. */
  stopPaying(): void {
    if (this.phase.is !== 'paying' || this.underWay) return;
    this.entry = '';
    this.phase = { is: 'selling' };
  }

  /** Takes exactly what the cart comes to. */
  payExact(tender: Payment['tender']): void {
    this.#toPay(() => {
      if (this.entry === '') void this.#pay({ tender });
      else this.#object('Enter takes the cash that is typed. To pay otherwise, delete it first.');
    });
  }

  /** Takes the cash that was typed. */
  payGiven(): void {
    this.inOrder(() => {
      const { given, entry } = this;
      if (given === undefined || !this.canTake) return;
      void this.#pay(entry === '' ? { tender: 'cash' } : { tender: 'cash', given });
    });
  }

  /** Tries the checkout that was refused last again, paid as it was to be paid then. */
  tryAgain(): void {
    const { refused } = this;
    if (refused) this.#toPay(() => void this.#pay(refused));
  }

  /** Asks who may approve what was refused. */
  seekApproval(refusal: Refusal): void {
    if (this.mode === 'opening') this.approving = refusal;
    else this.#toPay(() => (this.approving = refusal));
  }

  /** Somebody made sure that the customer has this age, in years; a checkout refused for it goes on. */
  confirmAge(age: number): void {
    this.#change(() => {
      const isAwaited = this.cart.lines.some(
        ({ refusal }) => refusal?.details.action === 'check_age',
      );
      this.cart.confirmAge(age);
      if (isAwaited) this.tryAgain();
    });
  }

  /** Does what was refused last with the approval of who may; fails if it is none. */
  async approve(approval: Approval): Promise<void> {
    if (this.mode === 'opening') return this.openShift(approval);
    const { refused } = this;
    await this.#turns;
    if (refused) await this.#pay(refused, approval);
  }

  /** Leaves the receipt for an empty cart. */
  next(): void {
    if (this.phase.is === 'done') this.#begin();
  }

  /** Shows the receipt of the sale before this one again. */
  showLast(): void {
    if (this.last && this.cart.rows.length === 0) this.phase = { is: 'done', receipt: this.last };
  }

  /**
   * Changes the cart at once if it is open: not while it is being paid, nor where nobody sees it. What
   * is left of it is tried anew.
   */
  #change(act: () => void): void {
    if (this.mode !== 'selling' || this.underWay) return;
    this.trouble = undefined;
    act();
    if (this.cart.rows.length === 0) this.#forget();
  }

  /** Goes on to paying, if nothing stands in the way. */
  #toPay(act: () => void): void {
    // What is pressed while a sale is under way is about that one, and never about the next.
    if (this.underWay) return;
    this.inOrder(() => {
      if (this.beforePaying !== '') this.#object(`To pay, ${this.beforePaying}.`);
      else if (this.canPay) act();
    });
  }

  /** Says why something that was pressed does nothing. */
  #object(why: string): void {
    this.said = why;
    warn();
  }

  /** Forgets what was about the cart before. */
  #forget(): void {
    this.entry = '';
    this.trouble = this.refused = this.#sought = undefined;
  }

  /** Gives the selected line the quantity that was typed. */
  #takeQuantity(): void {
    const { selected } = this.cart;
    const quantity = /\d/.test(this.entry) ? parseDecimal(this.entry, 3) : undefined;
    this.entry = '';
    if (!(selected instanceof Line)) this.#object('Choose a line, then type its quantity.');
    else if (quantity !== undefined) this.setQuantity(selected, quantity);
  }

  /** Takes what was typed as a code, as if it had been scanned. */
  #lookUp(): void {
    const code = this.entry;
    this.entry = '';
    void this.scan(code);
  }

  /** Does something after all that came before, whatever became of that. */
  #inTurn(act: () => Promise<void>): Promise<void> {
    this.waiting++;
    const done = this.#turns.then(act).finally(() => this.waiting--);
    this.#turns = done.catch(() => undefined);
    return done;
  }

  /** Asks until somebody answers. */
  async #insisting<T>(ask: () => Promise<T>, away: () => void): Promise<T> {
    for (;;) {
      try {
        return await ask();
      } catch (failure) {
        if (!(failure instanceof Unreachable)) throw failure;
        away();
        await this.#resumed();
      }
    }
  }

  /**
   * The cart that was kept. It is asked for until it is told, and nothing is put in before: what is
   * kept next takes its place.
   */
  async #keptCart(): Promise<Operations['cart']['output']> {
    for (;;) {
      try {
        const kept = await this.#session.call('cart', {});
        this.trouble = undefined;
        return kept;
      } catch (failure) {
        const isTold = failure instanceof Refusal && failure.code !== 'signed_out';
        if (isTold) this.trouble = failure;
        const again = isTold && setTimeout(() => this.#goOn?.(), ASK_AGAIN_MS);
        await this.#resumed();
        if (again) clearTimeout(again);
      }
    }
  }

  /** Waits until it is worth asking the backend again. */
  async #resumed(): Promise<void> {
    await new Promise<void>((resolve) => (this.#goOn = resolve));
    this.#goOn = undefined;
  }

  /**
   * Pays the cart, if it is to be paid: the one way to a checkout. Whatever is put in until it is
   * answered waits for the next cart. Fails only if the approval is none; then nothing has changed.
   */
  async #pay(tendered: Tendered, approval?: Approval): Promise<void> {
    const { tender, given } = tendered;
    const due = tender === 'cash' ? this.cashTotal : this.total;
    const isOpen = this.mode === 'selling' || this.mode === 'paying';
    if (!this.canPay || due === undefined || !isOpen || this.underWay) return;
    // What was given may have been enough before more was put in: then more is asked for.
    const amount = given ?? due;
    if (amount < due) return this.beginPaying();
    const sending = this.#send(this.#checkoutOf({ tender, amount }, approval), tendered);
    const end = () => (this.#checkout = this.underWay = undefined);
    this.#checkout = sending.then(end, end);
    await sending;
  }

  /** The checkout of the cart as it is now. */
  #checkoutOf(payment: Payment, approval?: Approval): Checkout {
    const { id: requestId, lines, ...known } = this.cart.stored;
    return {
      requestId,
      lines: lines.map(({ product, quantity, scannedPrice, label }) => ({
        product,
        quantity,
        scannedPrice,
        ...(label === undefined ? {} : { label: label.code }),
      })),
      ...known,
      ...(approval === undefined ? {} : { approval }),
      // What costs nothing is paid with nothing.
      payments: this.total === 0 ? [] : [payment],
    };
  }

  /** Sends a checkout until it is answered. The same one sent twice is one sale. */
  async #send(checkout: Checkout, tendered: Tendered): Promise<void> {
    const attempt = async () => {
      this.underWay = { waits: false };
      // Nothing is sold that a crash could make forgotten.
      await this.#keeper.settled();
      return this.#session.call('checkout', checkout);
    };
    try {
      this.#finish(await this.#insisting(attempt, () => (this.underWay = { waits: true })));
    } catch (failure) {
      if (failure instanceof Refusal && failure.code === 'request_reused')
        return this.#sendAnew(checkout, tendered);
      this.phase = { is: 'selling' };
      if (isOfPin(failure)) throw failure;
      this.#refuse(failure, tendered);
    }
  }

  /**
   * The cart's id was used before. If it was for a sale of the cart as it was then, that receipt is
   * shown, and what is not on it stays in the cart. If it was for anything else, the cart was never
   * sold, and goes under an id of its own.
   */
  async #sendAnew(checkout: Checkout, tendered: Tendered): Promise<void> {
    const { requestId: receipt } = checkout;
    try {
      const found = await this.#insisting(
        () => this.#session.call('receipt', { receipt }),
        () => (this.underWay = { waits: true }),
      );
      if (found.kind === 'sale') return this.#finish(found, true);
    } catch (failure) {
      if (!(failure instanceof Refusal && failure.code === 'not_found')) {
        this.phase = { is: 'selling' };
        return this.#refuse(failure, tendered);
      }
    }
    this.cart.renew();
    await this.#send({ ...checkout, requestId: this.cart.id }, tendered);
  }

  #refuse(refusal: unknown, tendered: Tendered): void {
    this.entry = '';
    if (!(refusal instanceof Refusal)) throw refusal;
    warn();
    this.said = refusal.message;
    if (refusal.code === 'shift_closed') void this.#session.refresh();
    this.refused = tendered;
    this.trouble = this.cart.refuse(refusal) ? undefined : refusal;
    this.refresh();
  }

  #finish(receipt: PrintedReceipt, ofBefore = false): void {
    const { money } = this.#session;
    this.#forget();
    this.last = receipt;
    if (ofBefore) this.cart.keepUnsold(receipt.lines);
    else this.cart.begin();
    this.phase = { is: 'done', receipt, ofBefore };
    if (ofBefore) warn();
    this.said =
      receipt.change > 0
        ? `Sold. Change ${money.text(receipt.change)}.`
        : `Sold for ${money.text(receipt.gross)}.`;
  }

  /** Whatever is put in next belongs to a cart that is open. */
  #begin(): void {
    if (this.phase.is === 'done' || this.phase.is === 'paying') this.phase = { is: 'selling' };
    // What is in the drawer has nothing to do with what is scanned meanwhile.
    if (this.mode !== 'opening') this.entry = '';
  }

  /** Puts a product in. First it is kept, then shown: what stands in the cart survives a crash. */
  async #put(product: ProductOnHand, label?: Label): Promise<void> {
    const id = freshId();
    this.#keeper.keep(this.cart.storedWith(product, id, label));
    // If it cannot be kept, that is told, and it is shown all the same.
    await this.#keeper.settled().catch(() => undefined);
    const line = this.cart.add(product, id, label);
    this.trouble = undefined;
    const { money } = this.#session;
    this.said = `${line.name}, ${money.text(label?.price ?? line.scannedPrice)}`;
  }

  /** Finds out what a code stands for; if nobody can say yet, it waits. */
  async #resolve(stray: Stray): Promise<void> {
    const late = setTimeout(() => this.cart.addStray(stray), LOOK_UP_MS);
    const { code } = stray;
    const found = await this.#session.call('scan', { code }).catch(() => undefined);
    clearTimeout(late);
    if (stray.isRemoved) return;
    if (found?.kind === 'product') {
      await this.#put(found.product, found.label);
      return this.cart.remove(stray);
    }
    this.cart.addStray(stray);
    if (!found) return;
    if (found.kind === 'unusable_label') {
      stray.state = 'unusable';
      stray.advice = found.message;
      this.#object(found.message);
    } else {
      stray.state = found.kind === 'unknown' ? 'unknown' : 'misread';
      this.#object(`No product has the code ${code}.`);
    }
  }

  async #knowProducts(): Promise<void> {
    // One after the other: a long cart must not keep the next scan waiting.
    for (const code of this.cart.wanted.keys()) {
      try {
        this.cart.know(await this.#session.call('product', { code }));
      } catch {
        // What was known of it stays.
      }
    }
  }

  async #knowRecent(): Promise<void> {
    try {
      this.recent = await this.#session.call('recently_sold', {});
    } catch {
      // What was known stays.
    }
  }

  /** Whether the entry may be continued like this. */
  #canType(text: string): boolean {
    const isQuantity = this.mode === 'selling';
    const decimals = isQuantity ? 3 : this.#session.money.decimals;
    // Digits that make no sense are not taken: an amount that is cut off by the screen misleads.
    const [{ length: whole } = '', places] = text.split('.');
    const most = String(Math.trunc(this.#mostGiven / 10 ** decimals)).length;
    if (this.mode === 'paying' && whole > most) return false;
    // Only a line has a part of a quantity.
    if (isQuantity && places !== undefined && !(this.cart.selected instanceof Line)) return false;
    if (isQuantity && places !== undefined && whole > MAX_QUANTITY_DIGITS) return false;
    return parseDecimal(text, decimals) !== undefined && (decimals > 0 || !text.includes('.'));
  }
}
