//! Checkout: a cart becomes a sale, or nothing at all.
//!
//! What a sale depends on is what its cart needs and no more: the till's shift and receipt series,
//! and of each distinct product its price, its limits, its stock unless it is a service, and what
//! the customer bought of it today if that is limited. Tills that sell different products never
//! wait for each other.

use std::collections::HashMap;

use dcb::DecisionProjection;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::catalogue::{Product, changed_price_of};
use crate::command::{Command, Context};
use crate::event::{ProductSold, Recorded, SaleCompleted, ShopEvent};
use crate::ids::{CustomerId, ProductId, SaleId, SeriesId};
use crate::input::{self, MAX_NOTE_CHARS, MAX_TEXT_CHARS};
use crate::limits::{Bought, LimitState, bought_on, limit_of};
use crate::money::{Amounts, Money, Quantity, TaxMode};
use crate::payment::{self, Payment};
use crate::permission::Permission;
use crate::receipt::{Receipt, last_number_in};
use crate::refusal::Refusal;
use crate::shift::{OpenShiftState, shift_of};
use crate::stock::{Stock, stock_of};

/// Sells a cart at the till. The sale is called by the request's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkout {
    /// What is sold, at most [`MAX_LINES`](crate::MAX_LINES) lines. They keep their order, and the
    /// same product may be on several.
    pub lines: Vec<CheckoutLine>,
    /// To whom, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub customer: Option<CustomerId>,
    /// How it is paid, at most [`MAX_PAYMENTS`](crate::MAX_PAYMENTS).
    pub payments: Vec<Payment>,
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
    /// How much; positive, at most [`Quantity::MAX_LINE`].
    pub quantity: Quantity,
    /// The price of one unit to charge, if it is not the one in the catalogue; at most
    /// [`Money::MAX_PRICE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub price: Option<Money>,
}

/// What a checkout must know. The lists follow the cart's distinct products: prices and limits of
/// each, stock of those that hold any, and today's purchases of those that are counted.
pub(crate) type CheckoutModel = (
    DecisionProjection<OpenShiftState>,
    DecisionProjection<u64>,
    Vec<DecisionProjection<Option<Money>>>,
    Vec<DecisionProjection<LimitState>>,
    Vec<DecisionProjection<Stock>>,
    Vec<DecisionProjection<Bought>>,
);

type CheckoutState =
    (OpenShiftState, u64, Vec<Option<Money>>, Vec<LimitState>, Vec<Stock>, Vec<Bought>);

impl Command for Checkout {
    const NAME: &'static str = "checkout";
    const PERMISSION: Permission = Permission::Sell;
    type Model = CheckoutModel;
    type Answer = Receipt;

    fn model(&self, context: &Context<'_>) -> Result<CheckoutModel, Refusal> {
        self.check()?;
        let day = context.settings()?.business_day(context.at);
        let wanted = self.wanted(context)?;
        let ids = || wanted.iter().map(|wanted| &wanted.product.id);
        let stocked = wanted.iter().filter(|wanted| wanted.product.stocked);
        let counted = wanted.iter().filter_map(|wanted| Some((wanted.counted_for?, wanted)));
        Ok((
            shift_of(&context.till),
            last_number_in(&SeriesId::from(&context.till)),
            ids().map(changed_price_of).collect(),
            ids().map(limit_of).collect(),
            stocked.map(|wanted| stock_of(&wanted.product.id)).collect(),
            counted
                .map(|(customer, wanted)| bought_on(day, customer, &wanted.product.id))
                .collect(),
        ))
    }

