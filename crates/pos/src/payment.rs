//! Payments: what is given covers the total, in whatever tenders, and what is too much comes back
//! from cash.

use std::collections::BTreeMap;

use dcb::DecisionProjection;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::command::Context;
use crate::credit::{AccountState, account_of};
use crate::event::{AccountCharged, GiftCardRedeemed, PaymentTaken, ShopEvent};
use crate::gift_cards::{GiftCardState, gift_card_of};
use crate::ids::{CustomerId, GiftCardId, SaleId, ShiftId};
use crate::input;
use crate::money::{Currency, Money, SmallestCoin};
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};
use crate::settings::ShopSettings;

/// The most payments a sale may have.
pub const MAX_PAYMENTS: usize = 100;

/// How something is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Tender {
    /// Notes and coins; the only one that gives change, and the only one that is rounded.
    Cash,
    /// A card at an external terminal.
    Card,
    /// A gift card of this shop.
    GiftCard,
    /// On account: the customer owes it.
    Account,
    /// A voucher of somebody else, who pays for it later.
    Voucher,
}

impl Tender {
    /// The tender as it is written in JSON and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Card => "card",
            Self::GiftCard => "gift_card",
            Self::Account => "account",
            Self::Voucher => "voucher",
        }
    }
}

/// A payment for a cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Payment {
    /// How it is paid.
    pub tender: Tender,
    /// Of cash what is given, from which change comes, of at most [`Currency::most_change`]; of all
    /// else what it is charged. Positive, or nothing in cash for what no coin can pay.
    pub amount: Money,
    /// The gift card, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub card: Option<GiftCardId>,
    /// What the terminal or the invoice calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reference: Option<String>,
}

impl Payment {
    /// A payment of which no more is to be said.
    pub fn new(tender: Tender, amount: Money) -> Self {
        Self { tender, amount, card: None, reference: None }
    }
}

/// Money taken for something that is no sale: a gift card, or a debt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PaidIn {
    /// How it is paid: in cash or by card.
    pub tender: Tender,
    /// How much; positive, and of cash what coins can pay.
    pub amount: Money,
    /// What the terminal calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reference: Option<String>,
}

impl PaidIn {
    /// Refuses what cannot be paid like this.
    pub(crate) fn check(&self, context: &Context<'_>) -> Result<(), Refusal> {
        amount_makes_sense(self.tender, self.amount)?;
        input::optional("reference", self.reference.as_deref(), input::MAX_TEXT_CHARS)?;
        let coin = context.settings()?.smallest_coin;
        match self.tender {
            Tender::Cash if coin.round(self.amount) != Some(self.amount) => {
                Err(input::invalid("No coins pay this amount. Correct it."))
            }
            Tender::Cash | Tender::Card => Ok(()),
            _ => Err(input::invalid("This is paid in cash or by card only. Correct it.")),
        }
    }
}

/// Refuses to add an amount to a balance if nobody could hold the sum exactly.
pub(crate) fn sum_is_exact(balance: i64, amount: Money) -> Result<(), Refusal> {
    Money::new(balance).checked_add(amount).map(|_| ()).ok_or_else(input::overflow)
}

/// Refuses to take back more than was paid like this and not taken back yet.
pub(crate) fn was_paid(
    paid: i64,
    amount: Money,
    currency: Currency,
    evidence: &Evidence,
) -> Result<(), Refusal> {
    if amount.minor() <= paid {
        return Ok(());
    }
    let left = Money::new(paid.max(0));
    let most = currency.format(left);
    let message = format!("Only {most} was paid like this. Take no more back.");
    Err(Refusal::new(RefusalCode::NotPaid, message)
        .money_left(left)
        .action(NextAction::CorrectInput)
        .because(evidence))
}

/// How the payments cover a total.
#[derive(Debug, PartialEq)]
pub(crate) struct Settled {
    pub(crate) parts: Vec<Part>,
    /// All that was given.
    pub(crate) paid: Money,
    /// What is given back in cash: `paid` less the total and the rounding.
    pub(crate) change: Money,
    /// What the cash part was rounded up by, or down if negative.
    pub(crate) rounding: Money,
}

/// What one payment covers.
#[derive(Debug, PartialEq)]
pub(crate) struct Part {
    tender: Tender,
    amount: Money,
    /// What was given and what is given back, if it is cash.
    given_and_change: Option<(Money, Money)>,
    card: Option<GiftCardId>,
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
            card: self.card,
            reference: self.reference,
        }
    }
}

/// Refuses payments that make no sense, whatever the total is.
pub(crate) fn check(payments: &[Payment], customer: Option<&CustomerId>) -> Result<(), Refusal> {
    if payments.len() > MAX_PAYMENTS {
        let message = format!("A sale takes at most {MAX_PAYMENTS} payments. Combine some.");
        return Err(
            Refusal::new(RefusalCode::TooManyLines, message).action(NextAction::CorrectInput)
        );
    }
    for payment in payments {
        if payment.tender != Tender::Cash || !payment.amount.is_zero() {
            amount_makes_sense(payment.tender, payment.amount)?;
        }
        input::optional("reference", payment.reference.as_deref(), input::MAX_TEXT_CHARS)?;
        if (payment.tender == Tender::GiftCard) != payment.card.is_some() {
            return Err(input::invalid("A gift card is named by its code. Scan it."));
        }
        if payment.tender == Tender::Account && customer.is_none() {
            let message = "On account needs a customer. Say who it is.";
            return Err(Refusal::new(RefusalCode::CustomerNeeded, message)
                .action(NextAction::ChooseCustomer));
        }
    }
    Ok(())
}

