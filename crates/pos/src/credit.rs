//! Customer credit: sales on account, up to a limit, paying what is owed, and payments that bounce.

use dcb::{DecisionProjection, EventStore, Query, StoreError, build_decision_model};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::command::{Command, Context};
use crate::event::{
    AccountCharged, AccountCredited, AccountPaid, AccountPaymentBounced, CreditLimitSet, Recorded,
    ShopEvent,
};
use crate::ids::CustomerId;
use crate::input;
use crate::money::{Currency, Money};
use crate::payment::{self, PaidIn, Tender};
use crate::people::{is_known, must_be_known};
use crate::permission::Permission;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};
use crate::shift::{OpenShiftState, shift_of};

/// Sets what a customer may owe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetCreditLimit {
    /// The customer.
    pub customer: CustomerId,
    /// The most that may be owed; 0 ends credit, and what is owed stays owed.
    pub limit: Money,
}

/// Takes money for what a customer owes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PayAccount {
    /// The customer.
    pub customer: CustomerId,
    /// What is paid, in cash or by card: at most what is owed.
    pub paid: PaidIn,
}

/// Records that a customer's payment by card did not arrive after all: it is owed again, also beyond
/// the limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BounceAccountPayment {
    /// The customer.
    pub customer: CustomerId,
    /// How much: at most what the customer paid by card and did not bounce before.
    pub amount: Money,
    /// What the bank or the terminal calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reference: Option<String>,
    /// Why.
    pub reason: String,
}

/// A customer's account.
#[derive(Clone, Debug, Default)]
pub struct AccountState {
    limit: Money,
    owed: i64,
    /// What was paid by card and did not bounce.
    paid_by_card: i64,
    evidence: Evidence,
}

/// What a customer owes and may owe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The customer.
    pub customer: CustomerId,
    /// The most that may be owed.
    pub limit: Money,
    /// What is owed.
    pub owed: Money,
}

impl Account {
    /// A customer's account as it is now; all zero if there never was any credit.
    pub fn find(
        store: &(impl EventStore + ?Sized),
        customer: &CustomerId,
    ) -> Result<Self, StoreError> {
        let AccountState { limit, owed, .. } =
            build_decision_model(store, &account_of(customer))?.state;
        Ok(Self { customer: customer.clone(), limit, owed: Money::new(owed) })
    }
}

/// An account to charge: charges, limits and bounced payments conflict; what lowers the debt can only
/// help.
pub(crate) fn account_of(customer: &CustomerId) -> DecisionProjection<AccountState> {
    let less = [CreditLimitSet::TYPE, AccountCharged::TYPE, AccountPaymentBounced::TYPE];
    let less = Query::tagged(less, customer.tag());
    let payments = Query::tagged([AccountPaid::TYPE, AccountCredited::TYPE], customer.tag());
    let query = less.clone().or(payments);
    DecisionProjection::new(AccountState::default(), query, |state: &mut AccountState, event| {
        let change = match ShopEvent::decode(event) {
            Some(ShopEvent::CreditLimitSet(e)) => {
                state.limit = e.limit;
                0
            }
            Some(ShopEvent::AccountCharged(e)) => e.amount.minor(),
            Some(ShopEvent::AccountPaid(e)) => {
                if e.tender == Tender::Card {
                    state.paid_by_card = state.paid_by_card.saturating_add(e.amount.minor());
                }
                e.amount.minor().saturating_neg()
            }
            Some(ShopEvent::AccountPaymentBounced(e)) => {
                state.paid_by_card = state.paid_by_card.saturating_sub(e.amount.minor());
                e.amount.minor()
            }
            Some(ShopEvent::AccountCredited(e)) => e.amount.minor().saturating_neg(),
            _ => return,
        };
        state.owed = state.owed.saturating_add(change);
        state.evidence.push(event.position);
    })
    .named("account", 1, customer)
    .conflicts_with(less)
}

/// An account to pay off: what lowers the debt conflicts, so that nobody pays too much.
fn debt_of(customer: &CustomerId) -> DecisionProjection<AccountState> {
    let payments = [AccountPaid::TYPE, AccountCredited::TYPE];
    account_of(customer).conflicts_with(Query::tagged(payments, customer.tag()))
}

/// An account to take a payment back from: only what bounced meanwhile conflicts.
fn paid_by(customer: &CustomerId) -> DecisionProjection<AccountState> {
    account_of(customer)
        .conflicts_with(Query::tagged([AccountPaymentBounced::TYPE], customer.tag()))
}

