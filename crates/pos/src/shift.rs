//! Shifts: one open per till, sales only in an open one, and cash that adds up at closing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use dcb::{DecisionProjection, EventRef, Projection, Query};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::calendar::{BusinessDay, When};
use crate::command::{Command, Context};
use crate::event::{
    PaymentRefunded, PaymentTaken, Recorded, ShiftClosed, ShiftOpened, ShopEvent, Tender, of_types,
};
use crate::ids::{ShiftId, TillId};
use crate::input;
use crate::money::Money;
use crate::permission::Permission;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};

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
}

/// The till's open shift: what opens or closes one conflicts, at this till only.
pub(crate) fn shift_of(till: &TillId) -> DecisionProjection<OpenShiftState> {
    let query = Query::tagged([ShiftOpened::TYPE, ShiftClosed::TYPE], till.tag());
    DecisionProjection::new(OpenShiftState::default(), query, |state, event| {
        let (shift, float) = match ShopEvent::decode(event) {
            Some(ShopEvent::ShiftOpened(e)) => (Some(e.shift), e.float),
            _ => (None, Money::ZERO),
        };
        *state = OpenShiftState { shift, float, evidence: Evidence::only(event.position) };
    })
    .last_only()
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
}

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
}

/// The cash that came into the drawer in this shift, less what went out. A late sale conflicts, so
/// that closing counts it.
fn cash_moved_in(shift: &ShiftId) -> DecisionProjection<i128> {
    let query = Query::tagged([PaymentTaken::TYPE, PaymentRefunded::TYPE], shift.tag());
    DecisionProjection::new(0, query, |cash: &mut i128, event| {
        let moved = match ShopEvent::decode(event) {
            Some(ShopEvent::PaymentTaken(e)) if e.tender == Tender::Cash => {
                i128::from(e.amount.minor())
            }
            Some(ShopEvent::PaymentRefunded(e)) if e.tender == Tender::Cash => {
                0_i128.saturating_sub(e.amount.minor().into())
            }
            _ => 0,
        };
        *cash = cash.saturating_add(moved);
    })
}

impl Command for CloseShift {
    const NAME: &'static str = "close_shift";
    const PERMISSION: Permission = Permission::RunShifts;
    type Model = (DecisionProjection<OpenShiftState>, DecisionProjection<i128>);
    type Answer = ShiftResult;

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::cash(self.counted_cash)?;
        Ok((shift_of(&context.till), cash_moved_in(&self.shift)))
    }

    fn decide(
        &self,
        (state, cash): &(OpenShiftState, i128),
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        if state.open()? != &self.shift {
            let message = "Another shift is open at this till by now. Count the drawer again.";
            return Err(Refusal::new(RefusalCode::ShiftClosed, message)
                .action(NextAction::CorrectInput)
                .because(&state.evidence));
        }
        let expected = i128::from(state.float.minor()).saturating_add(*cash);
        let expected = i64::try_from(expected).map_err(|_| input::overflow())?;
        let (shift, till) = (self.shift.clone(), context.till.clone());
        let (expected, counted) = (Money::new(expected), self.counted_cash);
        counted.checked_sub(expected).ok_or_else(input::overflow)?;
        Ok(vec![ShiftClosed { shift, till, counted, expected }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<ShiftResult> {
        match recorded {
            [Recorded { event: ShopEvent::ShiftClosed(e), .. }] => Some(ShiftResult {
                expected: e.expected,
                counted: e.counted,
                variance: e.counted.checked_sub(e.expected)?,
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
        Interrupted, act, added, at, cart, configured, of_request, opened, received, refusal, seen,
        shift_at, sku, till, units,
    };
    use crate::{Refund, RefundLine};

    fn close(counted: i64) -> CloseShift {
        CloseShift { shift: shift_at("T1"), counted_cash: Money::new(counted) }
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
        assert_eq!(done.answer, ShiftResult { expected, counted, variance });
    }

    #[test]
    fn a_late_sale_is_counted_when_a_shift_closes() {
        let store = open_shop();
        let late = cart(&[("A", 1)], &[(Tender::Cash, 100)]);
        let closing = Interrupted::new(close(5100), || drop(at("T1", 1).act(&store, &late)));
        let done = at("T1", 2).act(&store, &closing).unwrap();
        assert_eq!((done.answer.variance, done.trace.conflicts()), (Money::ZERO, 1));
        let elsewhere = CloseShift { shift: shift_at("T2"), counted_cash: Money::new(5000) };
        assert_eq!(at("T2", 3).act(&store, &elsewhere).unwrap().trace.conflicts(), 0);
    }

    #[test]
    fn only_the_open_shift_can_be_closed() {
        let store = open_shop();
        let other = CloseShift { shift: shift_at("T2"), counted_cash: Money::ZERO };
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
