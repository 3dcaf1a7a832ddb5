//! Refund without a receipt: goods come back and money goes out, and nobody knows which sale it
//! was. So nothing is given back but stock: a customer's limits stay as they are.

use dcb::DecisionProjection;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::catalogue::Product;
use crate::command::{Command, Context};
use crate::drawer::{self, CashModel};
use crate::event::{
    PaymentRefunded, ProductReturned, Recorded, RefundCompleted, ShopEvent, StockReturned,
};
use crate::ids::{CustomerId, ProductId, RefundId, SeriesId};
use crate::input::{self, MAX_TEXT_CHARS};
use crate::kits::{self, KitState, kit_of};
use crate::money::{Amounts, Money, Quantity};
use crate::payment::Tender;
use crate::people::{is_known, must_be_known};
use crate::permission::Permission;
use crate::pricing::Pricing;
use crate::receipt::{RefundReceipt, last_number_in};
use crate::refusal::Refusal;
use crate::shift::{OpenShiftState, shift_of};

/// Takes goods back at the till without a receipt. The refund is called by the request's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refund {
    /// What comes back, at most [`MAX_LINES`](crate::MAX_LINES) lines. They keep their order.
    pub lines: Vec<RefundLine>,
    /// How it is paid back: in cash, by card or with a voucher.
    pub tender: Tender,
    /// Why; may be empty.
    pub reason: String,
    /// To whom, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub customer: Option<CustomerId>,
    /// What it is called elsewhere, such as a credit note's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reference: Option<String>,
    /// Whether the goods go back on the shelf; true unless told otherwise. Services never do.
    #[serde(default = "yes")]
    #[ts(optional, as = "Option<bool>")]
    pub restock: bool,
}

/// A line of a refund.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefundLine {
    /// The product.
    pub product: ProductId,
    /// How much; positive, at most [`Quantity::MAX_LINE`].
    pub quantity: Quantity,
    /// What is paid back for one unit, in the way prices are given; at most [`Money::MAX_PRICE`].
    pub price: Money,
}

fn yes() -> bool {
    true
}

impl Command for Refund {
    const NAME: &'static str = "refund";
    const PERMISSION: Permission = Permission::RefundWithoutReceipt;
    type Model = (
        DecisionProjection<OpenShiftState>,
        DecisionProjection<u64>,
        CashModel,
        Vec<DecisionProjection<KitState>>,
        Vec<DecisionProjection<bool>>,
    );
    type Answer = RefundReceipt;

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::lines(self.lines.len())?;
        for (index, line) in self.lines.iter().enumerate() {
            input::moved(line.quantity)
                .and_then(|()| input::price(line.price))
                .map_err(|r| r.product(&line.product).line(input::line_number(index)))?;
        }
        if matches!(self.tender, Tender::GiftCard | Tender::Account) {
            let message = "Without a receipt money goes back in cash or by card. Correct it.";
            return Err(input::invalid(message));
        }
        input::optional("reason", Some(&self.reason), MAX_TEXT_CHARS)?;
        input::optional("reference", self.reference.as_deref(), MAX_TEXT_CHARS)?;
        let cash = match self.tender {
            Tender::Cash => drawer::cash_model(context),
            _ => Vec::new(),
        };
        let kits = self.services(context).map(|(_, kit, _)| kit_of(&kit.id)).collect();
        let number = last_number_in(&SeriesId::from(&context.till));
        let customer = self.customer.iter().map(is_known).collect();
        Ok((shift_of(&context.till), number, cash, kits, customer))
    }

    fn decide(
        &self,
        (state, last_number, cash, kits, customers): &(
            OpenShiftState,
            u64,
            Vec<Money>,
            Vec<KitState>,
            Vec<bool>,
        ),
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let shift = state.open()?;
        customers.iter().try_for_each(|is_known| must_be_known(*is_known))?;
        let settings = context.settings()?;
        let refund = RefundId::from(context.request_id);
        let returned = self.returned(&refund, context)?;
        let total = Amounts::checked_sum(returned.iter().map(ProductReturned::amounts))
            .ok_or_else(input::overflow)?;
        let amount = match self.tender {
            Tender::Cash => settings.smallest_coin.round(total.gross),
            _ => Some(total.gross),
        };
        let amount = amount.ok_or_else(input::overflow)?;
        if self.tender == Tender::Cash {
            drawer::pay_out(amount, (state, cash), context)?;
        }
        let payment = (amount > Money::ZERO).then(|| PaymentRefunded {
            refund: refund.clone(),
            shift: shift.clone(),
            tender: self.tender,
            amount,
            sale: None,
            payment: None,
            card: None,
            reference: self.reference.clone(),
        });
        let parts = self.parts_returned(&refund, kits, context)?;
        let completed = RefundCompleted {
            refund,
            series: SeriesId::from(&context.till),
            number: last_number.saturating_add(1),
            till: context.till.clone(),
            shift: shift.clone(),
            cashier: context.user.clone(),
            customer: self.customer.clone(),
            sale: None,
            tax_mode: settings.tax_mode,
            lines: input::count(returned.len()),
            payments: input::count(payment.iter().len()),
            gross: total.gross,
            net: total.net,
            tax: total.tax,
            rounding: amount.checked_sub(total.gross).ok_or_else(input::overflow)?,
            reason: self.reason.clone(),
            reference: self.reference.clone(),
        };
        Ok(std::iter::once(completed.into())
            .chain(returned.into_iter().map(ShopEvent::from))
            .chain(payment.map(ShopEvent::from))
            .chain(parts)
            .collect())
    }

    fn answer(recorded: &[Recorded]) -> Option<RefundReceipt> {
        RefundReceipt::of(recorded)
    }
}

