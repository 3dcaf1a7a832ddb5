//! Refund with a receipt: what was sold comes back, line by line, at what was paid for it, to where
//! the money came from. Points, promotions and the customer's limits are given back with it.

use std::collections::{BTreeMap, HashSet};

use dcb::{DecisionProjection, EventRef, EventStore, Query, StoreError, build_decision_model};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::calendar::{BusinessDay, When};
use crate::command::{Command, Context};
use crate::drawer::{self, CashModel};
use crate::event::{
    AccountCredited, GiftCardCredited, PaymentRefunded, PaymentTaken, PointsReturned,
    PointsReversed, ProductReturned, ProductSold, PromotionApplied, PromotionReturned, Recorded,
    RefundCompleted, SaleCompleted, ShopEvent, StockReturned, StockTaken,
};
use crate::gift_cards::{BlockedCards, blocked_cards};
use crate::ids::{ProductId, PromotionId, RefundId, SaleId, SeriesId, ShiftId};
use crate::input::{self, MAX_TEXT_CHARS};
use crate::money::{Amounts, Money, Quantity};
use crate::payment::Tender;
use crate::permission::Permission;
use crate::receipt::{RefundReceipt, last_number_in};
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};
use crate::shift::{OpenShiftState, shift_of};

/// Takes back what a sale sold, with its receipt. The refund is called by the request's id.
///
/// Each line is paid back at its share of what was paid for it, so that all of its parts come to
/// exactly that. The money goes back to the payments of the sale, to each at most what it took, to
/// cash last. So no more goes out than came in, and whoever may sell may do this; what comes back
/// without a receipt takes a permission of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefundSale {
    /// The sale.
    pub sale: SaleId,
    /// What comes back: at most [`MAX_LINES`](crate::MAX_LINES) lines of the sale, each once.
    pub lines: Vec<LineReturned>,
    /// Why; may be empty.
    pub reason: String,
    /// What it is called elsewhere, such as a credit note's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reference: Option<String>,
}

/// A line of a sale that comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LineReturned {
    /// Which line of the sale, from 1.
    pub line: u32,
    /// How much of it; positive, and at most what was not refunded yet.
    pub quantity: Quantity,
    /// Whether it goes back on the shelf; true unless told otherwise. Services never do.
    #[serde(default = "yes")]
    #[ts(optional, as = "Option<bool>")]
    pub restock: bool,
}

fn yes() -> bool {
    true
}

/// A sale, and what was refunded of it.
#[derive(Clone, Debug, Default)]
pub struct SaleSoFar {
    sale: Option<(SaleCompleted, BusinessDay)>,
    lines: BTreeMap<u32, LineSoFar>,
    payments: Vec<PaymentSoFar>,
    promotions: Vec<PromotionApplied>,
    promotions_returned: HashSet<PromotionId>,
    points_earned: PointsSoFar,
    points_redeemed: PointsSoFar,
    refunded: i64,
    evidence: Evidence,
}

#[derive(Clone, Debug)]
struct LineSoFar {
    sold: ProductSold,
    /// What left the shelf with it, if it is a kit.
    parts: Vec<StockTaken>,
    /// What is left to be refunded.
    quantity: Quantity,
    amounts: Amounts,
}

#[derive(Clone, Debug)]
struct PaymentSoFar {
    taken: PaymentTaken,
    /// What is left to be paid back.
    left: Money,
}

/// Points that a sale earned or cost, and how many of them refunds have undone.
#[derive(Clone, Copy, Debug, Default)]
struct PointsSoFar {
    all: i64,
    undone: i64,
}

/// A sale and its refunds: only another refund of it conflicts.
fn sale_so_far(sale: &SaleId) -> DecisionProjection<SaleSoFar> {
    DecisionProjection::new(SaleSoFar::default(), Query::tagged([], sale.tag()), SaleSoFar::take)
        .conflicts_with(Query::tagged([RefundCompleted::TYPE], sale.tag()))
}

