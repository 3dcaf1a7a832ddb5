//! Shifts: one open per till, sales only in an open one, and cash that adds up at closing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use dcb::{DecisionProjection, EventRef, Projection, Query};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::calendar::{BusinessDay, When};
use crate::command::{Command, Context};
use crate::event::{
    Denomination, JournalMark, Recorded, ShiftClosed, ShiftOpened, ShopEvent, of_types,
};
use crate::ids::{ShiftId, TillId};
use crate::input;
use crate::money::Money;
use crate::permission::Permission;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};
use crate::totals::{Tally, totals_of};

/// Opens a shift at the till. It is called by the request's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenShift {
    /// The cash in the drawer; 0 or more.
    pub float: Money,
}

/// A shift that was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ShiftStarted {
    /// The new shift's id.
    pub shift: ShiftId,
}

/// The till's open shift, if it has one.
#[derive(Clone, Debug, Default)]
pub struct OpenShiftState {
    shift: Option<ShiftId>,
    float: Money,
    evidence: Evidence,
}

impl OpenShiftState {
    /// The open shift, or the refusal that there is none.
    pub(crate) fn open(&self) -> Result<&ShiftId, Refusal> {
        self.shift.as_ref().ok_or_else(|| {
            let message = "No shift is open at this till. Open one first.";
            Refusal::new(RefusalCode::ShiftClosed, message)
                .action(NextAction::OpenShift)
                .because(&self.evidence)
        })
    }

    /// Refuses unless this is the open shift, and tells what to do about the other one.
    pub(crate) fn is_open(&self, shift: &ShiftId, what_to_do: &str) -> Result<(), Refusal> {
        if self.open()? == shift {
            return Ok(());
        }
        let message = format!("Another shift is open at this till by now. {what_to_do}");
        Err(Refusal::new(RefusalCode::ShiftClosed, message)
            .action(NextAction::CorrectInput)
            .because(&self.evidence))
    }

    /// The cash that was in the drawer when it was opened.
    pub(crate) fn float(&self) -> Money {
        self.float
    }
}

/// The till's open shift: what opens or closes one conflicts, at this till only.
pub(crate) fn shift_of(till: &TillId) -> DecisionProjection<OpenShiftState> {
    let query = Query::tagged([ShiftOpened::TYPE, ShiftClosed::TYPE], till.tag());
    DecisionProjection::last(OpenShiftState::default(), query, |event| {
        let (shift, float) = match ShopEvent::decode(event)? {
            ShopEvent::ShiftOpened(e) => (Some(e.shift), e.float),
            _ => (None, Money::ZERO),
        };
        Some(OpenShiftState { shift, float, evidence: Evidence::only(event.position) })
    })
    .named("shift", 1, till)
}

impl Command for OpenShift {
    const NAME: &'static str = "open_shift";
    const PERMISSION: Permission = Permission::RunShifts;
    type Model = DecisionProjection<OpenShiftState>;
    type Answer = ShiftStarted;

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::cash(self.float)?;
        Ok(shift_of(&context.till))
    }

    fn decide(
        &self,
        state: &OpenShiftState,
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        if state.shift.is_some() {
            let message = "A shift is open at this till already. Close it first.";
            return Err(Refusal::new(RefusalCode::ShiftOpen, message)
                .action(NextAction::CloseShift)
                .because(&state.evidence));
        }
        let (shift, till) = (ShiftId::from(context.request_id), context.till.clone());
        Ok(vec![ShiftOpened { shift, till, float: self.float }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<ShiftStarted> {
        match recorded {
            [Recorded { event: ShopEvent::ShiftOpened(e), .. }] => {
                Some(ShiftStarted { shift: e.shift.clone() })
            }
            _ => None,
        }
    }
}

/// Closes the till's open shift with the cash that was found in the drawer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloseShift {
    /// The shift that was counted: what was counted for one cannot close another.
    pub shift: ShiftId,
    /// The cash in the drawer; 0 or more.
    pub counted_cash: Money,
    /// The notes and coins it was counted by, if it was; they make up `countedCash`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<Denomination>>")]
    pub denominations: Vec<Denomination>,
    /// The head of the history when the drawer was counted. What happened in the shift since makes
    /// the count worthless; without it, it is taken to be of this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub as_of: Option<u64>,
}

/// The most kinds of notes and coins that are counted.
const MAX_DENOMINATIONS: usize = 100;

/// What closing a shift came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ShiftResult {
    /// The cash that should have been there: the float, what was taken, less what was paid back.
    pub expected: Money,
    /// The cash that was found.
    pub counted: Money,
    /// `counted - expected`: negative if cash is missing.
    pub variance: Money,
    /// The number of the Z report; `null` for shifts closed before there were any.
    #[ts(type = "number | null")]
    pub z: Option<u64>,
    /// What the journal was then, to be printed; `null` where the store cannot tell.
    pub journal: Option<JournalMark>,
}

