//! Labels of scales: in-store codes that hold a weight or a price beside the number of a product.
//!
//! GS1 leaves codes that begin with 2 to shops, and what those for goods of varying measure hold to
//! each country and shop (General Specifications, restricted circulation numbers). The layout here
//! is the usual one, `PP IIIII VVVVV C`: two digits say what the value is, five are the product's
//! number, five the value, and the last is the check digit of all. The code with a value of 0 is an
//! ordinary barcode of the product; that is how it gets its number.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::barcode::Gtin;
use crate::catalogue::Product;
use crate::input;
use crate::money::{Money, Quantity};
use crate::refusal::{NextAction, Refusal, RefusalCode};

/// What the shop's scales print: by which two digits their codes begin, 21 to 29, if there are any.
/// Codes that begin with 20 hold neither; see [`Gtin::in_store`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ScaleCodes {
    /// Of those that hold a weight, in grams; 21 unless told otherwise.
    pub weight: Option<u8>,
    /// Of those that hold a price, in minor units; 23 unless told otherwise.
    pub price: Option<u8>,
}

impl Default for ScaleCodes {
    fn default() -> Self {
        Self { weight: Some(21), price: Some(23) }
    }
}

impl ScaleCodes {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let is_good = |first: Option<u8>| first.is_none_or(|first| (21..=29).contains(&first));
        if !is_good(self.weight) || !is_good(self.price) {
            return Err(input::invalid("Codes of scales begin with 21 to 29. Correct it."));
        }
        if self.weight.is_some() && self.weight == self.price {
            let message = "Codes with a weight and with a price begin alike. Correct one of them.";
            return Err(input::invalid(message));
        }
        Ok(())
    }

    /// The number of the product on a label, which is its code with a value of 0; `None` if the
    /// code is not of a scale.
    pub fn product_number(&self, code: &Gtin) -> Option<Gtin> {
        self.read(code).map(|read| read.number)
    }

    /// Why a code cannot be given to a product, if it cannot: because it is a whole label.
    pub(crate) fn assignable(&self, code: &Gtin) -> Result<(), Refusal> {
        match self.product_number(code) {
            Some(number) if number != *code => {
                let message = format!(
                    "The code {code} is of one label. Give the product {number}, without a value."
                );
                Err(input::invalid(message))
            }
            _ => Ok(()),
        }
    }

    fn read(&self, code: &Gtin) -> Option<Read> {
        let (first, number, value) = code.in_store_parts()?;
        let holds = match Some(first) {
            first if first == self.weight => Holds::Weight(Quantity::new(value)),
            first if first == self.price => Holds::Price(Money::new(value)),
            _ => return None,
        };
        Some(Read { number, holds })
    }
}

/// A code of a scale, taken apart.
struct Read {
    number: Gtin,
    holds: Holds,
}

enum Holds {
    Weight(Quantity),
    Price(Money),
}

/// What the label on goods says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Label {
    /// Its code.
    pub code: Gtin,
    /// How much there is: of a label with a price as much as that buys.
    pub quantity: Quantity,
    /// What it costs, if the label says that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub price: Option<Money>,
}

impl Label {
    /// What a label says on a product that costs so much a unit; or why it cannot be sold by it.
    pub fn read(
        code: &Gtin,
        product: &Product,
        unit_price: Money,
        scales: ScaleCodes,
    ) -> Result<Self, Refusal> {
        let refuse = |message: String| {
            Err(Refusal::new(RefusalCode::LabelUnusable, message)
                .product(&product.id)
                .action(NextAction::CorrectInput))
        };
        let name = &product.name;
        let read = scales.read(code).filter(|read| product.barcodes.contains(&read.number));
        let Some(Read { holds, .. }) = read else {
            return refuse(format!("The label {code} is not of {name}. Scan it again."));
        };
        if !product.components.is_empty() {
            return refuse(format!("{name} is a kit, sold by the piece. Choose it without label."));
        }
        let (quantity, price) = match holds {
            Holds::Weight(weight) => (Some(weight), None),
            Holds::Price(price) => (price.buys_at(unit_price), Some(price)),
        };
        match quantity.filter(|quantity| *quantity > Quantity::ZERO) {
            Some(quantity) => Ok(Self { code: code.clone(), quantity, price }),
            None if price.is_none_or(|price| price.is_zero()) => {
                refuse(format!("The label on {name} says 0. Weigh it again."))
            }
            None => refuse(format!(
                "How much {name} this is cannot be told from its price. Weigh it, and enter that."
            )),
        }
    }