impl SaleSoFar {
    fn take(&mut self, event: &EventRef<'_>) {
        match ShopEvent::decode(event) {
            Some(ShopEvent::SaleCompleted(e)) => {
                self.sale = When::of(event).map(|when| (e, when.business_day));
            }
            Some(ShopEvent::ProductSold(sold)) => {
                let (quantity, amounts) = (sold.quantity, sold.amounts());
                let line = LineSoFar { parts: Vec::new(), quantity, amounts, sold };
                self.lines.insert(line.sold.line, line);
                return;
            }
            Some(ShopEvent::StockTaken(e)) => {
                let line = self.lines.get_mut(&e.line);
                line.into_iter().for_each(|line| line.parts.push(e.clone()));
                return;
            }
            Some(ShopEvent::PaymentTaken(taken)) => {
                let left = taken.amount;
                self.payments.push(PaymentSoFar { taken, left });
                return;
            }
            Some(ShopEvent::PromotionApplied(e)) => self.promotions.push(e),
            Some(ShopEvent::PromotionReturned(e)) => {
                self.promotions_returned.insert(e.promotion);
            }
            Some(ShopEvent::PointsEarned(e)) => self.points_earned.all = e.points,
            Some(ShopEvent::PointsRedeemed(e)) => self.points_redeemed.all = e.points,
            Some(ShopEvent::PointsReversed(e)) => self.points_earned.undo(e.points),
            Some(ShopEvent::PointsReturned(e)) => self.points_redeemed.undo(e.points),
            Some(ShopEvent::RefundCompleted(e)) => {
                self.refunded = self.refunded.saturating_add(e.gross.minor());
            }
            Some(ShopEvent::ProductReturned(e)) => {
                let line = e.sold_line.and_then(|line| self.lines.get_mut(&line));
                line.into_iter().for_each(|line| line.give(e.quantity, e.amounts()));
                return;
            }
            Some(ShopEvent::PaymentRefunded(e)) => {
                let payment = e.payment.and_then(|number| self.payments.get_mut(index_of(number)));
                if let Some(payment) = payment {
                    payment.left = payment.left.checked_sub(e.amount).unwrap_or_default();
                }
                return;
            }
            _ => return,
        }
        self.evidence.push(event.position);
    }

    fn known(&self, sale: &SaleId) -> Result<&(SaleCompleted, BusinessDay), Refusal> {
        self.sale.as_ref().ok_or_else(|| {
            let message =
                format!("There is no sale {sale}. Correct it, or refund without receipt.");
            Refusal::new(RefusalCode::SaleUnknown, message).action(NextAction::CorrectInput)
        })
    }

    /// How many of these points a refund undoes: all of them if nothing is left of the sale, else
    /// in proportion to what was refunded by now.
    fn points_to_undo(&self, points: PointsSoFar, now: Money, is_all: bool) -> i64 {
        let gross = self.sale.as_ref().map_or(Money::ZERO, |(sale, _)| sale.gross);
        let refunded = i128::from(self.refunded).saturating_add(now.minor().into());
        let share = i128::from(points.all).saturating_mul(refunded);
        let share = share.checked_div(gross.minor().into()).and_then(|n| i64::try_from(n).ok());
        let undone = if is_all { points.all } else { share.unwrap_or_default() };
        undone.saturating_sub(points.undone).max(0)
    }
}

impl PointsSoFar {
    fn undo(&mut self, points: i64) {
        self.undone = self.undone.saturating_add(points);
    }
}

impl LineSoFar {
    fn give(&mut self, quantity: Quantity, amounts: Amounts) {
        self.quantity = self.quantity.saturating_sub(quantity);
        self.amounts = self.amounts.checked_sub(amounts).unwrap_or_default();
    }

    /// What so much of what is left comes to. The last of it takes all that is left.
    fn share(&self, quantity: Quantity) -> Option<Amounts> {
        let (count, whole) = (quantity.thousandths(), self.quantity.thousandths());
        let gross = self.amounts.gross.parts(count, whole)?;
        let tax = self.amounts.tax.parts(count, whole)?;
        Some(Amounts { gross, net: gross.checked_sub(tax)?, tax })
    }

