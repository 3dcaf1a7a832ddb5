//! The rules of a shop: what may happen in it, decided by what has happened.
//!
//! Everything that happens is an [event]: a product was sold, a delivery came, a
//! shift was closed. Everything that is to happen is a [`Command`]: it says which events it depends
//! on and decides, from those alone, which new events it is or which rule refuses it. [`execute`]
//! carries a command out once, on the condition that nothing it depends on has changed meanwhile.
//! So rules hold across any number of tills without a lock between them, and tills that have
//! nothing to do with each other never wait.
//!
//! # A sale and a refusal
//!
//! ```
//! use dcb::{Followed, MemoryStore};
//! use pos::*;
//! use uuid::Uuid;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let mut settings = Followed::new(Settings::default());
//! let mut catalogue = Followed::new(Catalogue::default());
//! let mut shifts = Followed::new(OpenShifts::default());
//! let t1 = TillId::new("T1")?;
//!
//! // The till gives each command a context; the command does the rest.
//! macro_rules! act {
//!     ($command:expr) => {{
//!         settings.catch_up(&store)?;
//!         catalogue.catch_up(&store)?;
//!         shifts.catch_up(&store)?;
//!         let context = Context {
//!             request_id: Uuid::now_v7(),
//!             at: "2026-03-02T10:00:00Z".parse()?,
//!             till: t1.clone(),
//!             user: UserId::new("ann")?,
//!             authority: Authority::owner(),
//!             journal: None,
//!             settings: settings.view().current(),
//!             catalogue: catalogue.view(),
//!             shift: shifts.view().at(&t1).map(|open| open.shift.clone()),
//!         };
//!         execute(&store, &$command, &context)
//!     }};
//! }
//!
//! // A shop with two cartons of milk at 1.20, and an open till.
//! let milk = ProductId::new("MILK")?;
//! act!(ConfigureShop(ShopSettings::new(
//!     "Corner shop",
//!     Currency::new("GBP")?,
//!     Zone::new("Europe/London")?,
//!     CutOver::new("04:00")?,
//!     TaxMode::Included,
//! )))?;
//! act!(AddProduct {
//!     sku: milk.clone(),
//!     name: "Milk".into(),
//!     category: "Dairy".into(),
//!     price: Money::new(120),
//!     cost: Money::new(70),
//!     tax_rate: BasisPoints::new(2000),
//!     stocked: true,
//!     barcode: Gtin::in_store(1),
//! })?;
//! let two = Quantity::new(2000);
//! let line = DeliveryLine { product: milk.clone(), quantity: two, cost: None };
//! act!(ReceiveStock { lines: vec![line] })?;
//! act!(OpenShift { float: Money::new(5000) })?;
//!
//! // Two cartons, paid with a fiver.
//! let sale = Checkout {
//!     lines: vec![CheckoutLine::new(milk, two)],
//!     payments: vec![Payment::new(Tender::Cash, Money::new(500))],
//!     ..Checkout::default()
//! };
//! let receipt = act!(sale)?.answer;
//! assert_eq!(receipt.receipt.as_str(), "T1-1");
//! assert_eq!((receipt.gross, receipt.tax, receipt.change), (Money::new(240), Money::new(40), Money::new(260)));
//!
//! // There is no third: the refusal says so, what to do, and which events decided it.
//! let Err(Rejected::Refused { refusal, .. }) = act!(sale) else { panic!("there is no milk") };
//! assert_eq!(refusal.code, RefusalCode::OutOfStock);
//! assert_eq!(refusal.message, "Sold out: Milk. Remove it.");
//! assert_eq!(refusal.details.because.positions().len(), 2); // the delivery and the sale
//! # Ok(())
//! # }
//! ```
//!
//! # Where things are
//!
//! Each rule lives in one file with its state, its commands and its tests: settings, catalogue,
//! prices, limits, age, stock, kits, labels, shift, drawer, people, staff, permission; discounts,
//! promotions, coupons, loyalty; gift cards, credit. Checkout composes them, pricing says what a
//! cart comes to, and refunds undo it. Below them are the vocabulary (money, calendar, ids, barcode,
//! event) and the one way in (command). Views for reading ([`Catalogue`],
//! [`StockOnHand`], [`OpenShifts`], [`Sales`], [`Settings`]) stand in the file of what they show.
//!
//! # What is deliberately absent
//!
//! No I/O, no clock and no chance: time and ids come in with the [`Context`]; only an event's own id
//! in its metadata is made with the event. No floats, and no
//! arithmetic on money that is not checked. No names of people but in `private` objects of events.