impl CloseShift {
    /// Closes a shift with so much cash, counted just now.
    pub fn counted(shift: ShiftId, counted_cash: Money) -> Self {
        Self { shift, counted_cash, denominations: Vec::new(), as_of: None }
    }

    fn check(&self) -> Result<(), Refusal> {
        input::counted_cash(self.counted_cash)?;
        if self.denominations.is_empty() {
            return Ok(());
        }
        if self.denominations.len() > MAX_DENOMINATIONS {
            let message = format!("At most {MAX_DENOMINATIONS} kinds of notes and coins fit.");
            return Err(input::invalid(message));
        }
        let worth = |kind: &Denomination| {
            let value = Some(kind.value.minor()).filter(|value| *value > 0)?;
            value.checked_mul(kind.pieces.into()).map(Money::new)
        };
        let worths: Option<Vec<Money>> = self.denominations.iter().map(worth).collect();
        if worths.and_then(Money::checked_sum) == Some(self.counted_cash) {
            return Ok(());
        }
        Err(input::invalid("The notes and coins do not make up the cash counted. Correct them."))
    }
}

/// The number of the till's last Z report: what closes a shift here conflicts, as it does anyway.
fn last_z_of(till: &TillId) -> DecisionProjection<u64> {
    let query = Query::tagged([ShiftClosed::TYPE], till.tag());
    DecisionProjection::last(0, query, |event| match ShopEvent::decode(event) {
        // Before one without a number there was none with one.
        Some(ShopEvent::ShiftClosed(e)) => Some(e.z.unwrap_or_default()),
        _ => None,
    })
    .named("last_z", 1, till)
}

