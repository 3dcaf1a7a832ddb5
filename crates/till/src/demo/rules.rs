//! What the demo shop has of every rule beyond stock and purchase limits: a kit, an age rule, cheese
//! by weight, a promotion, coupons, credit and a gift card.

use pos::{
    AddProduct, AssignBarcode, BasisPoints, BusinessDay, CloseShift, CouponId, CustomerId,
    DefineKit, DefinePromotion, DeliveryLine, Discount, GiftCardId, Gtin, IssueCoupons,
    IssueGiftCard, KitComponent, Money, OpenShift, PaidIn, ProductId, Promotion, PromotionId,
    Quantity, ReceiveStock, SetAgeRule, SetCreditLimit, ShiftId, Tender,
};

use super::{once, step_id};
use crate::{Till, TillError};

/// A basket of three products from the shelf, at a price of its own.
const KIT: &str = "TEA-FOR-TWO";
/// The only product that is not for everybody.
const GIN: &str = "SLOE-GIN";
/// What is sold by weight, at a price for a kilogram.
const CHEESE: &str = "CHEDDAR";
const MUG: &str = "21874"; // Gin and Tonic Mug

/// Lets all of it happen, and tells how many of its steps happened now.
pub(super) fn make(till: &Till, customer: &CustomerId) -> Result<u64, TillError> {
    let mut made = 0;
    let mut count = |happened: bool| made += u64::from(happened);
    count(once(till, "gin", &product(GIN, "Sloe Gin Miniature", 795, 410, true))?);
    count(once(till, "gin delivery", &ReceiveStock { lines: vec![delivery(GIN, 24)] })?);
    count(once(till, "gin age", &SetAgeRule { product: sku(GIN), minimum_age: Some(18) })?);

    count(once(till, "kit", &product(KIT, "Tea for Two Gift Basket", 995, 0, false))?);
    let components = [("21868", 2), ("22348", 2), ("21035", 1)];
    let part = |(id, count)| KitComponent { product: sku(id), quantity: pieces(count) };
    let components = components.into_iter().map(part).collect();
    count(once(till, "kit parts", &DefineKit { kit: sku(KIT), components })?);

    let today = till.settings()?.map(|settings| settings.business_day(till.clock().now()));
    if let Some(today) = today {
        count(once(till, "promotion", &mug_days(today))?);
        count(once(till, "coupons", &coupons(today))?);
    }
    count(once(till, "cheese", &product(CHEESE, "Mature Cheddar, per kg", 1_850, 1_060, true))?);
    count(once(till, "cheese delivery", &ReceiveStock { lines: vec![delivery(CHEESE, 12)] })?);
    for (step, number) in
        [("cheese by weight", "2100001000004"), ("cheese by price", "2300001000008")]
    {
        let barcode = Gtin::new(number).expect("the demo's cheese has the numbers of a scale");
        count(once(till, step, &AssignBarcode { product: sku(CHEESE), barcode })?);
    }
    let credit = SetCreditLimit { customer: customer.clone(), limit: Money::new(20_000) };
    count(once(till, "credit", &credit)?);
    count(gift_card(till)?);
    Ok(made)
}

/// A gift card of 25.00, sold in a shift of its own, so that no drawer is missing anything.
fn gift_card(till: &Till) -> Result<bool, TillError> {
    let (open, sell, close) = ("gift card shift", "gift card", "gift card shift's end");
    let is_ours = |shift: &ShiftId| *shift == ShiftId::from(step_id(open));
    let shift = till.current_shift()?;
    if till.has_done(step_id(close))? || shift.is_some_and(|open| !is_ours(&open.shift)) {
        return Ok(false);
    }
    once(till, open, &OpenShift { float: Money::ZERO })?;
    let paid = PaidIn { tender: Tender::Card, amount: Money::new(2_500), reference: None };
    let card = GiftCardId::new("GIFT-2500").expect("the demo's gift card has an id");
    let is_new = once(till, sell, &IssueGiftCard { card, paid })?;
    let shift = ShiftId::from(step_id(open));
    once(till, close, &CloseShift::counted(shift, Money::ZERO))?;
    Ok(is_new)
}

/// A tenth off a mug, for thirty days, a hundred times, once for each customer.
fn mug_days(today: BusinessDay) -> DefinePromotion {
    let terms = Promotion {
        name: "Mug days".into(),
        discount: Discount::Percent(BasisPoints::new(1_000)),
        product: Some(sku(MUG)),
        from: today,
        until: in_thirty_days(today),
        uses: Some(100),
        uses_per_customer: Some(1),
    };
    let promotion = PromotionId::new("MUGDAYS").expect("the demo's promotion has an id");
    DefinePromotion { promotion, terms }
}

/// Five coupons of 2.00 each.
fn coupons(today: BusinessDay) -> IssueCoupons {
    let code = |n| CouponId::new(&format!("TWO-OFF-{n}")).expect("the demo's coupons have ids");
    IssueCoupons {
        coupons: (1..=5).map(code).collect(),
        discount: Discount::Amount(Money::new(200)),
        product: None,
        until: Some(in_thirty_days(today)),
    }
}

fn in_thirty_days(day: BusinessDay) -> BusinessDay {
    day.checked_add_days(30).unwrap_or(day)
}

fn product(id: &str, name: &str, price: i64, cost: i64, stocked: bool) -> AddProduct {
    AddProduct {
        sku: sku(id),
        name: name.into(),
        category: "Gifts".into(),
        price: Money::new(price),
        cost: Money::new(cost),
        tax_rate: BasisPoints::new(2_000),
        stocked,
        barcode: None,
    }
}

fn delivery(id: &str, count: i64) -> DeliveryLine {
    DeliveryLine { product: sku(id), quantity: pieces(count), cost: None }
}

fn pieces(count: i64) -> Quantity {
    Quantity::units(count).expect("the demo has few of anything")
}

fn sku(id: &str) -> ProductId {
    ProductId::new(id).expect("the demo's products have ids")
}
