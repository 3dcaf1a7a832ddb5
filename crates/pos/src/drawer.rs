//! The cash in a drawer: what is paid in, paid out and taken to the safe beside sales, and never more
//! than is there.

use dcb::{DecisionProjection, EventStore, Query, StoreError, build_decision_model};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::command::{Command, Context};
use crate::event::{
    CashMove, CashMoved, GiftCardTopUpCancelled, PaymentRefunded, Recorded, ShopEvent,
};
use crate::ids::ShiftId;
use crate::input;
use crate::money::Money;
use crate::permission::Permission;
use crate::refusal::{NextAction, Refusal, RefusalCode};
use crate::shift::{OpenShiftState, Shift, shift_of};
use crate::totals::{ShiftTotals, add};

/// The cash in a drawer beside the float: what lowers it conflicts, a sale does not.
fn cash_in_drawer(shift: &ShiftId) -> DecisionProjection<Money> {
    let lowers = [PaymentRefunded::TYPE, GiftCardTopUpCancelled::TYPE, CashMoved::TYPE];
    let query = Query::tagged(ShiftTotals::TYPES, shift.tag());
    DecisionProjection::new(Money::ZERO, query, |cash, event| {
        let mut moved = ShiftTotals::default();
        moved.apply(event);
        add(cash, moved.cash);
    })
    .named("cash_in_drawer", 1, shift)
    .conflicts_with(Query::tagged(lowers, shift.tag()))
}

impl Shift {
    /// The cash in its drawer now, with the float.
    pub fn cash_in_drawer(&self, store: &(impl EventStore + ?Sized)) -> Result<Money, StoreError> {
        let mut cash = self.float;
        add(&mut cash, build_decision_model(store, &cash_in_drawer(&self.shift))?.state);
        Ok(cash)
    }
}

/// What an act must know that pays cash out of the drawer of the till's open shift, beside that
/// shift.
pub(crate) type CashModel = Vec<DecisionProjection<Money>>;

/// The cash in the drawer of the shift that is open as far as known, for an act that pays out of it.
pub(crate) fn cash_model(context: &Context<'_>) -> CashModel {
    context.shift.iter().map(cash_in_drawer).collect()
}

/// Refuses to pay more cash than is in the drawer of the open shift.
pub(crate) fn pay_out(
    amount: Money,
    (state, cash): (&OpenShiftState, &[Money]),
    context: &Context<'_>,
) -> Result<(), Refusal> {
    if amount == Money::ZERO {
        return Ok(());
    }
    match cash {
        [cash] if context.shift.as_ref() == Some(state.open()?) => {
            is_in_drawer(amount, (state, *cash))
        }
        _ => {
            let message = "This till's shift changed just now. Try again.";
            Err(Refusal::new(RefusalCode::ShiftClosed, message).action(NextAction::TryAgain))
        }
    }
}

/// Refuses to take more from the drawer than is in it: the float, and what came in since. How much
/// that is is not told: whoever counts it at closing is not to know what is expected.
fn is_in_drawer(amount: Money, (state, cash): (&OpenShiftState, Money)) -> Result<(), Refusal> {
    let mut left = state.float();
    add(&mut left, cash);
    if amount <= left {
        return Ok(());
    }
    let message = "There is not so much cash in the drawer. Take less, or pay cash in first.";
    Err(Refusal::new(RefusalCode::NotEnoughCash, message).action(NextAction::CorrectInput))
}

/// Pays cash into the drawer of this till's open shift, or out of it, beside sales and refunds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MoveCash {
    /// The shift, so that it counts for no other.
    pub shift: ShiftId,
    /// Which way.
    pub way: CashWay,
    /// How much; positive.
    pub amount: Money,
    /// Why.
    pub reason: String,
}

/// Into the drawer or out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum CashWay {
    /// Into it.
    In,
    /// Out of it.
    Out,
}

/// Takes cash from the drawer of this till's open shift to the safe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DropCash {
    /// The shift, so that it counts for no other.
    pub shift: ShiftId,
    /// How much; positive.
    pub amount: Money,
}

/// What moving cash must know.
type DrawerModel = (DecisionProjection<OpenShiftState>, DecisionProjection<Money>);

fn drawer_model(
    shift: &ShiftId,
    amount: Money,
    context: &Context<'_>,
) -> Result<DrawerModel, Refusal> {
    input::cash(amount)?;
    if amount == Money::ZERO {
        return Err(input::invalid("The amount is 0. Enter how much."));
    }
    Ok((shift_of(&context.till), cash_in_drawer(shift)))
}