impl Command for CloseShift {
    const NAME: &'static str = "close_shift";
    const PERMISSION: Permission = Permission::RunShifts;
    const RECORDS_JOURNAL: bool = true;
    type Model =
        (DecisionProjection<OpenShiftState>, DecisionProjection<Tally>, DecisionProjection<u64>);
    type Answer = ShiftResult;

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        self.check()?;
        Ok((shift_of(&context.till), totals_of(&self.shift), last_z_of(&context.till)))
    }

    fn decide(
        &self,
        (state, tally, last_z): &(OpenShiftState, Tally, u64),
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        state.is_open(&self.shift, "Count the drawer again.")?;
        tally.counted_at(self.as_of)?;
        let overflow = input::overflow;
        let expected = state.float.checked_add(tally.totals.cash).ok_or_else(overflow)?;
        let variance = self.counted_cash.checked_sub(expected).ok_or_else(overflow)?;
        // How much it is off is told only once the count stands: else one could count to fit.
        let limit = context.settings()?.tills.variance_limit;
        if variance.minor().saturating_abs() > limit.minor() {
            context.permit(Permission::AcceptVariance)?;
        }
        let closed = ShiftClosed {
            shift: self.shift.clone(),
            till: context.till.clone(),
            counted: self.counted_cash,
            expected,
            denominations: self.denominations.clone(),
            z: Some(last_z.saturating_add(1)),
            journal: context.journal.clone(),
        };
        Ok(vec![closed.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<ShiftResult> {
        match recorded {
            [Recorded { event: ShopEvent::ShiftClosed(e), .. }] => Some(ShiftResult {
                expected: e.expected,
                counted: e.counted,
                variance: e.counted.checked_sub(e.expected)?,
                z: e.z,
                journal: e.journal.clone(),
            }),
            _ => None,
        }
    }
}

/// A shift that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Shift {
    /// The shift.
    pub shift: ShiftId,
    /// Its till.
    pub till: TillId,
    /// When it was opened.
    #[ts(type = "string")]
    pub opened_at: DateTime<Utc>,
    /// The business day on which it was opened.
    pub business_day: BusinessDay,
    /// The cash that was in the drawer then.
    pub float: Money,
}

/// A view of the open shift of each till.
#[derive(Clone, Debug, Default)]
pub struct OpenShifts {
    by_till: BTreeMap<TillId, Shift>,
}

impl OpenShifts {
    /// The shift that is open at this till.
    pub fn at(&self, till: &TillId) -> Option<&Shift> {
        self.by_till.get(till)
    }

    /// All open shifts, by till.
    pub fn iter(&self) -> impl Iterator<Item = &Shift> {
        self.by_till.values()
    }
}

impl Projection for OpenShifts {
    fn query(&self) -> Query {
        of_types([ShiftOpened::TYPE, ShiftClosed::TYPE])
    }

    fn apply(&mut self, event: &EventRef<'_>) {
        match (ShopEvent::decode(event), When::of(event)) {
            (Some(ShopEvent::ShiftOpened(e)), Some(when)) => {
                let shift = Shift {
                    shift: e.shift,
                    till: e.till.clone(),
                    opened_at: when.at,
                    business_day: when.business_day,
                    float: e.float,
                };
                self.by_till.insert(e.till, shift);
            }
            (Some(ShopEvent::ShiftClosed(e)), _) => {
                self.by_till.remove(&e.till);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;
    use dcb::{EventStore, MemoryStore};
    use uuid::Uuid;

    use super::*;
    use crate::testing::{
        Actor, Interrupted, act, added, at, cart, configured, hired, of_request, opened, received,
        refusal, seen, shift_at, sku, stored, till, units,
    };
    use crate::{Authority, IssueGiftCard, PaidIn, Refund, RefundLine, Role, Tender, UserId};

    fn close(counted: i64) -> CloseShift {
        CloseShift::counted(shift_at("T1"), Money::new(counted))
    }

    fn open_shop() -> MemoryStore {
        let store = MemoryStore::new();
        let events = [configured(), added("A", 100), received("A", 50), opened("T1"), opened("T2")];
        store.append(&events, None).unwrap();
        store
    }

    fn give_back(tender: Tender) -> Refund {
        Refund {
            lines: vec![RefundLine {
                product: sku("A"),
                quantity: units(1),
                price: Money::new(100),
            }],
            tender,
            reason: String::new(),
            customer: None,
            reference: None,
            restock: true,
        }
    }

    #[test]
    fn a_shift_opens_with_a_float_and_is_called_by_its_request() {
        let (shift, float) = (ShiftId::from(Uuid::from_u128(1)), Money::new(5000));
        let expected = ShiftOpened { shift: shift.clone(), till: till("T1"), float };
        let done = given([configured()])
            .when(act(OpenShift { float }))
            .then_recorded(of_request([expected.into()]));
        assert_eq!(done.answer, ShiftStarted { shift });
    }

    #[test]
    fn a_till_has_one_open_shift_and_others_do_not_matter() {
        let open = || OpenShift { float: Money::ZERO };
        let refused = given([configured(), opened("T1")]).when(act(open())).then_refused();
        let refusal = refusal(refused);
        assert_eq!(refusal.code, RefusalCode::ShiftOpen);
        assert_eq!(refusal.details.because.positions(), [2]);
        given([configured(), opened("T2")]).when(act(open())).then_accepted();
    }

    #[test]
    fn closing_expects_the_float_and_the_cash_that_moved_in_this_shift() {
        let store = open_shop();
        at("T1", 1).act(&store, &cart(&[("A", 3)], &[(Tender::Cash, 1000)])).unwrap();
        at("T1", 2).act(&store, &cart(&[("A", 2)], &[(Tender::Card, 200)])).unwrap();
        let split = [(Tender::Card, 150), (Tender::Cash, 60)];
        at("T1", 3).act(&store, &cart(&[("A", 2)], &split)).unwrap();
        at("T1", 4).act(&store, &give_back(Tender::Cash)).unwrap();
        at("T1", 5).act(&store, &give_back(Tender::Card)).unwrap();
        at("T2", 6).act(&store, &cart(&[("A", 1)], &[(Tender::Cash, 100)])).unwrap();
        let expected = Money::new(5000 + 300 + 50 - 100);
        let (counted, variance) = (Money::new(5245), Money::new(-5));
        let done = at("T1", 7).act(&store, &close(5245)).unwrap();
        let (z, journal) = (Some(1), None);
        assert_eq!(done.answer, ShiftResult { expected, counted, variance, z, journal });
    }

    #[test]
    fn a_late_sale_is_counted_when_a_shift_closes() {
        let store = open_shop();
        let late = cart(&[("A", 1)], &[(Tender::Cash, 100)]);
        let closing = Interrupted::new(close(5100), || drop(at("T1", 1).act(&store, &late)));
        let done = at("T1", 2).act(&store, &closing).unwrap();
        assert_eq!((done.answer.variance, done.trace.conflicts()), (Money::ZERO, 1));
        let elsewhere = CloseShift::counted(shift_at("T2"), Money::new(5000));
        assert_eq!(at("T2", 3).act(&store, &elsewhere).unwrap().trace.conflicts(), 0);
    }

    #[test]
    fn a_count_that_something_happened_after_is_made_again() {
        let store = open_shop();
        let counted = CloseShift { as_of: Some(store.head().unwrap()), ..close(5000) };
        let cash = cart(&[("A", 1)], &[(Tender::Cash, 100)]);
        at("T2", 1).act(&store, &cash).unwrap();
        let late = || drop(at("T1", 2).act(&store, &cash));
        let refused = at("T1", 3).act(&store, &Interrupted::new(counted.clone(), late));
        let refusal = refusal(refused.unwrap_err());
        assert_eq!(refusal.code, RefusalCode::CountOutdated);
        assert_eq!(refusal.details.action, Some(NextAction::CountAgain));
        let again = CloseShift {
            as_of: Some(store.head().unwrap()),
            counted_cash: Money::new(5100),
            ..counted
        };
        assert_eq!(at("T1", 4).act(&store, &again).unwrap().answer.variance, Money::ZERO);
    }

    #[test]
    fn notes_and_coins_make_up_what_was_counted() {
        let store = open_shop();
        let kind = |value, pieces| Denomination { value: Money::new(value), pieces };
        let close_with = |denominations| CloseShift { denominations, ..close(5000) };
        for wrong in [vec![kind(1000, 4)], vec![kind(0, 1), kind(5000, 1)], vec![kind(i64::MAX, 9)]]
        {
            let refused = at("T1", 1).act(&store, &close_with(wrong)).unwrap_err();
            assert_eq!(refusal(refused).code, RefusalCode::InvalidInput);
        }
        let right = close_with(vec![kind(2000, 2), kind(500, 2)]);
        at("T1", 2).act(&store, &right).unwrap();
    }

    #[test]
    fn a_count_that_is_far_off_needs_who_may_accept_it_and_does_not_tell_how_far() {
        let store = open_shop();
        store.append(&[hired("ann", Role::Cashier)], None).unwrap();
        let user = UserId::new("ann").unwrap();
        let cashier =
            |n| Actor { authority: Authority::staff(&user, Role::Cashier), ..at("T1", n) };
        for off in [-501, 501] {
            let refusal = refusal(cashier(1).act(&store, &close(5000 + off)).unwrap_err());
            assert_eq!((refusal.code, refusal.details.left), (RefusalCode::NotPermitted, None));
            assert!(!refusal.message.contains("5.01"), "{refusal}");
        }
        assert_eq!(cashier(2).act(&store, &close(4500)).unwrap().answer.variance.minor(), -500);
    }

    #[test]
    fn however_much_cash_came_in_the_shift_can_be_closed() {
        let store = stored(&[configured(), added("A", 100)]);
        let much = Money::MAX_CASH;
        let open = |float| at("T1", 1).act(&store, &OpenShift { float });
        let more = Money::new(much.minor() + 1);
        assert_eq!(refusal(open(more).unwrap_err()).code, RefusalCode::InvalidInput);
        let shift = open(much).unwrap().answer.shift;
        let paid = |amount| PaidIn { tender: Tender::Cash, amount, reference: None };
        let issue = |card: &str, amount| IssueGiftCard {
            card: crate::GiftCardId::new(card).unwrap(),
            paid: paid(amount),
        };
        let refused = at("T1", 2).act(&store, &issue("G1", more)).unwrap_err();
        assert_eq!(refusal(refused).code, RefusalCode::PaymentOutOfBounds);
        let refused = at("T1", 3).act(&store, &cart(&[("A", 1)], &[(Tender::Cash, more.minor())]));
        assert_eq!(refusal(refused.unwrap_err()).code, RefusalCode::PaymentOutOfBounds);
        for n in 0..20 {
            at("T1", 10 + n).act(&store, &issue(&format!("G{n}"), much)).unwrap();
        }
        let close = CloseShift::counted(shift, Money::new(21 * much.minor()));
        assert_eq!(at("T1", 4).act(&store, &close).unwrap().answer.variance, Money::ZERO);
    }

    #[test]
    fn z_numbers_go_up_by_one_at_each_till_and_hold_what_the_journal_was() {
        let store = open_shop();
        let reopen = |till, n| {
            let opened = at(till, n).act(&store, &OpenShift { float: Money::ZERO }).unwrap();
            opened.answer.shift
        };
        let mark = JournalMark { position: 5, hash: "ab".into() };
        let closer = Actor { journal: Some(mark.clone()), ..at("T1", 1) };
        let first = closer.act(&store, &close(5000)).unwrap().answer;
        assert_eq!((first.z, first.journal), (Some(1), Some(mark)));
        for (n, z) in [(2, 2), (4, 3)] {
            let shift = reopen("T1", n);
            let close = CloseShift::counted(shift, Money::ZERO);
            assert_eq!(at("T1", n + 1).act(&store, &close).unwrap().answer.z, Some(z));
        }
        let elsewhere = CloseShift::counted(shift_at("T2"), Money::new(5000));
        assert_eq!(at("T2", 9).act(&store, &elsewhere).unwrap().answer.z, Some(1));
    }

    #[test]
    fn only_the_open_shift_can_be_closed() {
        let store = open_shop();
        let other = CloseShift::counted(shift_at("T2"), Money::ZERO);
        let refused = at("T1", 1).act(&store, &other).unwrap_err();
        assert_eq!(refusal(refused).code, RefusalCode::ShiftClosed);
        at("T1", 2).act(&store, &close(5000)).unwrap();
        let refused = at("T1", 3).act(&store, &close(5000)).unwrap_err();
        assert_eq!(refusal(refused).code, RefusalCode::ShiftClosed);
        let refused =
            at("T2", 4).act(&store, &CloseShift { counted_cash: Money::new(-1), ..other });
        assert_eq!(refusal(refused.unwrap_err()).code, RefusalCode::InvalidInput);
    }

    #[test]
    fn open_shifts_are_seen_until_they_close() {
        let store = open_shop();
        at("T1", 1).act(&store, &close(5000)).unwrap();
        let shifts: OpenShifts = seen(&store);
        assert_eq!(shifts.at(&till("T1")), None);
        assert_eq!(shifts.at(&till("T2")).unwrap().float, Money::new(5000));
        assert_eq!(shifts.iter().count(), 1);
    }
}