    /// What goes back on the shelf of each part of a kit; it comes back whole.
    fn parts_of(&self, quantity: Quantity) -> Result<Vec<(ProductId, Quantity)>, Refusal> {
        if !self.parts.is_empty() && quantity.whole_units().is_none() {
            let message = "A kit comes back whole. Correct the quantity.";
            return Err(Refusal::new(RefusalCode::QuantityOutOfBounds, message)
                .action(NextAction::CorrectInput));
        }
        let of_sold = |part: &StockTaken| {
            let all = i128::from(part.quantity.thousandths());
            let returned = all.checked_mul(quantity.thousandths().into())?;
            let returned = returned.checked_div(self.sold.quantity.thousandths().into())?;
            Some((part.product.clone(), Quantity::new(i64::try_from(returned).ok()?)))
        };
        self.parts.iter().map(|part| of_sold(part).ok_or_else(input::overflow)).collect()
    }
}

/// Where the payment with this number, from 1, stands.
fn index_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1)
}

impl Command for RefundSale {
    const NAME: &'static str = "refund_sale";
    const PERMISSION: Permission = Permission::Sell;
    type Model = (
        DecisionProjection<OpenShiftState>,
        DecisionProjection<u64>,
        DecisionProjection<SaleSoFar>,
        CashModel,
        DecisionProjection<BlockedCards>,
    );
    type Answer = RefundReceipt;

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::lines(self.lines.len())?;
        let mut seen = HashSet::new();
        for LineReturned { line, quantity, .. } in &self.lines {
            input::moved(*quantity).map_err(|refusal| refusal.line(*line))?;
            if !seen.insert(line) {
                return Err(input::invalid("A line comes back once. Add it up.").line(*line));
            }
        }
        input::optional("reason", Some(&self.reason), MAX_TEXT_CHARS)?;
        input::optional("reference", self.reference.as_deref(), MAX_TEXT_CHARS)?;
        let series = SeriesId::from(&context.till);
        let sale = sale_so_far(&self.sale);
        // Whether cash goes back, or to which gift card, is known only once the sale is.
        let (cash, blocked) = (drawer::cash_model(context), blocked_cards());
        Ok((shift_of(&context.till), last_number_in(&series), sale, cash, blocked))
    }

    fn decide(
        &self,
        (state, last_number, so_far, cash, blocked): &(
            OpenShiftState,
            u64,
            SaleSoFar,
            Vec<Money>,
            BlockedCards,
        ),
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let shift = state.open()?;
        let (sale, _) = so_far.known(&self.sale)?;
        let refund = RefundId::from(context.request_id);
        let mut rest = so_far.clone();
        let (returned, parts) = self.returned(&mut rest, &refund, context)?;
        let total = Amounts::checked_sum(returned.iter().map(ProductReturned::amounts))
            .ok_or_else(input::overflow)?;
        let is_all = rest.lines.values().all(|line| line.quantity == Quantity::ZERO);
        let payments = self.paid_back(&mut rest, total.gross, is_all, (&refund, shift), context)?;
        let mut cards = payments.iter().filter_map(|payment| payment.card.as_ref());
        cards.try_for_each(|card| blocked.can_take(card))?;
        let in_cash = payments.iter().filter(|payment| payment.tender == Tender::Cash);
        let in_cash = Money::checked_sum(in_cash.map(|payment| payment.amount));
        drawer::pay_out(in_cash.ok_or_else(input::overflow)?, (state, cash), context)?;
        let paid = Money::checked_sum(payments.iter().map(|payment| payment.amount));
        let rounding = paid.and_then(|paid| paid.checked_sub(total.gross));
        let completed = RefundCompleted {
            refund: refund.clone(),
            series: SeriesId::from(&context.till),
            number: last_number.saturating_add(1),
            till: context.till.clone(),
            shift: shift.clone(),
            cashier: context.user.clone(),
            customer: sale.customer.clone(),
            sale: Some(self.sale.clone()),
            tax_mode: sale.tax_mode,
            lines: input::count(returned.len()),
            payments: input::count(payments.len()),
            gross: total.gross,
            net: total.net,
            tax: total.tax,
            rounding: rounding.ok_or_else(input::overflow)?,
            reason: self.reason.clone(),
            reference: self.reference.clone(),
        };
        let mut events = vec![completed.into()];
        events.extend(returned.into_iter().map(ShopEvent::from));
        events.extend(parts.into_iter().map(ShopEvent::from));
        let credited: Vec<ShopEvent> =
            payments.iter().filter_map(|payment| credit(payment, sale)).collect();
        events.extend(payments.into_iter().map(ShopEvent::from));
        events.extend(credited);
        events.extend(self.offers_returned(&rest, total.gross, is_all, &refund));
        Ok(events)
    }

    fn answer(recorded: &[Recorded]) -> Option<RefundReceipt> {
        RefundReceipt::of(recorded)
    }
}

