//! Checkout: a cart becomes a sale, or nothing at all.
//!
//! What a sale depends on is what its cart needs and no more: the till's shift and receipt series;
//! of each distinct product its [`goods`]; the promotions, coupons and points that are used as
//! [`reductions`]; and the gift cards and the account that pay. Tills that sell different products
//! never wait for each other.

mod goods;
mod reductions;

use dcb::DecisionProjection;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use self::goods::{Goods, GoodsModel, GoodsState};
use self::reductions::{ReductionsModel, ReductionsState};
use crate::age;
use crate::barcode::Gtin;
use crate::catalogue::Product;
use crate::command::{Command, Context};
use crate::discounts::GivenDiscount;
use crate::event::{AgeChecked, PointsEarned, ProductSold, Recorded, SaleCompleted, ShopEvent};
use crate::ids::{CouponId, CustomerId, ProductId, PromotionId, SaleId, SeriesId};
use crate::input::{self, MAX_NOTE_CHARS, MAX_TEXT_CHARS};
use crate::labels::Label;
use crate::money::{Amounts, Money, Quantity};
use crate::payment::{self, Funds, FundsModel, Payment};
use crate::people::{is_known, must_be_known};
use crate::permission::Permission;
use crate::pricing::Pricing;
use crate::receipt::{Receipt, last_number_in};
use crate::refusal::Refusal;
use crate::shift::{OpenShiftState, shift_of};

/// Sells a cart at the till. The sale is called by the request's id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkout {
    /// What is sold, at most [`MAX_LINES`](crate::MAX_LINES) lines. They keep their order, and the
    /// same product may be on several.
    pub lines: Vec<CheckoutLine>,
    /// To whom, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub customer: Option<CustomerId>,
    /// The promotions that are used, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<PromotionId>>")]
    pub promotions: Vec<PromotionId>,
    /// A discount on the whole sale, on what lines and promotions leave of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub discount: Option<GivenDiscount>,
    /// The coupons that are redeemed, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<CouponId>>")]
    pub coupons: Vec<CouponId>,
    /// How many of the customer's points are redeemed; none unless told otherwise.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[ts(optional, type = "number")]
    pub redeem_points: i64,
    /// How it is paid, at most [`MAX_PAYMENTS`](crate::MAX_PAYMENTS).
    pub payments: Vec<Payment>,
    /// The age in years that the customer has at least, if somebody made sure of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub age_checked: Option<u8>,
    /// Whether to sell what lies on the counter although none should be left. It needs permission.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(optional, as = "Option<bool>")]
    pub override_stock: bool,
    /// What it is called elsewhere, such as an invoice number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reference: Option<String>,
    /// A note of the cashier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub note: Option<String>,
}

/// A line of a cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckoutLine {
    /// The product.
    pub product: ProductId,
    /// How much; positive, at most [`Quantity::MAX_LINE`]. Kits are sold whole.
    pub quantity: Quantity,
    /// The price of one unit to charge, if it is not the one in the catalogue; at most
    /// [`Money::MAX_PRICE`]. Another price needs permission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub price: Option<Money>,
    /// The price of one unit in the catalogue when it was scanned. If it changed since, it is
    /// honoured for a while; without it the price now is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub scanned_price: Option<Money>,
    /// The code on the label of what was weighed before. Then `quantity` is what that says, and if
    /// it holds a price, the line comes to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub label: Option<Gtin>,
    /// A discount on this line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub discount: Option<GivenDiscount>,
}

impl CheckoutLine {
    /// A line of which no more is to be said.
    pub fn new(product: ProductId, quantity: Quantity) -> Self {
        Self { product, quantity, price: None, scanned_price: None, label: None, discount: None }
    }

    /// What its label says, if it has one.
    fn read_label(
        &self,
        product: &Product,
        unit_price: Money,
        context: &Context<'_>,
    ) -> Result<Option<Label>, Refusal> {
        let Some(code) = &self.label else { return Ok(None) };
        let label = Label::read(code, product, unit_price, context.settings()?.scale_codes)?;
        label.covers(product, self.quantity)?;
        Ok(Some(label))
    }
}