    /// Refuses to sell another quantity than is on the label.
    pub(crate) fn covers(&self, product: &Product, quantity: Quantity) -> Result<(), Refusal> {
        if quantity == self.quantity {
            return Ok(());
        }
        let (name, on_label) = (&product.name, self.quantity);
        let message = format!("By its label this is {on_label} {name}, not {quantity}. Scan it.");
        Err(Refusal::new(RefusalCode::LabelUnusable, message)
            .product(&product.id)
            .quantity_left(on_label)
            .action(NextAction::CorrectInput))
    }
}

#[cfg(test)]
mod tests {
    use dcb::MemoryStore;
    use dcb::testing::given;

    use super::*;
    use crate::checkout::{Checkout, CheckoutLine};
    use crate::event::{BarcodeAssigned, PriceChanged};
    use crate::payment::Tender;
    use crate::testing::{
        act, at, cart, happened, open_shop_and, refusal, seen, settings, sku, stored,
    };
    use crate::{AddProduct, AssignBarcode, Catalogue, ConfigureShop, Receipt, ShopSettings};

    /// B costs 0.99, A 1.20, each a unit; A has a number on scales.
    const BY_WEIGHT: &str = "2100001000004";
    const BY_PRICE: &str = "2300001000008";
    const WEIGHT_450_G: &str = "2100001004507";
    const PRICE_8_32: &str = "2300001008325";

    fn code(text: &str) -> Gtin {
        Gtin::new(text).unwrap()
    }

    fn shop() -> MemoryStore {
        let numbers = [BY_WEIGHT, BY_PRICE]
            .map(|number| happened(BarcodeAssigned { barcode: code(number), product: sku("A") }));
        stored(&open_shop_and(numbers))
    }

    fn read_at(store: &MemoryStore, label: &str, price: i64) -> Result<Label, Refusal> {
        let catalogue: Catalogue = seen(store);
        let product = catalogue.get(&sku("A")).unwrap();
        Label::read(&code(label), product, Money::new(price), ScaleCodes::default())
    }

    /// A sale of A by a label, paid in cash with 9.00.
    fn by(label: &str, thousandths: i64) -> Checkout {
        let line = CheckoutLine {
            label: Some(code(label)),
            ..CheckoutLine::new(sku("A"), Quantity::new(thousandths))
        };
        Checkout { lines: vec![line], ..cart(&[], &[(Tender::Cash, 900)]) }
    }

    fn sell(store: &MemoryStore, checkout: &Checkout) -> Receipt {
        at("T1", 1).act(store, checkout).unwrap().answer
    }

    fn refused(store: &MemoryStore, checkout: &Checkout) -> Refusal {
        refusal(at("T1", 2).act(store, checkout).unwrap_err())
    }

    #[test]
    fn a_label_says_a_weight_or_a_price() {
        let store = shop();
        let weighed = read_at(&store, WEIGHT_450_G, 1_850).unwrap();
        assert_eq!((weighed.quantity, weighed.price), (Quantity::new(450), None));
        let priced = read_at(&store, PRICE_8_32, 1_850).unwrap();
        assert_eq!((priced.quantity, priced.price), (Quantity::new(450), Some(Money::new(832))));
    }