/// The move, if there is so much in the drawer.
fn moved(
    event: CashMoved,
    (state, cash): &(OpenShiftState, Money),
) -> Result<Vec<ShopEvent>, Refusal> {
    state.is_open(&event.shift, "Move the cash in that one.")?;
    if event.how != CashMove::PaidIn {
        is_in_drawer(event.amount, (state, *cash))?;
    }
    Ok(vec![event.into()])
}

fn cash_moved(recorded: &[Recorded]) -> Option<()> {
    matches!(recorded, [Recorded { event: ShopEvent::CashMoved(_), .. }]).then_some(())
}

impl Command for MoveCash {
    const NAME: &'static str = "move_cash";
    const PERMISSION: Permission = Permission::MoveCash;
    type Model = DrawerModel;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<DrawerModel, Refusal> {
        input::name("reason", &self.reason)?;
        drawer_model(&self.shift, self.amount, context)
    }

    fn decide(
        &self,
        state: &(OpenShiftState, Money),
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let how = match self.way {
            CashWay::In => CashMove::PaidIn,
            CashWay::Out => CashMove::PaidOut,
        };
        let Self { shift, amount, reason, .. } = self.clone();
        moved(CashMoved { shift, till: context.till.clone(), how, amount, reason }, state)
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        cash_moved(recorded)
    }
}

impl Command for DropCash {
    const NAME: &'static str = "drop_cash";
    const PERMISSION: Permission = Permission::DropCash;
    type Model = DrawerModel;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<DrawerModel, Refusal> {
        drawer_model(&self.shift, self.amount, context)
    }

    fn decide(
        &self,
        state: &(OpenShiftState, Money),
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let (Self { shift, amount }, how) = (self.clone(), CashMove::SafeDrop);
        let (till, reason) = (context.till.clone(), String::new());
        moved(CashMoved { shift, till, how, amount, reason }, state)
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        cash_moved(recorded)
    }
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;
    use dcb::{Event, EventStore, MemoryStore};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{
        Interrupted, act, added, at, cart, configured, of_request, opened, received, refusal,
        shift_at, sku, till,
    };
    use crate::{
        CancelGiftCardTopUp, CloseShift, GiftCardId, IssueGiftCard, LineReturned, OpenShift,
        PaidIn, Quantity, Refund, RefundLine, RefundSale, Tender, TopUpGiftCard,
    };

    /// Till T1 is open with 50.00 in its drawer, T2 too.
    fn shop() -> Vec<Event> {
        vec![configured(), added("A", 100), received("A", 500), opened("T1"), opened("T2")]
    }

    fn stored() -> MemoryStore {
        let store = MemoryStore::new();
        store.append(&shop(), None).unwrap();
        store
    }

    fn pay(way: CashWay, amount: i64) -> MoveCash {
        let reason = "window cleaner".into();
        MoveCash { shift: shift_at("T1"), way, amount: Money::new(amount), reason }
    }

    fn drop_of(amount: i64) -> DropCash {
        DropCash { shift: shift_at("T1"), amount: Money::new(amount) }
    }

    #[test]
    fn cash_of_another_shift_is_refused_in_words_of_its_own() {
        let elsewhere = MoveCash { shift: shift_at("T2"), ..pay(CashWay::In, 300) };
        let refusal = refusal(given(shop()).when(act(elsewhere)).then_refused());
        assert_eq!(refusal.code, RefusalCode::ShiftClosed);
        let said = "Another shift is open at this till by now. Move the cash in that one.";
        assert_eq!(refusal.message, said);
    }

    #[test]
    fn cash_is_paid_in_and_out_with_a_reason_and_dropped_without() {
        let moved = |how, amount, reason: &str| CashMoved {
            shift: shift_at("T1"),
            till: till("T1"),
            how,
            amount: Money::new(amount),
            reason: reason.into(),
        };
        let reason = "window cleaner";
        given(shop()).when(act(pay(CashWay::In, 300))).then_recorded(of_request([moved(
            CashMove::PaidIn,
            300,
            reason,
        )
        .into()]));
        given(shop()).when(act(pay(CashWay::Out, 5000))).then_recorded(of_request([moved(
            CashMove::PaidOut,
            5000,
            reason,
        )
        .into()]));
        given(shop()).when(act(drop_of(4000))).then_recorded(of_request([moved(
            CashMove::SafeDrop,
            4000,
            "",
        )
        .into()]));
    }