fn is_zero(points: &i64) -> bool {
    *points == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// What a checkout must know: the shift and the last receipt number; the goods; what makes it
/// cheaper; what pays for it; and whether there is such a customer, if it is for one.
pub(crate) type CheckoutModel = (
    DecisionProjection<OpenShiftState>,
    DecisionProjection<u64>,
    GoodsModel,
    ReductionsModel,
    FundsModel,
    Vec<DecisionProjection<bool>>,
);
type CheckoutState = (OpenShiftState, u64, GoodsState, ReductionsState, Funds, Vec<bool>);

impl Command for Checkout {
    const NAME: &'static str = "checkout";
    const PERMISSION: Permission = Permission::Sell;
    type Model = CheckoutModel;
    type Answer = Receipt;

    fn model(&self, context: &Context<'_>) -> Result<CheckoutModel, Refusal> {
        self.check()?;
        Ok((
            shift_of(&context.till),
            last_number_in(&SeriesId::from(&context.till)),
            Goods::of(self, context)?.model(context)?,
            reductions::model(self, context),
            payment::funds_model(&self.payments, self.customer.as_ref()),
            self.customer.iter().map(is_known).collect(),
        ))
    }

    fn decide(
        &self,
        (shift, last_number, known, reductions, funds, customers): &CheckoutState,
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let shift = shift.open()?;
        customers.iter().try_for_each(|is_known| must_be_known(*is_known))?;
        let settings = context.settings()?;
        let sale = SaleId::from(context.request_id);
        let goods = Goods::of(self, context)?;
        let overridden = goods.allow(known, &sale, context)?;
        let mut sold = self.lines_at(&goods, known, &sale, context)?;
        let mut pricing = priced(&sold)?;
        let reduced = reductions::apply(self, &mut pricing, reductions, &sale, context)?;
        settle_lines(&mut sold, &pricing, context)?;
        let total = Amounts::checked_sum(sold.iter().map(ProductSold::amounts))
            .ok_or_else(input::overflow)?;
        let settled = payment::settle(&self.payments, total.gross, settings)?;
        let drawn = payment::draw(&self.payments, self.customer.as_ref(), funds, &sale, settings)?;
        let completed = SaleCompleted {
            sale: sale.clone(),
            series: SeriesId::from(&context.till),
            number: last_number.saturating_add(1),
            till: context.till.clone(),
            shift: shift.clone(),
            cashier: context.user.clone(),
            customer: self.customer.clone(),
            tax_mode: settings.tax_mode,
            tax_rounding: settings.tax_rounding,
            lines: input::count(sold.len()),
            payments: input::count(settled.parts.len()),
            gross: total.gross,
            net: total.net,
            tax: total.tax,
            rounding: settled.rounding,
            paid: settled.paid,
            change: settled.change,
            reference: self.reference.clone(),
            note: self.note.clone(),
        };
        let mut events = vec![completed.into()];
        for line in sold {
            let parts = goods.parts_taken(&line)?;
            events.push(line.into());
            events.extend(parts);
        }
        let taken = settled.parts.into_iter().map(|part| part.taken(&sale, shift).into());
        events.extend(taken);
        events.extend(reduced);
        events.extend(drawn);
        events.extend(overridden);
        events.extend(self.age_checked.map(|age| AgeChecked { sale: sale.clone(), age }.into()));
        events.extend(self.points_earned(&sale, total.gross, context)?);
        Ok(events)
    }

    fn answer(recorded: &[Recorded]) -> Option<Receipt> {
        Receipt::of(recorded)
    }
}

impl Checkout {
    fn check(&self) -> Result<(), Refusal> {
        input::lines(self.lines.len())?;
        for (index, line) in self.lines.iter().enumerate() {
            input::moved(line.quantity)
                .and_then(|()| line.price.map_or(Ok(()), input::price))
                .and_then(|()| line.scanned_price.map_or(Ok(()), input::price))
                .and_then(|()| match (&line.price, &line.label) {
                    (Some(_), Some(_)) => Err(input::invalid(
                        "A line has a label or a price of its own, not both. Leave one out.",
                    )),
                    _ => Ok(()),
                })
                .and_then(|()| line.discount.as_ref().map_or(Ok(()), GivenDiscount::check))
                .map_err(|r| r.product(&line.product).line(input::line_number(index)))?;
        }
        reductions::check(self)?;
        payment::check(&self.payments, self.customer.as_ref())?;
        self.age_checked.map_or(Ok(()), age::check)?;
        input::optional("reference", self.reference.as_deref(), MAX_TEXT_CHARS)?;
        input::optional("note", self.note.as_deref(), MAX_NOTE_CHARS)
    }

    /// The lines at the prices that are charged, before anything is taken off.
    fn lines_at(
        &self,
        goods: &Goods<'_>,
        known: &GoodsState,
        sale: &SaleId,
        context: &Context<'_>,
    ) -> Result<Vec<ProductSold>, Refusal> {
        let mut sold = Vec::with_capacity(self.lines.len());
        for (index, line) in self.lines.iter().enumerate() {
            let line_number = input::line_number(index);
            let Some((product, price)) = goods.priced(&line.product, known) else { continue };
            let list_price = price
                .offer(product, line.scanned_price, context)
                .map_err(|refusal| refusal.line(line_number))?;
            if line.price.is_some_and(|price| price != list_price) {
                context.permit(Permission::OverridePrice).map_err(|r| r.line(line_number))?;
            }
            let label = line
                .read_label(product, list_price, context)
                .map_err(|refusal| refusal.line(line_number))?;
            sold.push(ProductSold {
                sale: sale.clone(),
                line: line_number,
                product: product.id.clone(),
                customer: self.customer.clone(),
                quantity: line.quantity,
                unit_price: line.price.unwrap_or(list_price),
                list_price,
                label_price: label.and_then(|label| label.price),
                discount: Money::ZERO,
                gross: Money::ZERO,
                net: Money::ZERO,
                tax: Money::ZERO,
                tax_rate: product.tax_rate,
            });
        }
        Ok(sold)
    }

    /// The points that the sale earns its customer.
    fn points_earned(
        &self,
        sale: &SaleId,
        total: Money,
        context: &Context<'_>,
    ) -> Result<Option<ShopEvent>, Refusal> {
        let loyalty = context.settings()?.loyalty.as_ref();
        let earned = self.customer.clone().zip(loyalty).map(|(customer, loyalty)| PointsEarned {
            customer,
            sale: sale.clone(),
            points: loyalty.earned_by(total),
        });
        Ok(earned.filter(|earned| earned.points > 0).map(ShopEvent::from))
    }
}

/// The lines, each with what its label says, or its price times its quantity.
fn priced(sold: &[ProductSold]) -> Result<Pricing, Refusal> {
    let mut pricing = Pricing::default();
    for line in sold {
        let (price, quantity) = match line.label_price {
            Some(price) => (price, Quantity::UNIT),
            None => (line.unit_price, line.quantity),
        };
        pricing
            .push(price, quantity, line.tax_rate)
            .ok_or_else(|| input::overflow().product(&line.product).line(line.line))?;
    }
    Ok(pricing)
}

/// Writes into each line what was taken off it and what it comes to.
fn settle_lines(
    sold: &mut [ProductSold],
    pricing: &Pricing,
    context: &Context<'_>,
) -> Result<(), Refusal> {
    let settings = context.settings()?;
    let amounts = pricing.amounts(settings.tax_mode, settings.tax_rounding);
    let amounts = amounts.ok_or_else(input::overflow)?;
    for (index, (line, Amounts { gross, net, tax })) in sold.iter_mut().zip(amounts).enumerate() {
        line.discount = pricing.discount(index);
        (line.gross, line.net, line.tax) = (gross, net, tax);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
