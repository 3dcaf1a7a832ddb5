//! Gift cards: money paid before it is spent, by whoever holds the card.

use std::collections::BTreeMap;

use dcb::{DecisionProjection, EventStore, Query, StoreError, build_decision_model};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::command::{Command, Context};
use crate::drawer::{self, CashModel};
use crate::event::{
    GiftCardBlocked, GiftCardCredited, GiftCardIssued, GiftCardRedeemed, GiftCardTopUpCancelled,
    GiftCardToppedUp, Recorded, ShopEvent, of_types,
};
use crate::ids::GiftCardId;
use crate::input;
use crate::money::{Currency, Money};
use crate::payment::{self, PaidIn, Tender};
use crate::permission::Permission;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};
use crate::shift::{OpenShiftState, shift_of};

/// Sells a gift card. What is on it is owed to its holder, so it is no sale in any report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssueGiftCard {
    /// The code printed on it; no card has it yet.
    pub card: GiftCardId,
    /// What is paid, in full and in cash or by card, and is on it then.
    pub paid: PaidIn,
}

/// Puts more money on a gift card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TopUpGiftCard {
    /// The card.
    pub card: GiftCardId,
    /// What is paid, in full and in cash or by card.
    pub paid: PaidIn,
}

/// Pays back what was put on a gift card by mistake, from the till's open shift.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelGiftCardTopUp {
    /// The card.
    pub card: GiftCardId,
    /// What is paid back: at most what is on the card, and what was put on it this way.
    pub paid_back: PaidIn,
    /// Why.
    pub reason: String,
}

/// Blocks a gift card, because it was lost or stolen. What is on it stays there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlockGiftCard {
    /// The card.
    pub card: GiftCardId,
    /// Why; may be empty.
    pub reason: String,
}

/// What is known of a gift card.
#[derive(Clone, Debug, Default)]
pub struct GiftCardState {
    is_issued: bool,
    is_blocked: bool,
    balance: i64,
    /// What was put on it later and not paid back, by how it was paid.
    topped_up: BTreeMap<Tender, i64>,
    evidence: Evidence,
}

/// What a gift card's holder can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct GiftCard {
    /// The card.
    pub card: GiftCardId,
    /// What is left on it.
    pub balance: Money,
    /// Whether it is blocked.
    pub blocked: bool,
}

impl GiftCard {
    /// A gift card as it is now; `None` if none was issued with this code.
    pub fn find(
        store: &(impl EventStore + ?Sized),
        card: &GiftCardId,
    ) -> Result<Option<Self>, StoreError> {
        let state = build_decision_model(store, &gift_card_of(card))?.state;
        let GiftCardState { is_issued, is_blocked: blocked, balance, .. } = state;
        let balance = Money::new(balance);
        Ok(is_issued.then(|| Self { card: card.clone(), balance, blocked }))
    }
}

const LESS: [&str; 3] =
    [GiftCardRedeemed::TYPE, GiftCardTopUpCancelled::TYPE, GiftCardBlocked::TYPE];
const MORE: [&str; 3] = [GiftCardIssued::TYPE, GiftCardToppedUp::TYPE, GiftCardCredited::TYPE];

/// A gift card to pay with, or to take money from: what makes it worth less conflicts.
pub(crate) fn gift_card_of(card: &GiftCardId) -> DecisionProjection<GiftCardState> {
    let less = Query::tagged(LESS, card.tag());
    let query = less.clone().or(Query::tagged(MORE, card.tag()));
    DecisionProjection::new(GiftCardState::default(), query, |state: &mut GiftCardState, event| {
        let change = match ShopEvent::decode(event) {
            Some(ShopEvent::GiftCardIssued(e)) => {
                state.is_issued = true;
                e.amount.minor()
            }
            Some(ShopEvent::GiftCardToppedUp(e)) => state.top_up(e.tender, e.amount.minor()),
            Some(ShopEvent::GiftCardTopUpCancelled(e)) => {
                state.top_up(e.tender, e.amount.minor().saturating_neg())
            }
            Some(ShopEvent::GiftCardCredited(e)) => e.amount.minor(),
            Some(ShopEvent::GiftCardRedeemed(e)) => e.amount.minor().saturating_neg(),
            Some(ShopEvent::GiftCardBlocked(_)) => {
                state.is_blocked = true;
                0
            }
            _ => return,
        };
        state.balance = state.balance.saturating_add(change);
        state.evidence.push(event.position);
    })
    .named("gift_card", 1, card)
    .conflicts_with(less)
}