#![warn(clippy::float_arithmetic, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test may fail by panicking"))]

mod age;
mod barcode;
mod calendar;
mod catalogue;
mod checkout;
mod command;
mod coupons;
mod credit;
mod discounts;
mod drawer;
pub mod event;
mod gift_cards;
mod ids;
mod input;
mod kits;
mod labels;
mod limits;
mod loyalty;
mod money;
mod payment;
mod people;
mod permission;
mod prices;
mod pricing;
mod products;
mod promotions;
mod receipt;
mod refund;
mod refund_sale;
mod refusal;
mod sales;
mod settings;
mod shift;
mod staff;
mod stock;
#[cfg(test)]
mod testing;
mod totals;

pub use age::{MAX_AGE, SetAgeRule};
pub use barcode::{Gtin, InvalidBarcode};
pub use calendar::{BusinessDay, CutOver, InvalidCutOver, InvalidZone, When, Zone};
pub use catalogue::{Catalogue, Product};
pub use checkout::{Checkout, CheckoutLine};
pub use command::{Command, Context, Done, Rejected, execute, record_refusal};
pub use coupons::{IssueCoupons, VoidCoupon};
pub use credit::{Account, BounceAccountPayment, PayAccount, SetCreditLimit};
pub use discounts::{Discount, GivenDiscount};
pub use drawer::{CashWay, DropCash, MoveCash};
pub use event::{Recorded, ShopEvent};
pub use gift_cards::{BlockGiftCard, CancelGiftCardTopUp, GiftCard, IssueGiftCard, TopUpGiftCard};
pub use ids::{
    CouponId, CustomerId, GiftCardId, InvalidId, MAX_ID_CHARS, MAX_TILL_CHARS, ProductId,
    PromotionId, ReceiptId, RefundId, SaleId, SeriesId, ShiftId, TillId, UserId, request_tag,
};
pub use input::{MAX_LINES, MAX_NOTE_CHARS, MAX_TEXT_CHARS};
pub use kits::{DefineKit, KitComponent, MAX_COMPONENTS};
pub use labels::{Label, ScaleCodes};
pub use limits::{Limit, SetLimit};
pub use loyalty::{Loyalty, Points};
pub use money::{
    Amounts, BasisPoints, Currency, InvalidCoin, InvalidCurrency, Money, Quantity, SmallestCoin,
    TaxMode, TaxRounding,
};
pub use payment::{MAX_PAYMENTS, PaidIn, Payment, Tender};
pub use people::{AddCustomer, AddCustomers, CustomerFromElsewhere, CustomerMade};
pub use permission::{Authority, ChangeRole, Granted, Permission, Rights, Role};
pub use prices::ChangePrice;
pub use products::{AddProduct, AddProducts, AssignBarcode, MAX_PRODUCTS_AT_ONCE, ReleaseBarcode};
pub use promotions::{DefinePromotion, Promotion};
pub use receipt::{
    Receipt, ReceiptLine, ReceiptPayment, ReducedBy, Reduction, RefundReceipt, RefundReceiptLine,
};
pub use refund::{Refund, RefundLine};
pub use refund_sale::{LineReturned, RefundSale, Refundable, RefundableLine};
pub use refusal::{Evidence, NextAction, Refusal, RefusalCode, RefusalDetails};
pub use sales::{Sales, SalesBy, SalesReport, SalesRow};
pub use settings::{ConfigureShop, Settings, ShopSettings, TillSettings};
pub use shift::{CloseShift, OpenShift, OpenShifts, Shift, ShiftResult, ShiftStarted};
pub use staff::{
    AddStaff, NameHash, NameKey, RemoveStaff, SetStaffRole, Staff, StaffMade, StaffMember,
};
pub use stock::{AdjustStock, CountResult, CountStock, DeliveryLine, ReceiveStock, StockOnHand};
pub use totals::{ShiftTotals, TenderTotal};