    #[test]
    fn no_more_leaves_the_drawer_than_is_in_it() {
        let store = stored();
        at("T1", 1).act(&store, &cart(&[("A", 2)], &[(Tender::Cash, 200)])).unwrap();
        at("T1", 2).act(&store, &cart(&[("A", 2)], &[(Tender::Card, 200)])).unwrap();
        at("T1", 3).act(&store, &pay(CashWay::Out, 4000)).unwrap();
        let refusal = refusal(at("T1", 4).act(&store, &drop_of(1201)).unwrap_err());
        assert_eq!((refusal.code, refusal.details.left), (RefusalCode::NotEnoughCash, None));
        assert!(!refusal.message.contains(|c: char| c.is_ascii_digit()), "{}", refusal.message);
        at("T1", 5).act(&store, &drop_of(1200)).unwrap();
    }

    /// Does something at T1 as the request of this number, while something else happens.
    type Try<'s> = Box<dyn Fn(u128, &dyn Fn()) -> Option<RefusalCode> + 's>;

    fn trying<'s, C: Command + Clone + 's>(store: &'s MemoryStore, command: C) -> Try<'s> {
        Box::new(move |request, rival| {
            let tried = at("T1", request).act(store, &Interrupted::new(command.clone(), rival));
            tried.err().map(|rejected| refusal(rejected).code)
        })
    }

    /// Every act that pays cash out of the drawer, each 1.00.
    fn paying_out_one_pound(store: &MemoryStore) -> [(&'static str, Try<'_>); 5] {
        let one = cart(&[("A", 1)], &[(Tender::Cash, 100)]);
        let sale = at("T2", 101).act(store, &one).unwrap().answer.sale;
        let (card, tender, amount) = (GiftCardId::new("G").unwrap(), Tender::Cash, Money::new(100));
        let paid_back = PaidIn { tender, amount, reference: None };
        let issue = IssueGiftCard { card: card.clone(), paid: paid_back.clone() };
        at("T2", 102).act(store, &issue).unwrap();
        let top_up = TopUpGiftCard { card: card.clone(), paid: paid_back.clone() };
        at("T2", 103).act(store, &top_up).unwrap();
        let line = LineReturned { line: 1, quantity: Quantity::UNIT, restock: true };
        let (reason, reference) = (String::from("unwanted"), None);
        let of_sale = RefundSale { sale, lines: vec![line], reason, reference };
        let line = RefundLine { product: sku("A"), quantity: Quantity::UNIT, price: amount };
        let (reason, reference) = (String::from("unwanted"), None);
        let (customer, restock) = (None, true);
        let refund = Refund { lines: vec![line], tender, reason, customer, reference, restock };
        let cancel = CancelGiftCardTopUp { card, paid_back, reason: "typed wrong".into() };
        [
            ("paid out", trying(store, pay(CashWay::Out, 100))),
            ("safe drop", trying(store, drop_of(100))),
            ("refund", trying(store, refund)),
            ("refund of a sale", trying(store, of_sale)),
            ("cancelled top-up", trying(store, cancel)),
        ]
    }

    #[test]
    fn whatever_pays_cash_out_asks_whether_the_drawer_holds_so_much() {
        let store = stored();
        let acts = paying_out_one_pound(&store);
        at("T1", 1).act(&store, &drop_of(4_901)).unwrap();
        for (request, (name, act)) in (10..).zip(&acts) {
            assert_eq!(act(request, &|| {}), Some(RefusalCode::NotEnoughCash), "{name}");
        }
        at("T1", 2).act(&store, &pay(CashWay::In, 401)).unwrap();
        for (request, (name, act)) in (20..).zip(&acts) {
            assert_eq!(act(request, &|| {}), None, "{name}");
        }
        at("T1", 3).act(&store, &CloseShift::counted(shift_at("T1"), Money::ZERO)).unwrap();
        for (request, (name, act)) in (30..).zip(&acts) {
            assert_eq!(act(request, &|| {}), Some(RefusalCode::ShiftClosed), "{name}");
        }
    }

    #[test]
    fn whatever_pays_cash_out_conflicts_with_what_lowers_the_same_drawer() {
        let store = stored();
        let acts = paying_out_one_pound(&store);
        at("T1", 1).act(&store, &drop_of(4_900)).unwrap();
        for (request, (name, act)) in (10..).step_by(3).zip(&acts) {
            let rival = || drop(at("T1", request + 1).act(&store, &drop_of(1)).unwrap());
            assert_eq!(act(request, &rival), Some(RefusalCode::NotEnoughCash), "{name}");
            at("T1", request + 2).act(&store, &pay(CashWay::In, 1)).unwrap();
        }
    }

    #[test]
    fn no_cash_of_another_shift_is_paid_out() {
        let store = stored();
        let [.., (_, refund), _, _] = paying_out_one_pound(&store);
        let next_shift = || {
            at("T1", 1)
                .act(&store, &CloseShift::counted(shift_at("T1"), Money::new(5_000)))
                .unwrap();
            at("T1", 2).act(&store, &OpenShift { float: Money::new(5_000) }).unwrap();
        };
        assert_eq!(refund(3, &next_shift), Some(RefusalCode::ShiftClosed));
        assert_eq!(refund(4, &|| {}), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for amount in [0, -5] {
            let refused = given(shop()).when(act(drop_of(amount))).then_refused();
            assert_eq!(refusal(refused).code, RefusalCode::InvalidInput);
        }
        let without_reason = MoveCash { reason: " ".into(), ..pay(CashWay::In, 5) };
        let refused = given(shop()).when(act(without_reason)).then_refused();
        assert_eq!(refusal(refused).code, RefusalCode::InvalidInput);
        let elsewhere = DropCash { shift: shift_at("T2"), ..drop_of(5) };
        let refused = given(shop()).when(act(elsewhere)).then_refused();
        assert_eq!(refusal(refused).code, RefusalCode::ShiftClosed);
    }

    #[test]
    fn another_drop_conflicts_and_sales_and_other_drawers_do_not() {
        let store = stored();
        let rival = || drop(at("T1", 1).act(&store, &drop_of(3000)));
        let refused = at("T1", 2).act(&store, &Interrupted::new(drop_of(3000), rival)).unwrap_err();
        assert_eq!(refusal(refused).code, RefusalCode::NotEnoughCash);
        let rival = || {
            let cash = cart(&[("A", 1)], &[(Tender::Cash, 100)]);
            at("T1", 3).act(&store, &cash).unwrap();
            at("T1", 4).act(&store, &cart(&[("A", 1)], &[(Tender::Card, 100)])).unwrap();
            let other = DropCash { shift: shift_at("T2"), ..drop_of(100) };
            at("T2", 5).act(&store, &other).unwrap();
        };
        let done = at("T1", 6).act(&store, &Interrupted::new(drop_of(500), rival)).unwrap();
        assert_eq!(done.trace.conflicts(), 0);
    }

    proptest! {
        /// By pencil: the float, and every coin that came and went.
        #[test]
        fn the_drawer_is_what_came_less_what_went(
            moves in prop::collection::vec((0..4_u8, 1..4_000_i64), 1..30),
        ) {
            let store = stored();
            let mut drawer = 5000;
            for (request, (kind, amount)) in moves.into_iter().enumerate() {
                let teller = at("T1", request as u128 + 1);
                let units = amount % 3 + 1;
                let may = amount <= drawer;
                match kind {
                    0 => {
                        teller.act(&store, &cart(&[("A", units)], &[(Tender::Cash, 1000)])).unwrap();
                        drawer += units * 100;
                    }
                    1 => {
                        teller.act(&store, &pay(CashWay::In, amount)).unwrap();
                        drawer += amount;
                    }
                    2 => {
                        prop_assert_eq!(teller.act(&store, &pay(CashWay::Out, amount)).is_ok(), may);
                        drawer -= if may { amount } else { 0 };
                    }
                    _ => {
                        prop_assert_eq!(teller.act(&store, &drop_of(amount)).is_ok(), may);
                        drawer -= if may { amount } else { 0 };
                    }
                }
            }
            let mut totals = ShiftTotals::default();
            let query = Query::tagged(ShiftTotals::TYPES, shift_at("T1").tag());
            let mut events = store.read(&query, dcb::ReadOptions::default()).unwrap();
            while let Some(event) = events.next_ref().unwrap() {
                totals.apply(&event);
            }
            prop_assert_eq!(totals.cash.minor() + 5000, drawer);
        }
    }
}
