//! What a shift came to: its sales, its tenders, its cash.

use dcb::{DecisionProjection, EventRef, Query};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::event::{
    AccountPaid, CashMove, CashMoved, GiftCardIssued, GiftCardTopUpCancelled, GiftCardToppedUp,
    PaymentRefunded, PaymentTaken, RefundCompleted, SaleCompleted, ShopEvent,
};
use crate::ids::ShiftId;
use crate::money::Money;
use crate::payment::Tender;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};

/// What a tender took in a shift, and paid back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TenderTotal {
    /// The tender.
    pub tender: Tender,
    /// What was paid with it; of cash what was kept.
    pub taken: Money,
    /// What was paid back to it; positive.
    pub refunded: Money,
}

/// What a shift came to, up to some moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ShiftTotals {
    /// How many sales there were.
    #[ts(type = "number")]
    pub sales: u64,
    /// How many refunds.
    #[ts(type = "number")]
    pub refunds: u64,
    /// What was sold, with tax.
    pub gross: Money,
    /// What was refunded, with tax; positive.
    pub refunded: Money,
    /// The tax on sales, less that on refunds.
    pub tax: Money,
    /// What was taken for gift cards and for what customers owed, which is no sale, less what was
    /// put on gift cards by mistake and paid back.
    pub received: Money,
    /// What rounding cash to coins brought in, or cost if negative.
    pub rounding: Money,
    /// What each tender took and paid back; those that were used. All of it is `gross`, less
    /// `refunded`, with `received` and `rounding`.
    pub tenders: Vec<TenderTotal>,
    /// The cash that was paid in beside sales.
    pub paid_in: Money,
    /// The cash that was paid out beside refunds; positive.
    pub paid_out: Money,
    /// The cash that was taken to the safe; positive.
    pub dropped: Money,
    /// The cash that came into the drawer less what went out: what is in it beside the float.
    pub cash: Money,
}

impl ShiftTotals {
    /// The types of the events that a shift's totals are made of; each is tagged with the shift.
    pub const TYPES: [&'static str; 9] = [
        SaleCompleted::TYPE,
        RefundCompleted::TYPE,
        PaymentTaken::TYPE,
        PaymentRefunded::TYPE,
        GiftCardIssued::TYPE,
        GiftCardToppedUp::TYPE,
        GiftCardTopUpCancelled::TYPE,
        AccountPaid::TYPE,
        CashMoved::TYPE,
    ];

    /// Takes in an event of the shift; others change nothing.
    pub fn apply(&mut self, event: &EventRef<'_>) {
        match ShopEvent::decode(event) {
            Some(ShopEvent::SaleCompleted(e)) => {
                self.sales = self.sales.saturating_add(1);
                add(&mut self.gross, e.gross);
                add(&mut self.rounding, e.rounding);
                add(&mut self.tax, e.tax);
            }
            Some(ShopEvent::RefundCompleted(e)) => {
                self.refunds = self.refunds.saturating_add(1);
                add(&mut self.refunded, e.gross);
                add(&mut self.rounding, negated(e.rounding));
                add(&mut self.tax, negated(e.tax));
            }
            Some(ShopEvent::PaymentTaken(e)) => self.take(e.tender, e.amount),
            Some(ShopEvent::GiftCardIssued(e)) => self.receive(e.tender, e.amount),
            Some(ShopEvent::GiftCardToppedUp(e)) => self.receive(e.tender, e.amount),
            Some(ShopEvent::AccountPaid(e)) => self.receive(e.tender, e.amount),
            Some(ShopEvent::PaymentRefunded(e)) => self.pay_back(e.tender, e.amount),
            Some(ShopEvent::GiftCardTopUpCancelled(e)) => {
                add(&mut self.received, negated(e.amount));
                self.pay_back(e.tender, e.amount);
            }
            Some(ShopEvent::CashMoved(e)) => {
                let (sum, moved) = match e.how {
                    CashMove::PaidIn => (&mut self.paid_in, e.amount),
                    CashMove::PaidOut => (&mut self.paid_out, negated(e.amount)),
                    CashMove::SafeDrop => (&mut self.dropped, negated(e.amount)),
                };
                add(sum, e.amount);
                add(&mut self.cash, moved);
            }
            _ => {}
        }
    }

    fn of(&mut self, tender: Tender) -> &mut TenderTotal {
        let place = self.tenders.iter().position(|total| total.tender == tender);
        let place = place.unwrap_or_else(|| {
            self.tenders.push(TenderTotal { tender, taken: Money::ZERO, refunded: Money::ZERO });
            self.tenders.len().saturating_sub(1)
        });
        self.tenders.get_mut(place).expect("it was found, or has just been added")
    }

    fn take(&mut self, tender: Tender, amount: Money) {
        add(&mut self.of(tender).taken, amount);
        self.add_cash(tender, amount);
    }

    fn receive(&mut self, tender: Tender, amount: Money) {
        add(&mut self.received, amount);
        self.take(tender, amount);
    }

    fn pay_back(&mut self, tender: Tender, amount: Money) {
        add(&mut self.of(tender).refunded, amount);
        self.add_cash(tender, negated(amount));
    }

    fn add_cash(&mut self, tender: Tender, amount: Money) {
        if tender == Tender::Cash {
            add(&mut self.cash, amount);
        }
    }
}

/// No shift moves so much that this is reached; if one did, its count would not fit.
pub(crate) fn add(sum: &mut Money, amount: Money) {
    *sum = Money::new(sum.minor().saturating_add(amount.minor()));
}

fn negated(amount: Money) -> Money {
    Money::new(amount.minor().saturating_neg())
}

/// What a shift came to, for closing it: whatever happens in it conflicts.
pub(crate) fn totals_of(shift: &ShiftId) -> DecisionProjection<Tally> {
    let query = Query::tagged(ShiftTotals::TYPES, shift.tag());
    DecisionProjection::new(Tally::default(), query, |tally: &mut Tally, event| {
        tally.totals.apply(event);
        tally.last = event.position;
    })
    .named("shift_totals", 1, shift)
}

/// What a shift came to, and the last event that counts.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub(crate) totals: ShiftTotals,
    last: u64,
}

impl Tally {
    /// Refuses a count of the drawer that was made before the last thing happened.
    pub(crate) fn counted_at(&self, head: Option<u64>) -> Result<(), Refusal> {
        let message = "Something was sold or moved after the drawer was counted. Count it again.";
        counted_since(self.last, head, message)
    }
}

/// Refuses a count, made when the history had this head, of what moved at a position after that.
/// Without a head it is taken to be of this moment.
pub(crate) fn counted_since(
    last: u64,
    head: Option<u64>,
    message: impl Into<String>,
) -> Result<(), Refusal> {
    if head.is_none_or(|head| last <= head) {
        return Ok(());
    }
    Err(Refusal::new(RefusalCode::CountOutdated, message)
        .action(NextAction::CountAgain)
        .because(&Evidence::only(last)))
}