impl RefundSale {
    /// What comes back, taken out of the `rest` of the sale; and the parts of kits among it.
    fn returned(
        &self,
        rest: &mut SaleSoFar,
        refund: &RefundId,
        context: &Context<'_>,
    ) -> Result<(Vec<ProductReturned>, Vec<StockReturned>), Refusal> {
        let sold_on = rest.sale.as_ref().map(|(_, day)| *day);
        let evidence = rest.evidence.clone();
        let (mut returned, mut parts) = (Vec::with_capacity(self.lines.len()), Vec::new());
        for (index, LineReturned { line, quantity, restock }) in self.lines.iter().enumerate() {
            let number = input::line_number(index);
            let Some(so_far) = rest.lines.get_mut(line) else {
                let message = format!("The sale has no line {line}. Correct it.");
                return Err(input::invalid(message).line(*line).because(&evidence));
            };
            let product = context.catalogue.known(&so_far.sold.product)?;
            if *quantity > so_far.quantity {
                let left = so_far.quantity;
                let message = match left {
                    Quantity::ZERO => format!("All {} was refunded before.", product.name),
                    _ => format!("Only {left} of {} can still be refunded.", product.name),
                };
                return Err(Refusal::new(RefusalCode::RefundExceedsSale, message)
                    .product(&product.id)
                    .line(*line)
                    .quantity_left(left)
                    .action(NextAction::ReduceQuantity)
                    .because(&evidence));
            }
            if *restock {
                let of_kit = so_far.parts_of(*quantity).map_err(|refusal| refusal.line(*line))?;
                parts.extend(of_kit.into_iter().map(|(product, quantity)| StockReturned {
                    refund: refund.clone(),
                    line: number,
                    product,
                    quantity,
                }));
            }
            let amounts = so_far.share(*quantity).ok_or_else(input::overflow)?;
            so_far.give(*quantity, amounts);
            returned.push(ProductReturned {
                refund: refund.clone(),
                line: number,
                product: product.id.clone(),
                quantity: *quantity,
                unit_price: so_far.sold.unit_price,
                gross: amounts.gross,
                net: amounts.net,
                tax: amounts.tax,
                tax_rate: so_far.sold.tax_rate,
                restocked: *restock && product.stocked,
                sale: Some(self.sale.clone()),
                sold_line: Some(*line),
                sold_on,
                customer: so_far.sold.customer.clone(),
            });
        }
        Ok((returned, parts))
    }

    /// What goes back to each payment of the sale, at most what it took, to cash last. Cash is
    /// rounded to coins; what was rounded comes back with the last of the sale.
    fn paid_back(
        &self,
        rest: &mut SaleSoFar,
        mut due: Money,
        is_all: bool,
        (refund, shift): (&RefundId, &ShiftId),
        context: &Context<'_>,
    ) -> Result<Vec<PaymentRefunded>, Refusal> {
        let coin = context.settings()?.smallest_coin;
        let mut paid = Vec::new();
        let mut payments: Vec<_> = rest.payments.iter_mut().enumerate().collect();
        payments.sort_by_key(|(_, payment)| payment.taken.tender == Tender::Cash);
        for (index, PaymentSoFar { taken, left }) in payments {
            let amount = match taken.tender {
                Tender::Cash if is_all => *left,
                Tender::Cash => coin.round(due).ok_or_else(input::overflow)?.min(*left),
                _ => due.min(*left),
            };
            if amount > Money::ZERO {
                let covered = amount.min(due);
                due = due.checked_sub(covered).ok_or_else(input::overflow)?;
                paid.push(PaymentRefunded {
                    refund: refund.clone(),
                    shift: shift.clone(),
                    tender: taken.tender,
                    amount,
                    sale: Some(self.sale.clone()),
                    payment: Some(input::line_number(index)),
                    card: taken.card.clone(),
                    reference: self.reference.clone(),
                });
            }
        }
        Ok(paid)
    }