impl AccountState {
    /// Refuses to charge more than the limit leaves.
    pub(crate) fn allow(&self, amount: Money, currency: Currency) -> Result<(), Refusal> {
        let left = self.limit.minor().saturating_sub(self.owed).max(0);
        if amount.minor() <= left {
            return Ok(());
        }
        let left = Money::new(left);
        let [limit, owed, rest] =
            [self.limit, Money::new(self.owed), left].map(|amount| currency.format(amount));
        let message = match self.limit {
            Money::ZERO => "This customer has no credit. Take another payment.".to_owned(),
            _ => format!("Of {limit} of credit {owed} is owed. Charge at most {rest}."),
        };
        Err(Refusal::new(RefusalCode::CreditExceeded, message)
            .money_left(left)
            .action(NextAction::TakePayment)
            .because(&self.evidence))
    }
}

impl Command for SetCreditLimit {
    const NAME: &'static str = "set_credit_limit";
    const PERMISSION: Permission = Permission::SetCreditLimit;
    type Model = DecisionProjection<bool>;
    type Answer = ();

    fn model(&self, _context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::cash(self.limit)?;
        Ok(is_known(&self.customer))
    }

    fn decide(&self, known: &bool, _context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        must_be_known(*known)?;
        let Self { customer, limit } = self.clone();
        Ok(vec![CreditLimitSet { customer, limit }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::CreditLimitSet(_), .. }]).then_some(())
    }
}

impl Command for PayAccount {
    const NAME: &'static str = "pay_account";
    const PERMISSION: Permission = Permission::Sell;
    type Model = (DecisionProjection<OpenShiftState>, DecisionProjection<AccountState>);
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        self.paid.check(context)?;
        Ok((shift_of(&context.till), debt_of(&self.customer)))
    }

    fn decide(
        &self,
        (shift, state): &(OpenShiftState, AccountState),
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let shift = shift.open()?.clone();
        let (customer, paid) = (self.customer.clone(), self.paid.clone());
        let PaidIn { tender, amount, reference } = paid;
        if amount.minor() > state.owed {
            let owed = Money::new(state.owed);
            let most = context.settings()?.currency.format(owed);
            let message = format!("This customer owes {most}. Take no more.");
            return Err(Refusal::new(RefusalCode::NotOwed, message)
                .money_left(owed)
                .action(NextAction::CorrectInput)
                .because(&state.evidence));
        }
        Ok(vec![AccountPaid { customer, shift, tender, amount, reference }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::AccountPaid(_), .. }]).then_some(())
    }
}

impl Command for BounceAccountPayment {
    const NAME: &'static str = "bounce_account_payment";
    const PERMISSION: Permission = Permission::ReversePayment;
    type Model = DecisionProjection<AccountState>;
    type Answer = ();

    fn model(&self, _context: &Context<'_>) -> Result<Self::Model, Refusal> {
        payment::amount_makes_sense(Tender::Card, self.amount)?;
        input::optional("reference", self.reference.as_deref(), input::MAX_TEXT_CHARS)?;
        input::name("reason", &self.reason)?;
        Ok(paid_by(&self.customer))
    }