    fn decide(
        &self,
        (shift, last_number, prices, limits, stocks, boughts): &CheckoutState,
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let shift = shift.open()?;
        let wanted = self.wanted(context)?;
        self.allow(&wanted, limits, stocks, boughts)?;
        let offers = wanted.iter().zip(prices).map(|(wanted, changed)| {
            (&wanted.product.id, (wanted.product, changed.unwrap_or(wanted.product.price)))
        });
        let settings = context.settings()?;
        let sale = SaleId::from(context.request_id);
        let sold = self.sold(&sale, &offers.collect(), settings.tax_mode)?;
        let total = sold
            .iter()
            .try_fold(Amounts::default(), |total, line| total.checked_add(line.amounts()))
            .ok_or_else(input::overflow)?;
        let settled = payment::settle(&self.payments, total.gross, settings.currency)?;
        let taken = settled.parts.into_iter().map(|part| part.taken(&sale, shift));
        let taken: Vec<ShopEvent> = taken.map(ShopEvent::from).collect();
        let completed = SaleCompleted {
            sale,
            series: SeriesId::from(&context.till),
            number: last_number.saturating_add(1),
            till: context.till.clone(),
            shift: shift.clone(),
            cashier: context.user.clone(),
            customer: self.customer.clone(),
            tax_mode: settings.tax_mode,
            lines: input::count(sold.len()),
            payments: input::count(taken.len()),
            gross: total.gross,
            net: total.net,
            tax: total.tax,
            paid: settled.paid,
            change: settled.change,
            reference: self.reference.clone(),
            note: self.note.clone(),
        };
        Ok(std::iter::once(completed.into())
            .chain(sold.into_iter().map(ShopEvent::from))
            .chain(taken)
            .collect())
    }

    fn answer(recorded: &[Recorded]) -> Option<Receipt> {
        Receipt::of(recorded)
    }
}

/// A distinct product of a cart.
struct Wanted<'a> {
    product: &'a Product,
    /// How much of it, over all lines.
    quantity: Quantity,
    /// The last line it is on, from 1: the one that takes it too far.
    last_line: u32,
    /// The customer whose purchases today count, if they do.
    counted_for: Option<&'a CustomerId>,
}

impl Checkout {
    fn check(&self) -> Result<(), Refusal> {
        input::lines(self.lines.len())?;
        for (index, line) in self.lines.iter().enumerate() {
            input::moved(line.quantity)
                .and_then(|()| line.price.map_or(Ok(()), input::price))
                .map_err(|r| r.product(&line.product).line(input::line_number(index)))?;
        }
        payment::check(&self.payments)?;
        input::optional("reference", self.reference.as_deref(), MAX_TEXT_CHARS)?;
        input::optional("note", self.note.as_deref(), MAX_NOTE_CHARS)
    }

    /// The distinct products of the cart, in the order in which they first appear.
    fn wanted<'a>(&'a self, context: &Context<'a>) -> Result<Vec<Wanted<'a>>, Refusal> {
        let mut all: Vec<Wanted<'a>> = Vec::new();
        let mut seen: HashMap<&ProductId, usize> = HashMap::new();
        for (index, line) in self.lines.iter().enumerate() {
            let last_line = input::line_number(index);
            let place = *seen.entry(&line.product).or_insert(all.len());
            if let Some(wanted) = all.get_mut(place) {
                wanted.quantity = wanted.quantity.saturating_add(line.quantity);
                wanted.last_line = last_line;
                continue;
            }
            let product = context.catalogue.known(&line.product).map_err(|r| r.line(last_line))?;
            let counted_for =
                self.customer.as_ref().filter(|_| product.limit.per_customer_day.is_some());
            all.push(Wanted { product, quantity: line.quantity, last_line, counted_for });
        }
        Ok(all)
    }