impl Refund {
    /// The lines, priced and rounded.
    fn returned(
        &self,
        refund: &RefundId,
        context: &Context<'_>,
    ) -> Result<Vec<ProductReturned>, Refusal> {
        let (mut returned, mut pricing) =
            (Vec::with_capacity(self.lines.len()), Pricing::default());
        for (index, line) in self.lines.iter().enumerate() {
            let line_number = input::line_number(index);
            let product =
                context.catalogue.known(&line.product).map_err(|r| r.line(line_number))?;
            pricing
                .push(line.price, line.quantity, product.tax_rate)
                .ok_or_else(|| input::overflow().product(&product.id).line(line_number))?;
            returned.push(ProductReturned {
                refund: refund.clone(),
                line: line_number,
                product: product.id.clone(),
                quantity: line.quantity,
                unit_price: line.price,
                gross: Money::ZERO,
                net: Money::ZERO,
                tax: Money::ZERO,
                tax_rate: product.tax_rate,
                restocked: self.restock && product.stocked,
                sale: None,
                sold_line: None,
                sold_on: None,
                customer: None,
            });
        }
        let settings = context.settings()?;
        let amounts = pricing.amounts(settings.tax_mode, settings.tax_rounding);
        let amounts = amounts.ok_or_else(input::overflow)?;
        for (line, Amounts { gross, net, tax }) in returned.iter_mut().zip(amounts) {
            (line.gross, line.net, line.tax) = (gross, net, tax);
        }
        Ok(returned)
    }