    #[test]
    fn a_label_that_says_nothing_of_use_is_refused_with_what_to_do() {
        let store = shop();
        let message = |label, price| {
            let refusal = read_at(&store, label, price).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::LabelUnusable);
            refusal.message
        };
        assert_eq!(message(BY_WEIGHT, 120), "The label on a says 0. Weigh it again.");
        assert_eq!(message(BY_PRICE, 120), "The label on a says 0. Weigh it again.");
        let unknowable =
            "How much a this is cannot be told from its price. Weigh it, and enter that.";
        assert_eq!(message(PRICE_8_32, 0), unknowable);
        assert_eq!(message("2300001000015", 999_999_999), unknowable);
        for other in ["2100002004506", "2000001004500", "4006381333931"] {
            let expected = format!("The label 0{other} is not of a. Scan it again.");
            assert_eq!(message(other, 120), expected);
        }
    }

    #[test]
    fn a_weight_is_sold_at_the_price_of_its_unit() {
        let receipt = sell(&shop(), &by(WEIGHT_450_G, 450));
        let line = &receipt.lines[0];
        assert_eq!((line.quantity, line.label_price), (Quantity::new(450), None));
        assert_eq!(receipt.gross, Money::new(54)); // 0.45 at 1.20
    }

    #[test]
    fn a_price_is_charged_to_the_penny_and_takes_off_the_shelf_what_it_buys() {
        let store = stored(&open_shop_and([
            happened(BarcodeAssigned { barcode: code(BY_PRICE), product: sku("A") }),
            happened(PriceChanged { product: sku("A"), price: Money::new(2_599), previous: None }),
        ]));
        // 0.32 at 25.99 would be 8.3168; 8.33 buys 0.321, which would be 8.34.
        for (request, label, gross, quantity) in
            [(1, PRICE_8_32, 832, 320), (2, "2300001008332", 833, 321)]
        {
            let receipt = at("T1", request).act(&store, &by(label, quantity)).unwrap().answer;
            let line = &receipt.lines[0];
            assert_eq!((receipt.gross, line.label_price), (line.gross, Some(Money::new(gross))));
            assert_eq!((line.gross.minor(), line.unit_price), (gross, Money::new(2_599)));
            assert_eq!(line.quantity, Quantity::new(quantity));
        }
    }

    #[test]
    fn what_is_taken_off_and_the_tax_come_of_the_price_on_the_label() {
        let mut discounted = by(PRICE_8_32, 6_933);
        discounted.lines[0].quantity = Quantity::new(6_933);
        discounted.discount = Some(crate::GivenDiscount {
            off: crate::Discount::Amount(Money::new(32)),
            reason: None,
        });
        discounted.override_stock = true;
        let receipt = sell(&shop(), &discounted);
        assert_eq!((receipt.gross.minor(), receipt.tax.minor()), (800, 133));
        assert_eq!(receipt.lines[0].discount, Money::new(32));
    }

    #[test]
    fn a_line_with_a_label_is_sold_as_its_label_says() {
        let store = shop();
        let refusal = refused(&store, &by(WEIGHT_450_G, 1_450));
        assert_eq!((refusal.code, refusal.details.line), (RefusalCode::LabelUnusable, Some(1)));
        assert_eq!(refusal.message, "By its label this is 0.45 a, not 1.45. Scan it.");
        assert_eq!(refusal.details.left, Some(450));

        let mut other = by(WEIGHT_450_G, 450);
        other.lines[0].product = sku("B");
        assert_eq!(refused(&store, &other).code, RefusalCode::LabelUnusable);
        let mut cheaper = by(PRICE_8_32, 6_933);
        cheaper.lines[0].price = Some(Money::new(1));
        assert_eq!(refused(&store, &cheaper).code, RefusalCode::InvalidInput);
    }

    #[test]
    fn a_kit_is_not_sold_by_weight() {
        let components = vec![crate::KitComponent { product: sku("A"), quantity: Quantity::UNIT }];
        let store = stored(&open_shop_and([
            happened(crate::event::KitDefined { kit: sku("POST"), components }),
            happened(BarcodeAssigned { barcode: code(BY_WEIGHT), product: sku("POST") }),
        ]));
        let catalogue: Catalogue = seen(&store);
        let kit = catalogue.get(&sku("POST")).unwrap();
        let read = Label::read(&code(WEIGHT_450_G), kit, kit.price, ScaleCodes::default());
        assert_eq!(
            read.unwrap_err().message,
            "post is a kit, sold by the piece. Choose it without label."
        );
    }

    #[test]
    fn a_product_is_given_its_number_not_the_code_of_one_label() {
        let assign = |barcode| AssignBarcode { product: sku("B"), barcode: code(barcode) };
        given(open_shop_and([])).when(act(assign(BY_WEIGHT))).then_accepted();
        let refusal =
            refusal(given(open_shop_and([])).when(act(assign(WEIGHT_450_G))).then_refused());
        assert_eq!(refusal.code, RefusalCode::InvalidInput);
        assert!(refusal.message.contains("Give the product 02100001000004"), "{refusal}");
        let added = AddProduct {
            sku: sku("C"),
            name: "c".into(),
            category: String::new(),
            price: Money::new(1),
            cost: Money::ZERO,
            tax_rate: Default::default(),
            stocked: true,
            barcode: Some(code(PRICE_8_32)),
        };
        given(open_shop_and([])).when(act(added)).then_refused();
    }

    #[test]
    fn a_shop_says_what_its_scales_print() {
        let with = |weight, price| {
            let scale_codes = ScaleCodes { weight, price };
            ConfigureShop(ShopSettings { scale_codes, ..settings() })
        };
        let store = shop();
        at("T1", 3).act(&store, &with(Some(23), None)).unwrap();
        let weighed = sell(&store, &by(PRICE_8_32, 832));
        assert_eq!((weighed.gross, weighed.lines[0].label_price), (Money::new(100), None));
        assert_eq!(refused(&store, &by(WEIGHT_450_G, 450)).code, RefusalCode::LabelUnusable);
        for (weight, price) in [(Some(20), None), (Some(21), Some(30)), (Some(21), Some(21))] {
            let refused = at("T1", 4).act(&store, &with(weight, price)).unwrap_err();
            assert_eq!(refusal(refused).code, RefusalCode::InvalidInput);
        }
    }
}