    /// Refuses what a limit or the stock forbids. The states are those of [`CheckoutModel`].
    fn allow(
        &self,
        wanted: &[Wanted<'_>],
        limits: &[LimitState],
        stocks: &[Stock],
        boughts: &[Bought],
    ) -> Result<(), Refusal> {
        let (mut stocks, mut boughts) = (stocks.iter(), boughts.iter());
        for (wanted, limit) in wanted.iter().zip(limits) {
            let Wanted { product, quantity, last_line, counted_for } = *wanted;
            let bought = counted_for.and_then(|_| boughts.next());
            let stock = if product.stocked { stocks.next() } else { None };
            limit
                .allow_on_receipt(product, quantity)
                .and_then(|()| match self.customer {
                    Some(_) => limit.allow_today(product, quantity, bought),
                    None => Ok(()),
                })
                .and_then(|()| stock.map_or(Ok(()), |stock| stock.take(product, quantity)))
                .map_err(|refusal| refusal.line(last_line))?;
        }
        Ok(())
    }

    /// The lines, priced and rounded.
    fn sold(
        &self,
        sale: &SaleId,
        offers: &HashMap<&ProductId, (&Product, Money)>,
        mode: TaxMode,
    ) -> Result<Vec<ProductSold>, Refusal> {
        let mut sold = Vec::with_capacity(self.lines.len());
        for (index, line) in self.lines.iter().enumerate() {
            let Some((product, list_price)) = offers.get(&line.product) else { continue };
            let (line_number, rate) = (input::line_number(index), product.tax_rate);
            let unit_price = line.price.unwrap_or(*list_price);
            let amounts = Amounts::of_line(unit_price, line.quantity, rate, mode)
                .ok_or_else(|| input::overflow().product(&product.id).line(line_number))?;
            sold.push(ProductSold {
                sale: sale.clone(),
                line: line_number,
                product: product.id.clone(),
                customer: self.customer.clone(),
                quantity: line.quantity,
                unit_price,
                list_price: *list_price,
                gross: amounts.gross,
                net: amounts.net,
                tax: amounts.tax,
                tax_rate: rate,
            });
        }
        Ok(sold)
    }
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;
    use dcb::{Event, EventStore, MemoryStore};
    use uuid::Uuid;

    use super::*;
    use crate::catalogue::{Catalogue, ChangePrice};
    use crate::event::{PaymentTaken, PriceChanged, ShiftClosed, Tender};
    use crate::limits::SetLimit;
    use crate::money::BasisPoints;
    use crate::refund::{Refund, RefundLine};
    use crate::refusal::{NextAction, RefusalCode};
    use crate::shift::CloseShift;
    use crate::stock::{AdjustStock, CountStock, DeliveryLine, ReceiveStock};
    use crate::testing::{
        Actor, Interrupted, act, added, at, cart, configured, customer, happened, limited,
        of_request, opened, received, refusal, seen, service_added, shift_at, sku, till, units,
        when,
    };
    use crate::{ReceiptId, UserId};

    const CASH: Tender = Tender::Cash;
    const CARD: Tender = Tender::Card;

    /// Two tills are open; there are 5 of A at 1.20, 5 of B at 0.99, and a service at 3.00.
    fn shop() -> Vec<Event> {
        vec![
            configured(),
            added("A", 120),
            added("B", 99),
            service_added("POST", 300),
            received("A", 5),
            received("B", 5),
            opened("T1"),
            opened("T2"),
        ]
    }

    fn shop_and(more: impl IntoIterator<Item = Event>) -> Vec<Event> {
        shop().into_iter().chain(more).collect()
    }

    fn stored(events: &[Event]) -> MemoryStore {
        let store = MemoryStore::new();
        store.append(events, None).unwrap();
        store
    }

    fn refused(past: Vec<Event>, cart: Checkout) -> Refusal {
        refusal(given(past).when(act(cart)).then_refused())
    }

    fn for_customer(id: &str, cart: Checkout) -> Checkout {
        Checkout { customer: Some(customer(id)), ..cart }
    }

    #[test]
    fn a_sale_records_its_total_its_lines_and_its_payments() {
        let sale = SaleId::from(Uuid::from_u128(1));
        let line = |line, id: &str, quantity, price, gross, net| ProductSold {
            sale: sale.clone(),
            line,
            product: sku(id),
            customer: None,
            quantity: units(quantity),
            unit_price: Money::new(price),
            list_price: Money::new(price),
            gross: Money::new(gross),
            net: Money::new(net),
            tax: Money::new(gross - net),
            tax_rate: BasisPoints::new(2000),
        };
        let completed = SaleCompleted {
            sale: sale.clone(),
            series: SeriesId::from(&till("T1")),
            number: 1,
            till: till("T1"),
            shift: shift_at("T1"),
            cashier: UserId::new("ann").unwrap(),
            customer: None,
            tax_mode: TaxMode::Included,
            lines: 2,
            payments: 1,
            gross: Money::new(339),
            net: Money::new(282),
            tax: Money::new(57),
            paid: Money::new(500),
            change: Money::new(161),
            reference: None,
            note: None,
        };
        let paid = PaymentTaken {
            sale: sale.clone(),
            shift: shift_at("T1"),
            tender: CASH,
            amount: Money::new(339),
            given: Some(Money::new(500)),
            change: Some(Money::new(161)),
            reference: None,
        };
        let expected = of_request([
            completed.into(),
            line(1, "A", 2, 120, 240, 200).into(),
            line(2, "B", 1, 99, 99, 82).into(),
            paid.into(),
        ]);
        let done = given(shop())
            .when(act(cart(&[("A", 2), ("B", 1)], &[(CASH, 500)])))
            .then_recorded(expected);
        let receipt = done.answer;
        assert_eq!(receipt.receipt, ReceiptId::new("T1-1").unwrap());
        assert_eq!((receipt.lines.len(), receipt.payments.len()), (2, 1));
        assert_eq!((receipt.at, receipt.business_day), (when().at, when().business_day));
    }

    #[test]
    fn the_same_checkout_again_gets_the_same_receipt() {
        let store = stored(&shop());
        let wanted = cart(&[("A", 5)], &[(CARD, 600)]);
        let first = at("T1", 1).act(&store, &wanted).unwrap();
        let again = at("T1", 1).act(&store, &wanted).unwrap();
        assert!(again.repeated);
        assert_eq!((again.answer, again.positions), (first.answer, first.positions));
        let other = cart(&[("A", 1)], &[(CARD, 120)]);
        let refused = refusal(at("T1", 1).act(&store, &other).unwrap_err());
        assert_eq!(refused.code, RefusalCode::RequestReused);
    }

    #[test]
    fn without_an_open_shift_nothing_is_sold() {
        let wanted = || cart(&[("A", 1)], &[(CASH, 120)]);
        let (shift, till) = (shift_at("T1"), till("T1"));
        let (counted, expected) = (Money::ZERO, Money::ZERO);
        let closed = happened(ShiftClosed {
            shift,
            till,
            counted,
            expected,
            denominations: vec![],
            z: None,
            journal: None,
        });
        let refusal = refused(shop_and([closed]), wanted());
        assert_eq!(refusal.code, RefusalCode::ShiftClosed);
        assert_eq!(refusal.details.action, Some(NextAction::OpenShift));
        assert_eq!(refusal.details.because.positions(), [9]);
        let refusal = refused(vec![configured(), added("A", 120), opened("T2")], wanted());
        assert_eq!(refusal.code, RefusalCode::ShiftClosed);
    }

    #[test]
    fn no_more_is_sold_than_is_left() {
        let refusal = refused(shop(), cart(&[("A", 7)], &[(CASH, 900)]));
        assert_eq!(refusal.code, RefusalCode::OutOfStock);
        assert_eq!(refusal.message, "Only 5 left of a. Remove 2.");
        let details = refusal.details;
        assert_eq!((details.product, details.line), (Some(sku("A")), Some(1)));
        assert_eq!((details.left, details.action), (Some(5000), Some(NextAction::ReduceQuantity)));
        assert_eq!(details.because.positions(), [5]);
    }

    #[test]
    fn the_same_product_on_several_lines_is_added_up() {
        let lines = [("A", 3), ("B", 1), ("A", 3)];
        let refusal = refused(shop(), cart(&lines, &[(CASH, 900)]));
        assert_eq!((refusal.code, refusal.details.line), (RefusalCode::OutOfStock, Some(3)));
        let refusal =
            refused(shop_and([limited("A", 2, None)]), cart(&[("A", 1), ("A", 2)], &[(CASH, 900)]));
        assert_eq!((refusal.code, refusal.details.line), (RefusalCode::LimitPerReceipt, Some(2)));
    }

    #[test]
    fn lines_that_are_alike_are_kept_apart_and_in_order() {
        let wanted = cart(&[("A", 1), ("B", 1), ("A", 1)], &[(CASH, 900)]);
        let receipt = at("T1", 1).act(&stored(&shop()), &wanted).unwrap().answer;
        let lines: Vec<_> = receipt.lines.iter().map(|l| (l.line, l.product.as_str())).collect();
        assert_eq!(lines, [(1, "A"), (2, "B"), (3, "A")]);
    }

    #[test]
    fn a_service_is_sold_without_stock() {
        given(shop()).when(act(cart(&[("POST", 900)], &[(CARD, 270_000)]))).then_accepted();
    }

    #[test]
    fn a_receipt_has_no_more_than_its_limit() {
        let past = || shop_and([limited("A", 2, None)]);
        let refusal = refused(past(), cart(&[("A", 3)], &[(CASH, 900)]));
        assert_eq!(refusal.code, RefusalCode::LimitPerReceipt);
        assert_eq!(refusal.details.left, Some(2000));
        assert_eq!(refusal.details.because.positions(), [9]);
        given(past()).when(act(cart(&[("A", 2)], &[(CASH, 240)]))).then_accepted();
        let lifted = past().into_iter().chain([limited("A", None, None)]);
        given(lifted).when(act(cart(&[("A", 3)], &[(CASH, 360)]))).then_accepted();
    }

    #[test]
    fn a_customer_gets_no_more_than_the_limit_of_a_business_day() {
        let store = stored(&shop_and([limited("A", None, 3)]));
        let buy = |actor: Actor, who: &str, quantity| {
            let cart = for_customer(who, cart(&[("A", quantity)], &[(CASH, 900)]));
            actor.act(&store, &cart)
        };
        buy(at("T1", 1), "7", 2).unwrap();
        let refusal = refusal(buy(at("T2", 2), "7", 2).unwrap_err());
        assert_eq!(refusal.code, RefusalCode::LimitPerCustomerDay);
        assert_eq!(refusal.message, "This customer has had 2 of 3 a today. Remove 1.");
        assert_eq!(refusal.details.left, Some(1000));
        assert_eq!(refusal.details.because.positions(), [9, 11]);
        buy(at("T2", 3), "8", 1).unwrap();
        let next_day = Actor { at: "2026-03-03T04:00:00Z".parse().unwrap(), ..at("T1", 4) };
        buy(next_day, "7", 2).unwrap();
    }

    #[test]
    fn who_is_not_known_is_not_counted() {
        let past = shop_and([limited("A", None, 1)]);
        given(past).when(act(cart(&[("A", 2)], &[(CASH, 240)]))).then_accepted();
    }

    #[test]
    fn a_limit_that_the_catalogue_missed_is_not_overlooked() {
        let store = stored(&shop());
        let stale: Catalogue = seen(&store);
        store.append(&[limited("A", None, 1)], None).unwrap();
        let wanted = for_customer("7", cart(&[("A", 2)], &[(CASH, 240)]));
        let refused = at("T1", 1).act_knowing(&store, &wanted, &stale).unwrap_err();
        let refusal = refusal(refused);
        assert_eq!(refusal.code, RefusalCode::LimitChanged);
        assert_eq!(refusal.details.action, Some(NextAction::TryAgain));
    }

    #[test]
    fn a_price_that_the_catalogue_missed_is_charged() {
        let store = stored(&shop());
        let stale: Catalogue = seen(&store);
        let changed = PriceChanged { product: sku("A"), price: Money::new(200) };
        store.append(&[happened(changed)], None).unwrap();
        let wanted = cart(&[("A", 1)], &[(CASH, 200)]);
        let done = at("T1", 1).act_knowing(&store, &wanted, &stale).unwrap();
        assert_eq!(done.answer.gross, Money::new(200));
    }

    #[test]
    fn another_price_can_be_charged_and_the_list_price_is_kept() {
        let mut wanted = cart(&[("A", 1)], &[(CARD, 50)]);
        wanted.lines[0].price = Some(Money::new(50));
        let receipt = at("T1", 1).act(&stored(&shop()), &wanted).unwrap().answer;
        let line = &receipt.lines[0];
        assert_eq!((line.unit_price, line.list_price), (Money::new(50), Money::new(120)));
        assert_eq!(receipt.gross, Money::new(50));
    }

    #[test]
    fn input_that_makes_no_sense_is_refused() {
        let with = |change: fn(&mut Checkout)| {
            let mut cart = cart(&[("B", 1), ("A", 1)], &[(CASH, 900)]);
            change(&mut cart);
            refused(shop(), cart)
        };
        let line = |refusal: Refusal| (refusal.code, refusal.details.line);
        assert_eq!(with(|cart| cart.lines.clear()).code, RefusalCode::Empty);
        for quantity in [0, -1, Quantity::MAX_LINE.thousandths() + 1] {
            let mut cart = cart(&[("B", 1), ("A", 1)], &[(CASH, 900)]);
            cart.lines[1].quantity = Quantity::new(quantity);
            let expected = (RefusalCode::QuantityOutOfBounds, Some(2));
            assert_eq!(line(refused(shop(), cart)), expected);
        }
        for price in [-1, Money::MAX_PRICE.minor() + 1] {
            let mut cart = cart(&[("A", 1)], &[(CASH, 900)]);
            cart.lines[0].price = Some(Money::new(price));
            assert_eq!(line(refused(shop(), cart)), (RefusalCode::PriceOutOfBounds, Some(1)));
        }
        let unknown = with(|cart| cart.lines[1].product = sku("C"));
        assert_eq!(line(unknown), (RefusalCode::ProductUnknown, Some(2)));
        let too_long = with(|cart| cart.note = Some("x".repeat(MAX_NOTE_CHARS + 1)));
        assert_eq!(too_long.code, RefusalCode::InvalidInput);
        let many = cart(&vec![("POST", 1); crate::MAX_LINES + 1], &[(CASH, 900)]);
        assert_eq!(refused(shop(), many).code, RefusalCode::TooManyLines);
    }

    #[test]
    fn a_sum_too_large_to_be_exact_is_refused() {
        let mut wanted = cart(&[("POST", 1_000_000); 10], &[(CARD, 1)]);
        wanted.lines.iter_mut().for_each(|line| line.price = Some(Money::MAX_PRICE));
        assert_eq!(refused(shop(), wanted).code, RefusalCode::AmountOverflow);
        let payments = [(CASH, Money::MAX.minor()), (CASH, 1)];
        let refusal = refused(shop(), cart(&[("A", 1)], &payments));
        assert_eq!(refusal.code, RefusalCode::AmountOverflow);
    }

    #[test]
    fn what_costs_nothing_needs_no_payment() {
        let mut wanted = cart(&[("A", 1)], &[]);
        wanted.lines[0].price = Some(Money::ZERO);
        given(shop()).when(act(wanted)).then_accepted();
    }

    /// Sells at T1 while something else happens, and tells how often that made it decide again.
    fn conflicts_of(
        store: &MemoryStore,
        cart: Checkout,
        rival: impl FnOnce(),
    ) -> Result<usize, Refusal> {
        let done = at("T1", 1).act(store, &Interrupted::new(cart, rival));
        done.map(|done| done.trace.conflicts()).map_err(refusal)
    }

    #[test]
    fn tills_that_sell_different_products_never_wait_for_each_other() {
        let store = stored(&shop_and([limited("A", 3, 3), limited("B", 3, 3)]));
        let mine = for_customer("7", cart(&[("A", 1), ("POST", 1)], &[(CASH, 900)]));
        let other = for_customer("7", cart(&[("B", 1), ("POST", 1)], &[(CASH, 900)]));
        let rival = || drop(at("T2", 2).act(&store, &other).unwrap());
        assert_eq!(conflicts_of(&store, mine, rival), Ok(0));
    }

    #[test]
    fn the_last_piece_is_sold_once() {
        let store = stored(&shop());
        let wanted = || cart(&[("A", 3)], &[(CASH, 900)]);
        let rival = || drop(at("T2", 2).act(&store, &wanted()).unwrap());
        let refusal = conflicts_of(&store, wanted(), rival).unwrap_err();
        assert_eq!((refusal.code, refusal.details.left), (RefusalCode::OutOfStock, Some(2000)));
    }

    #[test]
    fn what_can_turn_yes_into_no_conflicts() {
        let rivals: [fn(&MemoryStore); 5] = [
            |store| {
                let sell = for_customer("8", cart(&[("A", 1)], &[(CASH, 900)]));
                drop(at("T2", 2).act(store, &sell).unwrap());
            },
            |store| {
                let count = CountStock { product: sku("A"), counted: units(4) };
                drop(at("T2", 2).act(store, &count).unwrap());
            },
            |store| {
                let (product, reason) = (sku("A"), String::new());
                let adjust = AdjustStock { product, quantity: units(-1), reason };
                at("T2", 2).act(store, &adjust).unwrap();
            },
            |store| {
                let change = ChangePrice { product: sku("A"), price: Money::new(130) };
                at("T2", 2).act(store, &change).unwrap();
            },
            |store| {
                let (product, per_receipt) = (sku("A"), Some(units(2)));
                let set = SetLimit { product, per_receipt, per_customer_day: None };
                at("T2", 2).act(store, &set).unwrap();
            },
        ];
        for (index, rival) in rivals.iter().enumerate() {
            let store = stored(&shop());
            let wanted = cart(&[("A", 1)], &[(CASH, 900)]);
            let conflicts = conflicts_of(&store, wanted, || rival(&store));
            assert_eq!(conflicts, Ok(1), "rival {index}");
        }
    }

    #[test]
    fn what_only_makes_more_possible_never_conflicts() {
        let deliver = || {
            let line = DeliveryLine { product: sku("A"), quantity: units(1), cost: None };
            ReceiveStock { lines: vec![line] }
        };
        let give_back = || Refund {
            lines: vec![RefundLine {
                product: sku("A"),
                quantity: units(1),
                price: Money::new(120),
            }],
            tender: CASH,
            reason: String::new(),
            customer: None,
            reference: None,
            restock: true,
        };
        let wanted = || cart(&[("A", 1)], &[(CASH, 900)]);
        let store = stored(&shop());
        let rival = || drop(at("T2", 2).act(&store, &deliver()).unwrap());
        assert_eq!(conflicts_of(&store, wanted(), rival), Ok(0));
        let store = stored(&shop());
        let rival = || drop(at("T2", 2).act(&store, &give_back()).unwrap());
        assert_eq!(conflicts_of(&store, wanted(), rival), Ok(0));
    }

    #[test]
    fn a_customer_at_two_tills_gets_no_more_than_the_limit() {
        let past = || shop_and([limited("POST", None, 1)]);
        let buy = |who| for_customer(who, cart(&[("POST", 1)], &[(CASH, 300)]));
        let store = stored(&past());
        let rival = || drop(at("T2", 2).act(&store, &buy("7")).unwrap());
        let refusal = conflicts_of(&store, buy("7"), rival).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::LimitPerCustomerDay);
        let store = stored(&past());
        let rival = || drop(at("T2", 2).act(&store, &buy("8")).unwrap());
        assert_eq!(conflicts_of(&store, buy("7"), rival), Ok(0));
    }

    #[test]
    fn a_sale_is_refused_if_its_shift_closes_meanwhile() {
        let store = stored(&shop());
        let close = |till| CloseShift::counted(shift_at(till), Money::ZERO);
        let wanted = || cart(&[("A", 1)], &[(CASH, 900)]);
        let elsewhere = || drop(at("T2", 2).act(&store, &close("T2")).unwrap());
        assert_eq!(conflicts_of(&store, wanted(), elsewhere), Ok(0));
        let here = || drop(at("T1", 3).act(&store, &close("T1")).unwrap());
        let refused = at("T1", 4).act(&store, &Interrupted::new(wanted(), here)).unwrap_err();
        assert_eq!(refusal(refused).code, RefusalCode::ShiftClosed);
    }

    #[test]
    fn two_sales_at_one_till_get_different_numbers() {
        let store = stored(&shop());
        let other = cart(&[("B", 1)], &[(CASH, 900)]);
        let rival = || drop(at("T1", 2).act(&store, &other).unwrap());
        let mine = Interrupted::new(cart(&[("A", 1)], &[(CASH, 900)]), rival);
        let done = at("T1", 1).act(&store, &mine).unwrap();
        assert_eq!((done.answer.number, done.trace.conflicts()), (2, 1));
    }
}