/// Refuses an amount that nobody can pay like this.
pub(crate) fn amount_makes_sense(tender: Tender, amount: Money) -> Result<(), Refusal> {
    let most = match tender {
        Tender::Cash => Money::MAX_CASH,
        _ => Money::MAX,
    };
    if amount <= Money::ZERO || amount > most {
        let message = "A payment is more than 0, and not absurdly much. Correct it.";
        return Err(
            Refusal::new(RefusalCode::PaymentOutOfBounds, message).action(NextAction::CorrectInput)
        );
    }
    Ok(())
}

/// Sets the payments against the total. All cash is one part, and comes first.
pub(crate) fn settle(
    payments: &[Payment],
    total: Money,
    settings: &ShopSettings,
) -> Result<Settled, Refusal> {
    let ShopSettings { currency, smallest_coin, .. } = settings;
    let overflow = input::overflow;
    let in_cash = || payments.iter().filter(|payment| payment.tender == Tender::Cash);
    let otherwise = || payments.iter().filter(|payment| payment.tender != Tender::Cash);
    let given = Money::checked_sum(in_cash().map(|p| p.amount)).ok_or_else(overflow)?;
    let charged = Money::checked_sum(otherwise().map(|p| p.amount)).ok_or_else(overflow)?;
    if charged > total {
        let most = currency.format(total);
        let message = format!("Only cash gives change. Charge at most {most} otherwise.");
        return Err(Refusal::new(RefusalCode::CardOverpaid, message)
            .money_left(total)
            .action(NextAction::CorrectInput));
    }
    let due = total.checked_sub(charged).ok_or_else(overflow)?;
    // Nothing is rounded before there is any cash: the rest may yet be paid by card.
    let coin = in_cash().next().map_or(SmallestCoin::default(), |_| *smallest_coin);
    let kept = coin.round(due).ok_or_else(overflow)?;
    let change = given.checked_sub(kept).ok_or_else(overflow)?;
    if change < Money::ZERO {
        let left = Money::ZERO.checked_sub(change).ok_or_else(overflow)?;
        let message = format!("{} is still to be paid. Take it.", currency.format(left));
        return Err(Refusal::new(RefusalCode::NotEnoughPaid, message)
            .money_left(left)
            .action(NextAction::TakePayment));
    }
    let most = currency.most_change();
    if change > most {
        let (change, most) = (currency.format(change), currency.format(most));
        let message = format!(
            "The change would be {change}, and nobody gives over {most} too much. Check the amount."
        );
        return Err(
            Refusal::new(RefusalCode::PaymentOutOfBounds, message).action(NextAction::CorrectInput)
        );
    }
    let part = |payment: &Payment, amount, given_and_change| Part {
        tender: payment.tender,
        amount,
        given_and_change,
        card: payment.card.clone(),
        reference: payment.reference.clone(),
    };
    let cash = in_cash().take(1).map(|first| part(first, kept, Some((given, change))));
    let others = otherwise().map(|payment| part(payment, payment.amount, None));
    Ok(Settled {
        parts: cash.chain(others).collect(),
        paid: given.checked_add(charged).ok_or_else(overflow)?,
        change,
        rounding: kept.checked_sub(due).ok_or_else(overflow)?,
    })
}

/// What must be known to pay: of each gift card what is on it, and the account if it is charged.
pub(crate) type FundsModel =
    (Vec<DecisionProjection<GiftCardState>>, Vec<DecisionProjection<AccountState>>);
pub(crate) type Funds = (Vec<GiftCardState>, Vec<AccountState>);

/// What must be known to pay like this.
pub(crate) fn funds_model(payments: &[Payment], customer: Option<&CustomerId>) -> FundsModel {
    let cards = by_card(payments).into_keys().map(gift_card_of).collect();
    let on_account = payments.iter().any(|payment| payment.tender == Tender::Account);
    let account = customer.filter(|_| on_account).map(account_of);
    (cards, account.into_iter().collect())
}

