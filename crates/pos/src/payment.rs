//! Payments: what is given covers the total, and what is too much comes back from cash.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::event::{PaymentTaken, Tender};
use crate::ids::{SaleId, ShiftId};
use crate::input;
use crate::money::{Currency, Money};
use crate::refusal::{NextAction, Refusal, RefusalCode};

/// The most payments a sale may have.
pub const MAX_PAYMENTS: usize = 100;

/// A payment for a cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Payment {
    /// How it is paid.
    pub tender: Tender,
    /// Of cash what is given, from which change comes; of a card what it is charged. Positive.
    pub amount: Money,
    /// What the terminal or the invoice calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reference: Option<String>,
}

/// How the payments cover a total.
#[derive(Debug, PartialEq)]
pub(crate) struct Settled {
    pub(crate) parts: Vec<Part>,
    /// All that was given.
    pub(crate) paid: Money,
    /// What is given back in cash: `paid` less the total.
    pub(crate) change: Money,
}

/// What one payment covers.
#[derive(Debug, PartialEq)]
pub(crate) struct Part {
    tender: Tender,
    amount: Money,
    /// What was given and what is given back, if it is cash.
    given_and_change: Option<(Money, Money)>,
    reference: Option<String>,
}

impl Part {
    /// The payment as it is recorded.
    pub(crate) fn taken(self, sale: &SaleId, shift: &ShiftId) -> PaymentTaken {
        PaymentTaken {
            sale: sale.clone(),
            shift: shift.clone(),
            tender: self.tender,
            amount: self.amount,
            given: self.given_and_change.map(|(given, _)| given),
            change: self.given_and_change.map(|(_, change)| change),
            reference: self.reference,
        }
    }
}

/// Refuses payments that make no sense, whatever the total is.
pub(crate) fn check(payments: &[Payment]) -> Result<(), Refusal> {
    if payments.len() > MAX_PAYMENTS {
        let message = format!("A sale takes at most {MAX_PAYMENTS} payments. Combine some.");
        return Err(
            Refusal::new(RefusalCode::TooManyLines, message).action(NextAction::CorrectInput)
        );
    }
    for payment in payments {
        if payment.amount <= Money::ZERO || payment.amount > Money::MAX {
            let message = "A payment is more than 0, and not absurdly much. Correct it.";
            return Err(Refusal::new(RefusalCode::PaymentOutOfBounds, message)
                .action(NextAction::CorrectInput));
        }
        input::optional("reference", payment.reference.as_deref(), input::MAX_TEXT_CHARS)?;
    }
    Ok(())
}

/// Sets the payments against the total. All cash is one part, and comes first.
pub(crate) fn settle(
    payments: &[Payment],
    total: Money,
    currency: Currency,
) -> Result<Settled, Refusal> {
    let by = |tender| payments.iter().filter(move |payment| payment.tender == tender);
    let sum = |tender| Money::checked_sum(by(tender).map(|payment| payment.amount));
    let overflow = input::overflow;
    let given = sum(Tender::Cash).ok_or_else(overflow)?;
    let charged = sum(Tender::Card).ok_or_else(overflow)?;
    if charged > total {
        let most = currency.format(total);
        let message = format!("A card gives no change. Charge at most {most} to cards.");
        return Err(Refusal::new(RefusalCode::CardOverpaid, message)
            .money_left(total)
            .action(NextAction::CorrectInput));
    }
    let paid = given.checked_add(charged).ok_or_else(overflow)?;
    let change = paid.checked_sub(total).ok_or_else(overflow)?;
    if change < Money::ZERO {
        let left = Money::ZERO.checked_sub(change).ok_or_else(overflow)?;
        let message = format!("{} is still to be paid. Take it.", currency.format(left));
        return Err(Refusal::new(RefusalCode::NotEnoughPaid, message)
            .money_left(left)
            .action(NextAction::TakePayment));
    }
    let kept = given.checked_sub(change).ok_or_else(overflow)?;
    let part = |payment: &Payment, amount, given_and_change| Part {
        tender: payment.tender,
        amount,
        given_and_change,
        reference: payment.reference.clone(),
    };
    let in_cash = by(Tender::Cash).take(1).map(|first| part(first, kept, Some((given, change))));
    let on_cards = by(Tender::Card).map(|payment| part(payment, payment.amount, None));
    Ok(Settled { parts: in_cash.chain(on_cards).collect(), paid, change })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paid(total: i64, payments: &[(Tender, i64)]) -> Result<Settled, Refusal> {
        let payment = |(tender, amount): &(Tender, i64)| Payment {
            tender: *tender,
            amount: Money::new(*amount),
            reference: None,
        };
        let payments: Vec<Payment> = payments.iter().map(payment).collect();
        check(&payments)?;
        settle(&payments, Money::new(total), Currency::new("GBP").unwrap())
    }

    const CASH: Tender = Tender::Cash;
    const CARD: Tender = Tender::Card;

    #[test]
    fn change_comes_from_cash() {
        let settled = paid(339, &[(CASH, 500)]).unwrap();
        assert_eq!((settled.paid, settled.change), (Money::new(500), Money::new(161)));
        assert_eq!(settled.parts[0].amount, Money::new(339));
    }

    #[test]
    fn all_cash_is_one_part_and_each_card_its_own() {
        let settled = paid(120, &[(CARD, 30), (CASH, 50), (CARD, 20), (CASH, 100)]).unwrap();
        let parts: Vec<_> = settled
            .parts
            .iter()
            .map(|p| (p.tender, p.amount.minor(), p.given_and_change))
            .collect();
        let cash = (Money::new(150), Money::new(80));
        assert_eq!(parts, [(CASH, 70, Some(cash)), (CARD, 30, None), (CARD, 20, None)]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let refusal = paid(120, &[(CASH, 50), (CARD, 69)]).unwrap_err();
        assert_eq!((refusal.code, refusal.details.left), (RefusalCode::NotEnoughPaid, Some(1)));
        assert_eq!(refusal.message, "0.01 is still to be paid. Take it.");
        assert_eq!(refusal.details.action, Some(NextAction::TakePayment));
    }

    #[test]
    fn a_card_gives_no_change() {
        let refusal = paid(120, &[(CARD, 121)]).unwrap_err();
        assert_eq!((refusal.code, refusal.details.left), (RefusalCode::CardOverpaid, Some(120)));
        let settled = paid(120, &[(CARD, 120), (CASH, 5)]).unwrap();
        assert_eq!((settled.change, settled.parts[0].amount), (Money::new(5), Money::ZERO));
    }

    #[test]
    fn payments_that_make_no_sense_are_refused() {
        for amount in [0, -5, Money::MAX.minor() + 1] {
            let refusal = paid(120, &[(CASH, 900), (CARD, amount)]).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::PaymentOutOfBounds);
        }
        let refusal = paid(120, &vec![(CASH, 2); MAX_PAYMENTS + 1]).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::TooManyLines);
        let refusal = paid(120, &[(CASH, Money::MAX.minor()), (CASH, 1)]).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::AmountOverflow);
    }
}