    /// The lines that may put parts on the shelf, by number: services, for they may be kits.
    fn services<'a>(
        &'a self,
        context: &Context<'a>,
    ) -> impl Iterator<Item = (u32, &'a Product, Quantity)> {
        let catalogue = context.catalogue;
        let lines = self.lines.iter().enumerate().filter(|_| self.restock);
        lines.filter_map(|(index, line)| {
            let product = catalogue.get(&line.product).filter(|product| !product.stocked)?;
            Some((input::line_number(index), product, line.quantity))
        })
    }

    /// What goes back on the shelf of the kits among the lines, as they are made now.
    fn parts_returned(
        &self,
        refund: &RefundId,
        kits: &[KitState],
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let mut parts = Vec::new();
        for ((line, product, quantity), kit) in self.services(context).zip(kits) {
            let of_kit = kit.allow(product).and_then(|()| kits::parts_of(product, quantity));
            parts.extend(of_kit.map_err(|r| r.line(line))?.into_iter().map(|(part, quantity)| {
                let (refund, product) = (refund.clone(), part.clone());
                StockReturned { refund, line, product, quantity }.into()
            }));
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;
    use dcb::{Event, EventStore, MemoryStore};
    use uuid::Uuid;

    use super::*;
    use crate::event::KitDefined;
    use crate::kits::KitComponent;
    use crate::money::BasisPoints;
    use crate::refusal::RefusalCode;
    use crate::stock::StockOnHand;
    use crate::testing::{
        act, added, at, cart, configured, customer, happened, of_request, opened, received,
        refusal, seen, service_added, shift_at, sku, stored, till, units, with_customers,
    };
    use crate::{TaxMode, UserId};

    fn shop() -> Vec<Event> {
        let (a, post) = (added("A", 120), service_added("POST", 300));
        vec![configured(), a, post, received("A", 5), opened("T1")]
    }

    fn refund(lines: &[(&str, i64, i64)]) -> Refund {
        let line = |(id, quantity, price): &(&str, i64, i64)| RefundLine {
            product: sku(id),
            quantity: units(*quantity),
            price: Money::new(*price),
        };
        Refund {
            lines: lines.iter().map(line).collect(),
            tender: Tender::Cash,
            reason: "broken".into(),
            customer: None,
            reference: Some("C1".into()),
            restock: true,
        }
    }

    #[test]
    fn a_refund_records_its_total_its_lines_and_what_is_paid_back() {
        let id = RefundId::from(Uuid::from_u128(1));
        let completed = RefundCompleted {
            refund: id.clone(),
            series: SeriesId::from(&till("T1")),
            number: 1,
            till: till("T1"),
            shift: shift_at("T1"),
            cashier: UserId::new("ann").unwrap(),
            customer: None,
            sale: None,
            tax_mode: TaxMode::Included,
            lines: 1,
            payments: 1,
            gross: Money::new(240),
            net: Money::new(200),
            tax: Money::new(40),
            rounding: Money::ZERO,
            reason: "broken".into(),
            reference: Some("C1".into()),
        };
        let returned = ProductReturned {
            refund: id.clone(),
            line: 1,
            product: sku("A"),
            quantity: units(2),
            unit_price: Money::new(120),
            gross: Money::new(240),
            net: Money::new(200),
            tax: Money::new(40),
            tax_rate: BasisPoints::new(2000),
            restocked: true,
            sale: None,
            sold_line: None,
            sold_on: None,
            customer: None,
        };
        let paid_back = PaymentRefunded {
            refund: id.clone(),
            shift: shift_at("T1"),
            tender: Tender::Cash,
            amount: Money::new(240),
            sale: None,
            payment: None,
            card: None,
            reference: Some("C1".into()),
        };
        let expected = of_request([completed.into(), returned.into(), paid_back.into()]);
        let done = given(shop()).when(act(refund(&[("A", 2, 120)]))).then_recorded(expected);
        assert_eq!(done.answer.receipt.as_str(), "T1-1");
        assert_eq!((done.answer.lines.len(), done.answer.payments.len()), (1, 1));
    }

    #[test]
    fn a_refund_of_more_parts_than_can_be_recorded_at_once_is_refused() {
        let parts: Vec<String> = (0..50).map(|n| format!("P{n}")).collect();
        let component = |id: &String| KitComponent { product: sku(id), quantity: units(1) };
        let components = parts.iter().map(component).collect();
        let kit = happened(KitDefined { kit: sku("KIT"), components });
        let mut past = vec![configured(), service_added("KIT", 1), opened("T1")];
        past.extend(parts.iter().map(|id| added(id, 1)));
        past.push(kit);
        let lines = |count| refund(&vec![("KIT", 1, 1); count]);
        let fits = given(past.clone()).when(act(lines(196))).then_accepted();
        assert_eq!(fits.len(), 1 + 196 * 51 + 1);
        let refused = refusal(given(past).when(act(lines(197))).then_refused());
        assert_eq!(refused.code, RefusalCode::TooManyLines);
    }

    #[test]
    fn what_comes_back_from_someone_comes_from_a_customer_there_is() {
        let from = || Refund { customer: Some(customer("7")), ..refund(&[("A", 1, 120)]) };
        let refused = refusal(given(shop()).when(act(from())).then_refused());
        assert_eq!(refused.code, RefusalCode::CustomerUnknown);
        given(with_customers(shop())).when(act(from())).then_accepted();
    }

    #[test]
    fn what_comes_back_can_be_sold_again_unless_it_is_not_restocked() {
        let store = MemoryStore::new();
        store.append(&shop(), None).unwrap();
        at("T1", 1).act(&store, &refund(&[("A", 1, 120), ("POST", 1, 300)])).unwrap();
        let broken = Refund { restock: false, ..refund(&[("A", 1, 120)]) };
        at("T1", 2).act(&store, &broken).unwrap();
        let stock: StockOnHand = seen(&store);
        assert_eq!((stock.of(&sku("A")), stock.of(&sku("POST"))), (units(6), units(0)));
        at("T1", 3).act(&store, &cart(&[("A", 6)], &[(Tender::Cash, 900)])).unwrap();
    }

    #[test]
    fn a_kit_goes_back_on_the_shelf_as_it_is_made_now() {
        let kit = |part| {
            let components = vec![KitComponent { product: sku(part), quantity: units(2) }];
            happened(KitDefined { kit: sku("KIT"), components })
        };
        let store = stored(&[shop(), vec![added("B", 50), service_added("KIT", 300)]].concat());
        store.append(&[kit("A")], None).unwrap();
        let stale = seen(&store);
        store.append(&[kit("B")], None).unwrap();
        let back = refund(&[("POST", 1, 300), ("KIT", 1, 300)]);
        let refused = at("T1", 1).act_knowing(&store, &back, &stale).unwrap_err();
        let refused = refusal(refused);
        assert_eq!((refused.code, refused.details.line), (RefusalCode::KitChanged, Some(2)));
        at("T1", 2).act(&store, &back).unwrap();
        let stock: StockOnHand = seen(&store);
        assert_eq!((stock.of(&sku("A")), stock.of(&sku("B"))), (units(5), units(2)));
    }

    #[test]
    fn a_refund_takes_the_next_number_of_its_till_and_happens_once() {
        let store = MemoryStore::new();
        store.append(&shop(), None).unwrap();
        at("T1", 1).act(&store, &cart(&[("A", 1)], &[(Tender::Cash, 120)])).unwrap();
        let first = at("T1", 2).act(&store, &refund(&[("A", 1, 120)])).unwrap();
        let again = at("T1", 2).act(&store, &refund(&[("A", 1, 120)])).unwrap();
        assert_eq!(first.answer.number, 2);
        assert_eq!((again.repeated, again.answer), (true, first.answer));
    }

    #[test]
    fn a_refund_that_makes_no_sense_is_refused_with_its_line() {
        for (lines, code, line) in [
            (&[][..], RefusalCode::Empty, None),
            (&[("A", 1, 1), ("A", 0, 1)], RefusalCode::QuantityOutOfBounds, Some(2)),
            (&[("A", 1, -1)], RefusalCode::PriceOutOfBounds, Some(1)),
            (&[("B", 1, 1)], RefusalCode::ProductUnknown, Some(1)),
            (&[("A", 1_000_000, Money::MAX_PRICE.minor()); 10], RefusalCode::AmountOverflow, None),
        ] {
            let refusal = refusal(given(shop()).when(act(refund(lines))).then_refused());
            assert_eq!((refusal.code, refusal.details.line), (code, line));
        }
    }

    #[test]
    fn without_an_open_shift_nothing_is_paid_back() {
        let past = [configured(), added("A", 120)];
        let refused = given(past).when(act(refund(&[("A", 1, 1)]))).then_refused();
        assert_eq!(refusal(refused).code, RefusalCode::ShiftClosed);
    }
}