/// A gift card that nobody else may issue meanwhile.
fn new_gift_card(card: &GiftCardId) -> DecisionProjection<GiftCardState> {
    gift_card_of(card).conflicts_with(Query::tagged([GiftCardIssued::TYPE], card.tag()))
}

impl GiftCardState {
    /// Takes in what was put on the card or, if negative, paid back, and returns it.
    fn top_up(&mut self, tender: Tender, amount: i64) -> i64 {
        let sum = self.topped_up.entry(tender).or_default();
        *sum = sum.saturating_add(amount);
        amount
    }

    /// Refuses a card that was never issued or is blocked.
    fn usable(&self, card: &GiftCardId) -> Result<(), Refusal> {
        let (code, message) = match (self.is_issued, self.is_blocked) {
            (true, false) => return Ok(()),
            (false, _) => {
                (RefusalCode::GiftCardUnknown, format!("There is no gift card {card}. Correct it."))
            }
            (true, true) => (
                RefusalCode::GiftCardBlocked,
                format!("The gift card {card} is blocked. Take another payment."),
            ),
        };
        Err(Refusal::new(code, message)
            .money_left(Money::ZERO)
            .action(NextAction::TakePayment)
            .because(&self.evidence))
    }

    /// Refuses to pay more than is on the card.
    pub(crate) fn allow(
        &self,
        card: &GiftCardId,
        amount: Money,
        currency: Currency,
    ) -> Result<(), Refusal> {
        self.usable(card)?;
        if amount.minor() <= self.balance {
            return Ok(());
        }
        let left = Money::new(self.balance);
        let message = format!("Only {} is left on this gift card.", currency.format(left));
        Err(Refusal::new(RefusalCode::GiftCardTooLow, message)
            .money_left(left)
            .action(NextAction::TakePayment)
            .because(&self.evidence))
    }
}

/// The gift cards that were blocked, and by which events.
#[derive(Clone, Debug, Default)]
pub struct BlockedCards(BTreeMap<GiftCardId, u64>);

/// The blocked gift cards, for an act that puts money back on a card and learns only with the rest of
/// history on which. Any block conflicts; there are few.
pub(crate) fn blocked_cards() -> DecisionProjection<BlockedCards> {
    let query = of_types([GiftCardBlocked::TYPE]);
    DecisionProjection::new(BlockedCards::default(), query, |blocked: &mut BlockedCards, event| {
        if let Some(ShopEvent::GiftCardBlocked(e)) = ShopEvent::decode(event) {
            blocked.0.insert(e.card, event.position);
        }
    })
    .named("blocked_cards", 1, "")
}

impl BlockedCards {
    /// Refuses to put money back on a card from which nobody could spend it.
    pub(crate) fn can_take(&self, card: &GiftCardId) -> Result<(), Refusal> {
        let Some(blocked_by) = self.0.get(card) else { return Ok(()) };
        let message = format!(
            "The gift card {card} that paid is blocked and takes nothing back. Refund without receipt."
        );
        Err(Refusal::new(RefusalCode::GiftCardBlocked, message)
            .action(NextAction::CorrectInput)
            .because(&Evidence::only(*blocked_by)))
    }
}

type CardModel = (DecisionProjection<OpenShiftState>, DecisionProjection<GiftCardState>);
type CardState = (OpenShiftState, GiftCardState);

impl Command for IssueGiftCard {
    const NAME: &'static str = "issue_gift_card";
    const PERMISSION: Permission = Permission::Sell;
    type Model = CardModel;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<CardModel, Refusal> {
        self.paid.check(context)?;
        Ok((shift_of(&context.till), new_gift_card(&self.card)))
    }

    fn decide(
        &self,
        (shift, state): &CardState,
        _context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let shift = shift.open()?.clone();
        if state.is_issued {
            let message = "A gift card with this code was issued before. Use another.";
            return Err(Refusal::new(RefusalCode::GiftCardTaken, message)
                .action(NextAction::CorrectInput)
                .because(&state.evidence));
        }
        let (card, PaidIn { tender, amount, reference }) = (self.card.clone(), self.paid.clone());
        Ok(vec![GiftCardIssued { card, amount, shift, tender, reference }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::GiftCardIssued(_), .. }]).then_some(())
    }
}

impl Command for TopUpGiftCard {
    const NAME: &'static str = "top_up_gift_card";
    const PERMISSION: Permission = Permission::Sell;
    type Model = CardModel;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<CardModel, Refusal> {
        self.paid.check(context)?;
        let card = gift_card_of(&self.card);
        let blocked = Query::tagged([GiftCardBlocked::TYPE], self.card.tag());
        Ok((shift_of(&context.till), card.conflicts_with(blocked)))
    }