    fn decide(
        &self,
        state: &AccountState,
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let Self { customer, amount, reference, reason } = self.clone();
        let currency = context.settings()?.currency;
        payment::was_paid(state.paid_by_card, amount, currency, &state.evidence)?;
        payment::sum_is_exact(state.owed, amount)?;
        Ok(vec![AccountPaymentBounced { customer, amount, reference, reason }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        let [Recorded { event, .. }] = recorded else { return None };
        matches!(event, ShopEvent::AccountPaymentBounced(_)).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;
    use dcb::{Event, EventStore, MemoryStore};

    use super::*;
    use crate::payment::Tender;
    use crate::testing::{
        Interrupted, act, at, cart, customer, customer_added, happened, of_request, open_shop,
        open_shop_and, refusal, shift_at, stored, with_customers,
    };
    use crate::{Checkout, CloseShift};

    fn limited(who: &str, minor: i64) -> Event {
        happened(CreditLimitSet { customer: customer(who), limit: Money::new(minor) })
    }

    /// Customers 7 and 8 may owe 3.00.
    fn shop() -> MemoryStore {
        stored(&with_customers(open_shop_and([limited("7", 300), limited("8", 300)])))
    }

    fn on_account(who: &str, product: &str, quantity: i64, minor: i64) -> Checkout {
        Checkout {
            customer: Some(customer(who)),
            ..cart(&[(product, quantity)], &[(Tender::Account, minor)])
        }
    }

    fn pay(who: &str, minor: i64) -> PayAccount {
        let paid = PaidIn { tender: Tender::Cash, amount: Money::new(minor), reference: None };
        PayAccount { customer: customer(who), paid }
    }

    fn pay_by_card(who: &str, minor: i64) -> PayAccount {
        let paid = PaidIn { tender: Tender::Card, ..pay(who, minor).paid };
        PayAccount { paid, ..pay(who, minor) }
    }

    fn bounce(who: &str, minor: i64) -> BounceAccountPayment {
        BounceAccountPayment {
            customer: customer(who),
            amount: Money::new(minor),
            reference: Some("0042".into()),
            reason: "no funds".into(),
        }
    }

    fn set(who: &str, minor: i64) -> SetCreditLimit {
        SetCreditLimit { customer: customer(who), limit: Money::new(minor) }
    }

    fn owed(store: &MemoryStore, who: &str) -> i64 {
        Account::find(store, &customer(who)).unwrap().owed.minor()
    }

    #[test]
    fn a_limit_is_set_for_a_customer_who_exists() {
        let event = CreditLimitSet { customer: customer("7"), limit: Money::new(300) };
        given(open_shop_and([customer_added("7")]))
            .when(act(set("7", 300)))
            .then_recorded(of_request([event.into()]));
        let refused = refusal(given(open_shop()).when(act(set("7", 300))).then_refused());
        assert_eq!(refused.code, RefusalCode::CustomerUnknown);
        let refused = refusal(given(open_shop()).when(act(set("7", -1))).then_refused());
        assert_eq!(refused.code, RefusalCode::InvalidInput);
    }

    #[test]
    fn a_customer_owes_no_more_than_the_limit() {
        let store = shop();
        at("T1", 1).act(&store, &on_account("7", "A", 2, 240)).unwrap();
        let refused = refusal(at("T2", 2).act(&store, &on_account("7", "B", 1, 99)).unwrap_err());
        assert_eq!(refused.code, RefusalCode::CreditExceeded);
        assert_eq!(refused.message, "Of 3.00 of credit 2.40 is owed. Charge at most 0.60.");
        let details = refused.details;
        assert_eq!((details.left, details.action), (Some(60), Some(NextAction::TakePayment)));
        assert_eq!(details.because.positions().len(), 2);
        let nobody = Checkout { customer: None, ..on_account("7", "B", 1, 99) };
        let refused = refusal(at("T2", 3).act(&store, &nobody).unwrap_err());
        assert_eq!(refused.code, RefusalCode::CustomerNeeded);
        let stranger = refusal(at("T2", 4).act(&store, &on_account("9", "B", 1, 99)).unwrap_err());
        assert_eq!(stranger.message, "This customer has no credit. Take another payment.");
        at("T2", 5).act(&store, &on_account("8", "B", 1, 99)).unwrap();
    }

    #[test]
    fn what_is_owed_is_paid_but_no_more() {
        let store = shop();
        at("T1", 1).act(&store, &on_account("7", "A", 2, 240)).unwrap();
        let refused = refusal(at("T1", 2).act(&store, &pay("7", 241)).unwrap_err());
        assert_eq!((refused.code, refused.details.left), (RefusalCode::NotOwed, Some(240)));
        at("T1", 3).act(&store, &pay("7", 200)).unwrap();
        assert_eq!(owed(&store, "7"), 40);
        at("T1", 4).act(&store, &on_account("7", "B", 1, 99)).unwrap();
        assert_eq!(owed(&store, "7"), 139);
        let close = CloseShift::counted(shift_at("T1"), Money::new(5_200));
        assert_eq!(at("T1", 5).act(&store, &close).unwrap().answer.variance, Money::ZERO);
    }

    #[test]
    fn a_payment_that_bounced_is_owed_again_but_no_more_than_was_paid_by_card() {
        let store = shop();
        at("T1", 1).act(&store, &on_account("7", "A", 2, 240)).unwrap();
        at("T1", 2).act(&store, &pay("7", 100)).unwrap();
        at("T1", 3).act(&store, &pay_by_card("7", 140)).unwrap();
        let none = refusal(at("T1", 4).act(&store, &bounce("8", 1)).unwrap_err());
        assert_eq!((none.code, none.details.left), (RefusalCode::NotPaid, Some(0)));
        let refused = refusal(at("T1", 5).act(&store, &bounce("7", 141)).unwrap_err());
        assert_eq!((refused.code, refused.details.left), (RefusalCode::NotPaid, Some(140)));
        assert_eq!(refused.details.because.positions().len(), 4);
        store.append(&[limited("7", 0)], None).unwrap();
        at("T1", 7).act(&store, &bounce("7", 140)).unwrap();
        assert_eq!(owed(&store, "7"), 140);
        at("T1", 8).act(&store, &bounce("7", 1)).unwrap_err();
        at("T1", 9).act(&store, &pay("7", 140)).unwrap();
        // The drawer knows nothing of what bounced.
        let close = CloseShift::counted(shift_at("T1"), Money::new(5_240));
        assert_eq!(at("T1", 10).act(&store, &close).unwrap().answer.variance, Money::ZERO);
    }

    #[test]
    fn a_payment_that_bounced_is_recorded_with_its_reason() {
        let paid = AccountPaid {
            customer: customer("7"),
            shift: shift_at("T1"),
            tender: Tender::Card,
            amount: Money::new(100),
            reference: None,
        };
        let BounceAccountPayment { customer, amount, reference, reason } = bounce("7", 100);
        let bounced = AccountPaymentBounced { customer, amount, reference, reason };
        given(open_shop_and([customer_added("7"), happened(paid)]))
            .when(act(bounce("7", 100)))
            .then_recorded(of_request([bounced.into()]));
        for odd in [
            BounceAccountPayment { amount: Money::ZERO, ..bounce("7", 1) },
            BounceAccountPayment { reason: String::new(), ..bounce("7", 1) },
            BounceAccountPayment { reference: Some("x".repeat(201)), ..bounce("7", 1) },
        ] {
            let code = refusal(given(open_shop()).when(act(odd)).then_refused()).code;
            assert!(matches!(code, RefusalCode::PaymentOutOfBounds | RefusalCode::InvalidInput));
        }
    }

    #[test]
    fn a_payment_bounces_once() {
        let store = shop();
        at("T1", 1).act(&store, &on_account("7", "A", 1, 120)).unwrap();
        at("T1", 2).act(&store, &pay_by_card("7", 120)).unwrap();
        let rival = || drop(at("T2", 3).act(&store, &bounce("7", 100)).unwrap());
        let mine = Interrupted::new(bounce("7", 100), rival);
        let refused = refusal(at("T1", 4).act(&store, &mine).unwrap_err());
        assert_eq!((refused.code, refused.details.left), (RefusalCode::NotPaid, Some(20)));
        let rival = || drop(at("T2", 5).act(&store, &pay("7", 10)).unwrap());
        let mine = Interrupted::new(bounce("7", 20), rival);
        assert_eq!(at("T1", 6).act(&store, &mine).unwrap().trace.conflicts(), 0);
    }

    #[test]
    fn charges_bounced_payments_and_a_lowered_limit_conflict_and_paying_does_not() {
        let conflicts = |rival: &dyn Fn(&MemoryStore)| {
            let store = shop();
            at("T1", 7).act(&store, &on_account("7", "B", 2, 198)).unwrap();
            at("T1", 8).act(&store, &pay_by_card("7", 99)).unwrap();
            let mine = Interrupted::new(on_account("7", "A", 1, 120), || rival(&store));
            let done = at("T1", 1).act(&store, &mine);
            done.map(|done| done.trace.conflicts()).map_err(|rejected| refusal(rejected).code)
        };
        let charge = |who: &'static str| {
            move |store: &MemoryStore| {
                drop(at("T2", 2).act(store, &on_account(who, "B", 1, 99)).unwrap());
            }
        };
        assert_eq!(conflicts(&charge("7")), Err(RefusalCode::CreditExceeded));
        assert_eq!(conflicts(&charge("8")), Ok(0));
        let lower =
            |store: &MemoryStore| store.append(&[limited("7", 200)], None).map(drop).unwrap();
        assert_eq!(conflicts(&lower), Err(RefusalCode::CreditExceeded));
        let bounce = |store: &MemoryStore| drop(at("T2", 2).act(store, &bounce("7", 99)).unwrap());
        assert_eq!(conflicts(&bounce), Err(RefusalCode::CreditExceeded));
        let pay = |store: &MemoryStore| drop(at("T2", 2).act(store, &pay("7", 50)).unwrap());
        assert_eq!(conflicts(&pay), Ok(0));
        let cash = |store: &MemoryStore| {
            let sale = Checkout {
                customer: Some(customer("7")),
                ..cart(&[("B", 1)], &[(Tender::Cash, 99)])
            };
            drop(at("T2", 2).act(store, &sale).unwrap());
        };
        assert_eq!(conflicts(&cash), Ok(0));
    }

    #[test]
    fn a_debt_is_paid_once() {
        let store = shop();
        at("T1", 1).act(&store, &on_account("7", "A", 1, 120)).unwrap();
        let rival = || drop(at("T2", 2).act(&store, &pay("7", 100)).unwrap());
        let mine = Interrupted::new(pay("7", 100), rival);
        let refused = refusal(at("T1", 3).act(&store, &mine).unwrap_err());
        assert_eq!((refused.code, refused.details.left), (RefusalCode::NotOwed, Some(20)));
    }
}