/// What is taken off gift cards and put on the customer's account; or the refusal of what is too
/// much. The funds are those of [`funds_model`].
pub(crate) fn draw(
    payments: &[Payment],
    customer: Option<&CustomerId>,
    (cards, accounts): &Funds,
    sale: &SaleId,
    settings: &ShopSettings,
) -> Result<Vec<ShopEvent>, Refusal> {
    let mut drawn = Vec::new();
    for ((card, amounts), state) in by_card(payments).into_iter().zip(cards) {
        let amount = Money::checked_sum(amounts).ok_or_else(input::overflow)?;
        state.allow(card, amount, settings.currency)?;
        let (card, sale) = (card.clone(), sale.clone());
        drawn.push(GiftCardRedeemed { card, sale, amount }.into());
    }
    let on_account = payments.iter().filter(|payment| payment.tender == Tender::Account);
    let amount = Money::checked_sum(on_account.map(|p| p.amount)).ok_or_else(input::overflow)?;
    for (account, customer) in accounts.iter().zip(customer) {
        account.allow(amount, settings.currency)?;
        let (customer, sale) = (customer.clone(), sale.clone());
        drawn.push(AccountCharged { customer, sale, amount }.into());
    }
    Ok(drawn)
}

/// What each gift card is to pay.
fn by_card(payments: &[Payment]) -> BTreeMap<&GiftCardId, Vec<Money>> {
    let mut cards: BTreeMap<&GiftCardId, Vec<Money>> = BTreeMap::new();
    for payment in payments {
        if let Some(card) = &payment.card {
            cards.entry(card).or_default().push(payment.amount);
        }
    }
    cards
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::settings;

    fn paid(total: i64, payments: &[(Tender, i64)]) -> Result<Settled, Refusal> {
        paid_in_coins(1, total, payments)
    }

    fn paid_in_coins(coin: u8, total: i64, payments: &[(Tender, i64)]) -> Result<Settled, Refusal> {
        let payment = |(tender, amount): &(Tender, i64)| Payment::new(*tender, Money::new(*amount));
        let payments: Vec<Payment> = payments.iter().map(payment).collect();
        check(&payments, None)?;
        let smallest_coin = SmallestCoin::new(coin).unwrap();
        settle(&payments, Money::new(total), &ShopSettings { smallest_coin, ..settings() })
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
    fn change_is_never_more_than_anybody_gives_too_much() {
        assert_eq!(paid(1250, &[(CASH, 1_001_250)]).unwrap().change, Money::new(1_000_000));
        for given in [1_001_251, 96_385_074, 999_999_999_999] {
            let refusal = paid(1250, &[(CASH, given)]).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::PaymentOutOfBounds);
            assert_eq!(refusal.details.action, Some(NextAction::CorrectInput));
            assert!(refusal.message.ends_with("Check the amount."), "{}", refusal.message);
        }
    }

    #[test]
    fn vouchers_give_no_change_either() {
        let refusal = paid(120, &[(CARD, 100), (Tender::Voucher, 21)]).unwrap_err();
        assert_eq!((refusal.code, refusal.details.left), (RefusalCode::CardOverpaid, Some(120)));
        assert_eq!(refusal.message, "Only cash gives change. Charge at most 1.20 otherwise.");
    }

    #[test]
    fn only_the_cash_part_is_rounded_to_coins_and_the_rounding_is_told() {
        let told = |coin, total, payments: &[(Tender, i64)]| {
            let settled = paid_in_coins(coin, total, payments).unwrap();
            let kept: i64 = settled.parts.iter().map(|part| part.amount.minor()).sum();
            (kept, settled.rounding.minor(), settled.change.minor())
        };
        assert_eq!(told(5, 102, &[(CASH, 100)]), (100, -2, 0));
        assert_eq!(told(5, 103, &[(CASH, 200)]), (105, 2, 95));
        assert_eq!(told(10, 105, &[(CASH, 110)]), (110, 5, 0));
        assert_eq!(told(10, 105, &[(CARD, 105)]), (105, 0, 0));
        assert_eq!(told(10, 105, &[(CARD, 92), (CASH, 10)]), (102, -3, 0));
        assert_eq!(told(5, 102, &[(CARD, 100), (CASH, 5)]), (100, -2, 5));
        assert_eq!(told(5, 2, &[(CASH, 0)]), (0, -2, 0));
        let refusal = paid_in_coins(5, 103, &[(CASH, 100)]).unwrap_err();
        assert_eq!((refusal.code, refusal.details.left), (RefusalCode::NotEnoughPaid, Some(5)));
        let refusal = paid_in_coins(5, 3, &[(CASH, 0)]).unwrap_err();
        assert_eq!((refusal.code, refusal.details.left), (RefusalCode::NotEnoughPaid, Some(5)));
        let refusal = paid_in_coins(5, 103, &[(CARD, 100)]).unwrap_err();
        assert_eq!((refusal.code, refusal.details.left), (RefusalCode::NotEnoughPaid, Some(3)));
    }

    #[test]
    fn payments_that_make_no_sense_are_refused() {
        for amount in [0, -5, Money::MAX.minor() + 1] {
            let refusal = paid(120, &[(CASH, 900), (CARD, amount)]).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::PaymentOutOfBounds);
        }
        let refusal = paid(120, &vec![(CASH, 2); MAX_PAYMENTS + 1]).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::TooManyLines);
        let refusal = paid(120, &[(CASH, Money::MAX_CASH.minor() + 1)]).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::PaymentOutOfBounds);
        let refusal = paid(120, &[(CARD, Money::MAX.minor()), (CARD, 1)]).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::AmountOverflow);
    }
}