    fn decide(
        &self,
        (shift, state): &CardState,
        _context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let shift = shift.open()?.clone();
        state.usable(&self.card)?;
        let (card, PaidIn { tender, amount, reference }) = (self.card.clone(), self.paid.clone());
        payment::sum_is_exact(state.balance, amount)?;
        Ok(vec![GiftCardToppedUp { card, amount, shift, tender, reference }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::GiftCardToppedUp(_), .. }]).then_some(())
    }
}

impl Command for CancelGiftCardTopUp {
    const NAME: &'static str = "cancel_gift_card_top_up";
    const PERMISSION: Permission = Permission::ReversePayment;
    type Model = (CardModel, CashModel);
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        self.paid_back.check(context)?;
        input::name("reason", &self.reason)?;
        let cash = match self.paid_back.tender {
            Tender::Cash => drawer::cash_model(context),
            _ => Vec::new(),
        };
        Ok(((shift_of(&context.till), gift_card_of(&self.card)), cash))
    }

    fn decide(
        &self,
        ((open, state), cash): &(CardState, Vec<Money>),
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let shift = open.open()?.clone();
        let Self { card, paid_back: PaidIn { tender, amount, reference }, reason } = self.clone();
        let currency = context.settings()?.currency;
        state.allow(&card, amount, currency)?;
        let topped_up = state.topped_up.get(&tender).copied().unwrap_or_default();
        payment::was_paid(topped_up, amount, currency, &state.evidence)?;
        if tender == Tender::Cash {
            drawer::pay_out(amount, (open, cash), context)?;
        }
        Ok(vec![GiftCardTopUpCancelled { card, amount, shift, tender, reference, reason }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        let [Recorded { event, .. }] = recorded else { return None };
        matches!(event, ShopEvent::GiftCardTopUpCancelled(_)).then_some(())
    }
}

impl Command for BlockGiftCard {
    const NAME: &'static str = "block_gift_card";
    const PERMISSION: Permission = Permission::BlockValue;
    type Model = DecisionProjection<GiftCardState>;
    type Answer = ();

    fn model(&self, _context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::optional("reason", Some(&self.reason), input::MAX_TEXT_CHARS)?;
        let blocked = Query::tagged([GiftCardBlocked::TYPE], self.card.tag());
        Ok(gift_card_of(&self.card).conflicts_with(blocked))
    }

    fn decide(
        &self,
        state: &GiftCardState,
        _context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        state.usable(&self.card)?;
        let Self { card, reason } = self.clone();
        Ok(vec![GiftCardBlocked { card, reason }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::GiftCardBlocked(_), .. }]).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use dcb::MemoryStore;
    use dcb::testing::given;

    use super::*;
    use crate::payment::{Payment, Tender};
    use crate::testing::{
        Interrupted, act, at, cart, happened, of_request, open_shop, open_shop_and, refusal,
        shift_at, stored,
    };
    use crate::{Checkout, CloseShift};

    fn id(card: &str) -> GiftCardId {
        GiftCardId::new(card).unwrap()
    }

    fn cash(minor: i64) -> PaidIn {
        PaidIn { tender: Tender::Cash, amount: Money::new(minor), reference: None }
    }

    fn issue(card: &str, minor: i64) -> IssueGiftCard {
        IssueGiftCard { card: id(card), paid: cash(minor) }
    }

    fn issued(card: &str, minor: i64) -> GiftCardIssued {
        GiftCardIssued {
            card: id(card),
            amount: Money::new(minor),
            shift: shift_at("T1"),
            tender: Tender::Cash,
            reference: None,
        }
    }

    /// A shop with a gift card of 2.00 and one of 5.00.
    fn shop() -> MemoryStore {
        stored(&open_shop_and([happened(issued("G1", 200)), happened(issued("G2", 500))]))
    }

    fn block(card: &str) -> BlockGiftCard {
        BlockGiftCard { card: id(card), reason: "lost".into() }
    }

    /// One of the product, paid with these amounts from gift cards.
    fn buy(product: &str, cards: &[(&str, i64)]) -> Checkout {
        let payment = |(card, minor): &(&str, i64)| Payment {
            tender: Tender::GiftCard,
            amount: Money::new(*minor),
            card: Some(id(card)),
            reference: None,
        };
        let payments = cards.iter().map(payment).collect();
        Checkout { payments, ..cart(&[(product, 1)], &[]) }
    }

    fn balance(store: &MemoryStore, card: &str) -> i64 {
        GiftCard::find(store, &id(card)).unwrap().unwrap().balance.minor()
    }

    #[test]
    fn a_gift_card_is_sold_topped_up_and_blocked() {
        let expected = of_request([issued("G1", 2500).into()]);
        given(open_shop()).when(act(issue("g1", 2500))).then_recorded(expected);
        let store = shop();
        at("T1", 1).act(&store, &top_up("G1", 300)).unwrap();
        assert_eq!(balance(&store, "G1"), 500);
        at("T1", 2).act(&store, &block("G1")).unwrap();
        assert!(GiftCard::find(&store, &id("G1")).unwrap().unwrap().blocked);
        assert_eq!(GiftCard::find(&store, &id("G9")).unwrap(), None);
        let code = |rejected| refusal(rejected).code;
        let again = at("T1", 3).act(&store, &issue("G1", 100)).unwrap_err();
        assert_eq!(code(again), RefusalCode::GiftCardTaken);
        let blocked = at("T1", 4).act(&store, &top_up("G1", 100)).unwrap_err();
        assert_eq!(code(blocked), RefusalCode::GiftCardBlocked);
        let unknown = at("T1", 5).act(&store, &block("G9")).unwrap_err();
        assert_eq!(code(unknown), RefusalCode::GiftCardUnknown);
    }

    fn top_up(card: &str, minor: i64) -> TopUpGiftCard {
        TopUpGiftCard { card: id(card), paid: cash(minor) }
    }

    fn cancel(card: &str, minor: i64) -> CancelGiftCardTopUp {
        CancelGiftCardTopUp { card: id(card), paid_back: cash(minor), reason: "typed 50".into() }
    }

    #[test]
    fn what_was_put_on_a_gift_card_is_paid_back_as_it_was_paid() {
        let topped_up = GiftCardToppedUp {
            card: id("G1"),
            amount: Money::new(300),
            shift: shift_at("T1"),
            tender: Tender::Cash,
            reference: None,
        };
        let cancelled = GiftCardTopUpCancelled {
            card: id("G1"),
            amount: Money::new(250),
            shift: shift_at("T1"),
            tender: Tender::Cash,
            reference: None,
            reason: "typed 50".into(),
        };
        given(open_shop_and([happened(issued("G1", 200)), happened(topped_up)]))
            .when(act(cancel("G1", 250)))
            .then_recorded(of_request([cancelled.into()]));

        let store = shop();
        at("T1", 1).act(&store, &top_up("G1", 300)).unwrap();
        at("T1", 2).act(&store, &cancel("G1", 250)).unwrap();
        assert_eq!(balance(&store, "G1"), 250);
        let refused = refusal(at("T1", 3).act(&store, &cancel("G1", 51)).unwrap_err());
        assert_eq!((refused.code, refused.details.left), (RefusalCode::NotPaid, Some(50)));
        assert_eq!(refused.message, "Only 0.50 was paid like this. Take no more back.");
        let by_card = PaidIn { tender: Tender::Card, ..cash(1) };
        let by_card = CancelGiftCardTopUp { paid_back: by_card, ..cancel("G1", 1) };
        let refused = refusal(at("T1", 4).act(&store, &by_card).unwrap_err());
        assert_eq!((refused.code, refused.details.left), (RefusalCode::NotPaid, Some(0)));
        // The drawer has the 7.00 of the two cards and what was not paid back.
        let close = CloseShift::counted(shift_at("T1"), Money::new(5_750));
        assert_eq!(at("T1", 5).act(&store, &close).unwrap().answer.variance, Money::ZERO);
        let refused = refusal(at("T1", 6).act(&store, &cancel("G1", 1)).unwrap_err());
        assert_eq!(refused.code, RefusalCode::ShiftClosed);
    }

    #[test]
    fn what_was_spent_of_a_gift_card_or_is_blocked_is_not_paid_back() {
        let store = shop();
        at("T1", 1).act(&store, &top_up("G1", 300)).unwrap();
        for (request, amount) in [(2, 120), (3, 120), (4, 120)] {
            at("T1", request).act(&store, &buy("A", &[("G1", amount)])).unwrap();
        }
        let refused = refusal(at("T1", 5).act(&store, &cancel("G1", 141)).unwrap_err());
        assert_eq!((refused.code, refused.details.left), (RefusalCode::GiftCardTooLow, Some(140)));
        at("T1", 6).act(&store, &block("G1")).unwrap();
        let refused = refusal(at("T1", 7).act(&store, &cancel("G1", 100)).unwrap_err());
        assert_eq!(refused.code, RefusalCode::GiftCardBlocked);
        let without_reason = CancelGiftCardTopUp { reason: " ".into(), ..cancel("G2", 1) };
        let refused = refusal(at("T1", 8).act(&store, &without_reason).unwrap_err());
        assert_eq!(refused.code, RefusalCode::InvalidInput);
    }

    #[test]
    fn a_gift_card_is_paid_in_cash_or_by_card_at_an_open_till() {
        for tender in [Tender::Account, Tender::GiftCard, Tender::Voucher] {
            let odd = IssueGiftCard { paid: PaidIn { tender, ..cash(100) }, ..issue("G1", 1) };
            let refused = given(open_shop()).when(act(odd)).then_refused();
            assert_eq!(refusal(refused).code, RefusalCode::InvalidInput);
        }
        let nothing = given(open_shop()).when(act(issue("G1", 0))).then_refused();
        assert_eq!(refusal(nothing).code, RefusalCode::PaymentOutOfBounds);
        let store = shop();
        let close = CloseShift::counted(shift_at("T1"), Money::new(5_700));
        // Two gift cards were sold for cash, so the drawer has 7.00 more than its float.
        assert_eq!(at("T1", 1).act(&store, &close).unwrap().answer.variance, Money::ZERO);
        let refused = at("T1", 2).act(&store, &issue("G3", 100)).unwrap_err();
        assert_eq!(refusal(refused).code, RefusalCode::ShiftClosed);
    }

    #[test]
    fn a_gift_card_pays_what_is_on_it_and_no_more() {
        let store = shop();
        at("T1", 1).act(&store, &buy("A", &[("G1", 70), ("G1", 50)])).unwrap();
        assert_eq!(balance(&store, "G1"), 80);
        let refused = refusal(at("T1", 2).act(&store, &buy("B", &[("G1", 99)])).unwrap_err());
        assert_eq!(refused.code, RefusalCode::GiftCardTooLow);
        assert_eq!(refused.message, "Only 0.80 is left on this gift card.");
        assert_eq!(
            (refused.details.left, refused.details.action),
            (Some(80), Some(NextAction::TakePayment))
        );
        assert_eq!(refused.details.because.positions().len(), 2);
        at("T1", 3).act(&store, &buy("B", &[("G1", 80), ("G2", 19)])).unwrap();
        assert_eq!((balance(&store, "G1"), balance(&store, "G2")), (0, 481));
    }

    #[test]
    fn a_gift_card_that_is_unknown_blocked_or_not_named_pays_nothing() {
        let store = shop();
        at("T1", 1).act(&store, &block("G1")).unwrap();
        let mut nameless = buy("A", &[("G2", 120)]);
        nameless.payments[0].card = None;
        for (checkout, code) in [
            (buy("A", &[("G1", 120)]), RefusalCode::GiftCardBlocked),
            (buy("A", &[("G9", 120)]), RefusalCode::GiftCardUnknown),
            (nameless, RefusalCode::InvalidInput),
        ] {
            assert_eq!(refusal(at("T1", 2).act(&store, &checkout).unwrap_err()).code, code);
        }
    }

    #[test]
    fn the_same_card_conflicts_and_others_and_top_ups_do_not() {
        let conflicts = |rival: &dyn Fn(&MemoryStore)| {
            let store = shop();
            at("T2", 8).act(&store, &buy("B", &[("G1", 99)])).unwrap();
            at("T2", 9).act(&store, &top_up("G1", 99)).unwrap();
            let mine = Interrupted::new(buy("A", &[("G1", 120)]), || rival(&store));
            let done = at("T1", 1).act(&store, &mine);
            done.map(|done| done.trace.conflicts()).map_err(|rejected| refusal(rejected).code)
        };
        let spend = |card: &'static str| {
            move |store: &MemoryStore| {
                drop(at("T2", 2).act(store, &buy("B", &[(card, 99)])).unwrap());
            }
        };
        assert_eq!(conflicts(&spend("G1")), Err(RefusalCode::GiftCardTooLow));
        assert_eq!(conflicts(&spend("G2")), Ok(0));
        let top_up = |store: &MemoryStore| drop(at("T2", 2).act(store, &top_up("G1", 1)).unwrap());
        assert_eq!(conflicts(&top_up), Ok(0));
        let cancel = |store: &MemoryStore| drop(at("T2", 2).act(store, &cancel("G1", 99)).unwrap());
        assert_eq!(conflicts(&cancel), Err(RefusalCode::GiftCardTooLow));
        let block = |store: &MemoryStore| drop(at("T2", 2).act(store, &block("G1")).unwrap());
        assert_eq!(conflicts(&block), Err(RefusalCode::GiftCardBlocked));
    }
}