    /// The points and the uses of promotions that come back, or go.
    fn offers_returned(
        &self,
        rest: &SaleSoFar,
        now: Money,
        is_all: bool,
        refund: &RefundId,
    ) -> Vec<ShopEvent> {
        let mut events = Vec::new();
        let customer = rest.sale.as_ref().and_then(|(sale, _)| sale.customer.clone());
        let is_back =
            |line: &u32| rest.lines.get(line).is_none_or(|line| line.quantity == Quantity::ZERO);
        for PromotionApplied { promotion, customer, lines, .. } in &rest.promotions {
            if lines.iter().all(is_back) && !rest.promotions_returned.contains(promotion) {
                let (promotion, customer) = (promotion.clone(), customer.clone());
                let (sale, refund) = (self.sale.clone(), refund.clone());
                events.push(PromotionReturned { promotion, sale, refund, customer }.into());
            }
        }
        let Some(customer) = customer else { return events };
        let reversed = rest.points_to_undo(rest.points_earned, now, is_all);
        let returned = rest.points_to_undo(rest.points_redeemed, now, is_all);
        let (sale, refund) = (self.sale.clone(), refund.clone());
        if reversed > 0 {
            let (customer, sale, refund) = (customer.clone(), sale.clone(), refund.clone());
            events.push(PointsReversed { customer, sale, refund, points: reversed }.into());
        }
        if returned > 0 {
            events.push(PointsReturned { customer, sale, refund, points: returned }.into());
        }
        events
    }
}

/// What a payment back puts on a gift card, or takes off what a customer owes.
fn credit(payment: &PaymentRefunded, sale: &SaleCompleted) -> Option<ShopEvent> {
    let (refund, amount) = (payment.refund.clone(), payment.amount);
    match (payment.tender, payment.card.clone(), sale.customer.clone()) {
        (Tender::GiftCard, Some(card), _) => {
            Some(GiftCardCredited { card, sale: sale.sale.clone(), refund, amount }.into())
        }
        (Tender::Account, _, Some(customer)) => {
            Some(AccountCredited { customer, sale: sale.sale.clone(), refund, amount }.into())
        }
        _ => None,
    }
}

/// What can still be refunded of a sale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Refundable {
    /// The sale.
    pub sale: SaleId,
    /// Its lines, and what is left of each.
    pub lines: Vec<RefundableLine>,
}

/// What can still be refunded of a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RefundableLine {
    /// Which line of the sale, from 1.
    pub line: u32,
    /// The product.
    pub product: ProductId,
    /// How much was not refunded yet.
    pub quantity: Quantity,
    /// What that comes to, with tax.
    pub gross: Money,
}

impl Refundable {
    /// What can be refunded of a sale now; `None` if there is no such sale.
    pub fn find(
        store: &(impl EventStore + ?Sized),
        sale: &SaleId,
    ) -> Result<Option<Self>, StoreError> {
        let so_far = build_decision_model(store, &sale_so_far(sale))?.state;
        let lines = so_far.lines.values().map(|line| RefundableLine {
            line: line.sold.line,
            product: line.sold.product.clone(),
            quantity: line.quantity,
            gross: line.amounts.gross,
        });
        let lines = lines.collect();
        Ok(so_far.sale.map(|_| Self { sale: sale.clone(), lines }))
    }
}

#[cfg(test)]
mod tests;
