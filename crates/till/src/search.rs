//! Search and scan: how a cashier gets at a product, from the first letter on.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use dcb::{EventRef, Projection};
use pos::{
    Catalogue, Gtin, InvalidBarcode, Label, Product, ProductId, Refusal, ScaleCodes, ShopEvent,
    event,
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::operations::Access;
use crate::queries::{ProductOnHand, Query};
use crate::{Till, TillError};

/// The most products that a search finds.
pub const MAX_FOUND: u32 = 50;

/// Looks for products while somebody types.
///
/// Each word must begin a word of the name or the SKU, or a barcode. Best first: the product with
/// this very code, names that begin with the text, then the rest; among equals what sells more.
/// Without a word: what sells most of the category, or of all.
#[derive(Clone, Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// What was typed so far.
    pub text: String,
    /// The category they are in.
    #[ts(optional)]
    pub category: Option<String>,
    /// The most to find, at most [`MAX_FOUND`] and so many unless told otherwise.
    #[ts(optional)]
    pub limit: Option<u32>,
}

/// The products that were found, the best first.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Found {
    /// The products.
    pub products: Vec<ProductOnHand>,
    /// Whether there are more that fit.
    pub more: bool,
}

/// Looks up what was scanned.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// A barcode in any of its forms, the code on the label of a scale, or a SKU.
    pub code: String,
}

/// What a scanned code stands for.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Scanned {
    /// A product.
    Product {
        /// The product.
        product: Box<ProductOnHand>,
        /// What the label says, if it is one that a scale printed.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        label: Option<Label>,
    },
    /// Nothing that the shop knows.
    Unknown {
        /// The code, without space around it.
        code: String,
    },
    /// Nothing, for it was misread: the last digit doesn't follow from the others.
    BadCheckDigit {
        /// The code, without space around it.
        code: String,
        /// What the last digit should be.
        expected: u8,
    },
    /// A label that its product cannot be sold by.
    UnusableLabel {
        /// The code, without space around it.
        code: String,
        /// Why, and what to do.
        message: String,
    },
}

impl Query for Search {
    const NAME: &'static str = "search";
    const ACCESS: Access = Access::SignedIn;
    type Answer = Found;

    fn ask(&self, till: &Till) -> Result<Found, TillError> {
        let limit = self.limit.unwrap_or(MAX_FOUND);
        if !(1..=MAX_FOUND).contains(&limit) {
            return Err(TillError::bad_request(format!("a search finds 1 to {MAX_FOUND}")));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let (found, more) =
            till.look_up(|index| index.find(&self.text, self.category.as_deref(), limit))?;
        let products = till.look_at_catalogue(|catalogue| {
            found.iter().filter_map(|id| catalogue.get(id).cloned()).collect()
        })?;
        Ok(Found { products: ProductOnHand::all_of(products, till)?, more })
    }
}

impl Query for Scan {
    const NAME: &'static str = "scan";
    const ACCESS: Access = Access::SignedIn;
    type Answer = Scanned;

    fn ask(&self, till: &Till) -> Result<Scanned, TillError> {
        let code = self.code.trim().to_owned();
        Ok(match till.product_of(&code)? {
            Some((_, Some(Err(refusal)))) => {
                Scanned::UnusableLabel { code, message: refusal.message }
            }
            Some((product, label)) => {
                let product = Box::new(ProductOnHand::of(product, till)?);
                Scanned::Product { product, label: label.and_then(Result::ok) }
            }
            None => match Gtin::new(&code) {
                Err(InvalidBarcode::CheckDigit { expected, .. }) => {
                    Scanned::BadCheckDigit { code, expected }
                }
                _ => Scanned::Unknown { code },
            },
        })
    }
}

/// A product, and what the label says by which it was found, if that is one of a scale.
type Named = (Product, Option<Result<Label, Refusal>>);

impl Till {
    /// The product that a code stands for, with or without space around it: a barcode in any of its
    /// forms, the code on the label of a scale, or a SKU, in this order.
    pub(crate) fn product_of(&self, code: &str) -> Result<Option<Named>, TillError> {
        let scales = self.settings()?.map(|settings| settings.scale_codes).unwrap_or_default();
        Ok(self.look_at_catalogue(|catalogue| {
            let by_barcode = || named_by(&Gtin::new(code.trim()).ok()?, catalogue, scales);
            let by_sku = || Some((catalogue.get(&ProductId::new(code).ok()?)?.clone(), None));
            by_barcode().or_else(by_sku)
        })?)
    }
}

/// The product that a barcode stands for, and what it says if it is the label of a scale. A product
/// that has this very code goes before one that has its number.
fn named_by(code: &Gtin, catalogue: &Catalogue, scales: ScaleCodes) -> Option<Named> {
    let number = scales.product_number(code);
    let by_code = || catalogue.by_barcode(code).filter(|_| number.as_ref() != Some(code));
    if let Some(product) = by_code() {
        return Some((product.clone(), None));
    }
    let product = catalogue.by_barcode(number.as_ref()?)?;
    let label = Label::read(code, product, product.price, scales);
    Some((product.clone(), Some(label)))
}

/// A view of all products by the words they are found by.
#[derive(Clone, Debug, Default)]
pub(crate) struct SearchIndex {
    entries: Vec<Entry>,
    /// By SKU.
    places: HashMap<String, usize>,
    /// Which entries have each word in their names, by their places.
    words: BTreeMap<String, Vec<usize>>,
    /// SKUs and barcodes, and the places of their entries.
    codes: BTreeSet<(String, usize)>,
}

#[derive(Clone, Debug)]
struct Entry {
    product: ProductId,
    category: String,
    /// The words of its name, then those of its codes, with one space between them.
    words: String,
    /// On how many lines of receipts it is.
    sold: u32,
    initials: Initials,
}

/// How well an entry fits: the least fits best. Equals stand in the order of their words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank<'a> {
    fit: Fit,
    popularity: Reverse<u32>,
    initials: Initials,
    words: &'a str,
    product: &'a ProductId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    IsCode,
    BeginsName,
    BeginsWords,
}

/// The first bytes of an entry's words, kept within the entry: in most cases they are enough to
/// compare, and tens of thousands of entries are compared while somebody types.
type Initials = [u8; 8];

impl SearchIndex {
    /// The products that fit best, at most `limit`, and whether there are more.
    fn find(&self, text: &str, category: Option<&str>, limit: usize) -> (Vec<ProductId>, bool) {
        let text = Gtin::new(text).map_or_else(|_| in_words(text), |code| as_printed(&code));
        let is_one_word = !text.contains(' ');
        let having_code: Vec<usize> = self.places_with_code(&text).collect();
        let mut best = BTreeSet::new();
        let mut more = false;
        for place in self.candidates(&text) {
            let Some(entry) = self.entries.get(place) else { continue };
            if category.is_some_and(|category| category != entry.category) {
                continue;
            }
            let fit = if having_code.contains(&place) {
                Fit::IsCode
            } else if entry.begins_with(&text) {
                Fit::BeginsName
            } else if is_one_word || text.split(' ').all(|word| entry.has_word_like(word)) {
                Fit::BeginsWords
            } else {
                continue;
            };
            let rank = entry.rank(fit);
            // Most candidates are worse than the worst that is kept: one comparison each.
            if best.len() < limit || best.last().is_some_and(|worst| rank < *worst) {
                best.insert(rank);
                if best.len() > limit {
                    best.pop_last();
                    more = true;
                }
            } else if best.last() != Some(&rank) {
                more = true;
            }
        }
        (best.into_iter().map(|rank| rank.product.clone()).collect(), more)
    }

    /// The places of the entries with a word or code that begins like the longest word of the text,
    /// which few have; some of them twice. All places if there is no word.
    fn candidates<'a>(&'a self, text: &str) -> Box<dyn Iterator<Item = usize> + 'a> {
        let longest = text.split(' ').max_by_key(|word| word.len()).unwrap_or_default();
        if longest.is_empty() {
            return Box::new(0..self.entries.len());
        }
        // No word has a character beyond the last letter.
        let (from, to) = (longest.to_owned(), format!("{longest}{}", char::MAX));
        let in_codes = self.codes.range((from.clone(), 0)..(to.clone(), 0));
        let in_names = self.words.range(from..to).flat_map(|(_, places)| places);
        Box::new(in_names.copied().chain(in_codes.map(|(_, place)| *place)))
    }

    fn places_with_code(&self, code: &str) -> impl Iterator<Item = usize> {
        let codes = self.codes.range((code.to_owned(), 0)..=(code.to_owned(), usize::MAX));
        codes.map(|(_, place)| *place)
    }

    fn add(&mut self, product: ProductId, name: &str, category: String) {
        let place = self.entries.len();
        if self.places.contains_key(product.as_str()) {
            return;
        }
        self.places.insert(product.as_str().to_owned(), place);
        let (words, sku) = (in_words(name), in_words(product.as_str()));
        for word in words.split(' ').filter(|word| !word.is_empty()) {
            let places = self.words.entry(word.to_owned()).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
        let initials = initials(&words);
        self.entries.push(Entry { product, category, words, sold: 0, initials });
        self.add_code(place, sku);
    }

    fn add_code(&mut self, place: usize, code: String) {
        if let Some(entry) = self.entries.get_mut(place)
            && !code.is_empty()
        {
            entry.words.push(' ');
            entry.words.push_str(&code);
            self.codes.insert((code, place));
        }
    }

    fn remove_code(&mut self, place: usize, code: String) {
        if let Some(entry) = self.entries.get_mut(place) {
            entry.words = entry.words.replacen(&format!(" {code}"), "", 1);
            self.codes.remove(&(code, place));
        }
    }
}

impl Entry {
    fn rank(&self, fit: Fit) -> Rank<'_> {
        // In powers of two, so that a sale rarely moves anything on the screen.
        let popularity = Reverse(self.sold.checked_ilog2().map_or(0, |log| log + 1));
        let Self { initials, words, product, .. } = self;
        Rank { fit, popularity, initials: *initials, words, product }
    }

    /// Whether its words begin so; to see that they don't, the initials are mostly enough.
    fn begins_with(&self, text: &str) -> bool {
        self.initials.first() == text.as_bytes().first() && self.words.starts_with(text)
    }

    fn has_word_like(&self, beginning: &str) -> bool {
        let mut begins = self.words.match_indices(beginning).map(|(at, _)| at);
        begins.any(|at| at == 0 || self.words.as_bytes().get(at - 1) == Some(&b' '))
    }
}

fn initials(words: &str) -> Initials {
    let mut initials = Initials::default();
    for (initial, byte) in initials.iter_mut().zip(words.bytes()) {
        *initial = byte;
    }
    initials
}

/// The words of a text in lower case, with one space between them. An apostrophe is no gap.
fn in_words(text: &str) -> String {
    let text: String = text.chars().filter(|c| !matches!(c, '\'' | '’')).collect();
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

/// A barcode as it stands below its bars: in the shortest of its forms.
fn as_printed(barcode: &Gtin) -> String {
    let digits = barcode.as_str().trim_start_matches('0');
    let length = [8, 12, 13].into_iter().find(|length| digits.len() <= *length).unwrap_or(14);
    format!("{digits:0>length$}")
}

impl Projection for SearchIndex {
    fn query(&self) -> dcb::Query {
        let types = [
            event::ProductAdded::TYPE,
            event::BarcodeAssigned::TYPE,
            event::BarcodeReleased::TYPE,
            event::ProductSold::TYPE,
        ];
        dcb::Query::types(types).expect("the shop's event types are not blank")
    }

    fn apply(&mut self, event: &EventRef<'_>) {
        // Of sales, by far the most events, the tag says enough.
        if event.event_type == event::ProductSold::TYPE {
            let place = event.tags.value_of("product").and_then(|sku| self.places.get(sku));
            if let Some(entry) = place.and_then(|place| self.entries.get_mut(*place)) {
                entry.sold = entry.sold.saturating_add(1);
            }
            return;
        }
        match ShopEvent::decode(event) {
            Some(ShopEvent::ProductAdded(e)) => self.add(e.product, &e.name, e.category),
            Some(ShopEvent::BarcodeAssigned(e)) => {
                if let Some(place) = self.places.get(e.product.as_str()).copied() {
                    self.add_code(place, as_printed(&e.barcode));
                }
            }
            Some(ShopEvent::BarcodeReleased(e)) => {
                if let Some(place) = self.places.get(e.product.as_str()).copied() {
                    self.remove_code(place, as_printed(&e.barcode));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use pos::{
        AddProduct, AssignBarcode, BasisPoints, Checkout, CheckoutLine, Money, OpenShift, Payment,
        Quantity, ReleaseBarcode, Tender,
    };
    use uuid::Uuid;

    use super::*;
    use crate::queries::FindProduct;
    use crate::setup::{configure_if_new, settings_or_default};
    use crate::testing::till;

    /// SKU, name, category, barcode.
    const PRODUCTS: [(&str, &str, &str, Option<&str>); 8] = [
        ("22423", "Regency Cakestand 3 Tier", "Kitchen", Some("4006381333931")),
        ("85123A", "White Hanging Heart T-Light Holder", "Lights", Some("036000291452")),
        ("84879", "Assorted Colour Bird Ornament", "Home", None),
        ("REG-1", "Cash Register", "Office", None),
        ("BAG", "Red Bag", "Bags", None),
        ("21212", "Children's Red Mug", "Kitchen", None),
        ("7", "Älg", "Home", Some("96385074")),
        ("CHED", "Old Cheddar", "Food", Some("2100001000004")),
    ];

    fn shop() -> Till {
        let till = till();
        configure_if_new(&till, &settings_or_default(&till).unwrap()).unwrap();
        for (sku, name, category, barcode) in PRODUCTS {
            let product = AddProduct {
                sku: ProductId::new(sku).unwrap(),
                name: name.into(),
                category: category.into(),
                price: Money::new(100),
                cost: Money::ZERO,
                tax_rate: BasisPoints::default(),
                stocked: false,
                barcode: barcode.map(|code| Gtin::new(code).unwrap()),
            };
            till.execute(&product, Uuid::now_v7()).unwrap();
        }
        till
    }

    fn search(till: &Till, text: &str, category: Option<&str>, limit: Option<u32>) -> Vec<String> {
        let search = Search { text: text.into(), category: category.map(Into::into), limit };
        let found = search.ask(till).unwrap().products;
        found.into_iter().map(|found| found.product.id.as_str().to_owned()).collect()
    }

    fn sell(till: &Till, sku: &str) {
        if till.current_shift().unwrap().is_none() {
            till.execute(&OpenShift { float: Money::ZERO }, Uuid::now_v7()).unwrap();
        }
        let amount = Money::new(100);
        let checkout = Checkout {
            lines: vec![CheckoutLine::new(ProductId::new(sku).unwrap(), Quantity::UNIT)],
            payments: vec![Payment::new(Tender::Card, amount)],
            ..Checkout::default()
        };
        till.execute(&checkout, Uuid::now_v7()).unwrap();
    }

    #[test]
    fn products_are_found_from_the_first_letter_of_any_word() {
        let till = shop();
        let found = |text| search(&till, text, None, None);
        assert_eq!(found("r"), ["BAG", "22423", "REG-1", "21212"]); // names that begin with it first
        assert_eq!(found("reg"), ["22423", "REG-1"]);
        assert_eq!(found("light t hang"), ["85123A"]);
        assert_eq!(found("T-LIGHT"), ["85123A"]);
        assert_eq!(found("childrens"), ["21212"]);
        assert_eq!(found("älg"), ["7"]);
        assert_eq!(found("egency"), Vec::<String>::new());
        assert_eq!(found("red zebra"), Vec::<String>::new());
    }

    #[test]
    fn a_code_finds_its_product_first_however_it_is_written() {
        let till = shop();
        let found = |text| search(&till, text, None, None);
        assert_eq!(found("85123a"), ["85123A"]);
        assert_eq!(found("8"), ["84879", "85123A"]);
        assert_eq!(found("reg-1"), ["REG-1"]);
        assert_eq!(found("7")[0], "7");
        assert_eq!(found("40063"), ["22423"]);
        for upc in ["036000291452", "0036000291452", "00036000291452", "0360"] {
            assert_eq!(found(upc), ["85123A"], "{upc}");
        }
        let barcode = Gtin::new("4006381333931").unwrap();
        till.execute(&ReleaseBarcode { barcode }, Uuid::now_v7()).unwrap();
        assert_eq!(found("40063"), Vec::<String>::new());
    }

    #[test]
    fn without_a_word_it_is_what_sells_most() {
        let till = shop();
        assert_eq!(search(&till, " ", None, None).len(), PRODUCTS.len());
        assert_eq!(search(&till, "", Some("Kitchen"), None), ["21212", "22423"]);
        sell(&till, "22423");
        assert_eq!(search(&till, "", Some("Kitchen"), None), ["22423", "21212"]);
        assert_eq!(search(&till, "", None, Some(1)), ["22423"]);
        assert_eq!(search(&till, "red", Some("Bags"), None), ["BAG"]);
        assert_eq!(search(&till, "", Some("Garden"), None), Vec::<String>::new());
    }

    #[test]
    fn one_sale_more_leaves_things_where_they_are() {
        let till = shop();
        for sku in ["22423", "21212", "22423", "21212"] {
            sell(&till, sku);
        }
        let before = search(&till, "", None, None);
        sell(&till, "22423");
        assert_eq!(search(&till, "", None, None), before);
    }

    #[test]
    fn a_search_tells_whether_more_would_fit() {
        let till = shop();
        // One of the two is found by its name and by its SKU, and is still one.
        for (text, limit, more) in
            [("r", 3, true), ("r", 4, false), ("reg", 1, true), ("reg", 2, false)]
        {
            let search = Search { text: text.into(), category: None, limit: Some(limit) };
            assert_eq!(search.ask(&till).unwrap().more, more, "{text} {limit}");
        }
    }

    #[test]
    fn a_search_finds_no_more_than_it_may() {
        let till = shop();
        assert_eq!(search(&till, "r", None, Some(2)), ["BAG", "22423"]);
        for limit in [0, MAX_FOUND + 1] {
            assert!(Search { limit: Some(limit), ..Search::default() }.ask(&till).is_err());
        }
    }

    #[test]
    fn a_scan_is_a_product_or_unknown_or_misread() {
        let till = shop();
        let scan = |code: &str| Scan { code: code.into() }.ask(&till).unwrap();
        for code in ["4006381333931", " 04006381333931 ", "22423", "22423 "] {
            let Scanned::Product { product, label: None } = scan(code) else { panic!("{code}") };
            assert_eq!(product.product.name, "Regency Cakestand 3 Tier");
            assert_eq!(product.on_hand, None);
        }
        let as_json = |code| serde_json::to_value(scan(code)).unwrap();
        assert_eq!(
            as_json("4006381333932"),
            serde_json::json!({"kind": "bad_check_digit", "code": "4006381333932", "expected": 1})
        );
        for code in ["5901234123457", "nothing", "", "123456789"] {
            assert_eq!(as_json(code), serde_json::json!({"kind": "unknown", "code": code}));
        }
    }

    #[test]
    fn a_code_is_the_same_product_for_whoever_scans_it_or_asks_for_it() {
        let till = shop();
        let product = |sku: &str, barcode: Option<&str>| AddProduct {
            sku: ProductId::new(sku).unwrap(),
            name: format!("Called {sku}"),
            category: String::new(),
            price: Money::new(100),
            cost: Money::ZERO,
            tax_rate: BasisPoints::default(),
            stocked: false,
            barcode: barcode.map(|code| Gtin::new(code).unwrap()),
        };
        till.execute(&product("5901234123457", None), Uuid::now_v7()).unwrap();
        till.execute(&product("OTHER", Some("5901234123457")), Uuid::now_v7()).unwrap();
        for (code, name) in [
            ("5901234123457", "Called OTHER"),
            (" 22423", "Regency Cakestand 3 Tier"),
            ("2100001004507", "Old Cheddar"),
        ] {
            let Scanned::Product { product, .. } = Scan { code: code.into() }.ask(&till).unwrap()
            else {
                panic!("{code}")
            };
            let asked = FindProduct { code: code.into() }.ask(&till).unwrap();
            assert_eq!((&product.product.name[..], &asked.product.name[..]), (name, name));
        }
    }

    #[test]
    fn a_label_of_a_scale_is_its_product_and_what_it_says() {
        let till = shop();
        let assign = |sku: &str, code: &str| {
            let product = ProductId::new(sku).unwrap();
            let barcode = Gtin::new(code).unwrap();
            till.execute(&AssignBarcode { product, barcode }, Uuid::now_v7()).unwrap();
        };
        assign("CHED", "2300001000008");
        let scan = |code: &str| Scan { code: code.into() }.ask(&till).unwrap();
        let read = |code| match scan(code) {
            Scanned::Product { product, label: Some(label) } => {
                let price = label.price.map(Money::minor);
                (product.product.id.as_str().to_owned(), label.quantity.thousandths(), price)
            }
            other => panic!("{code}: {other:?}"),
        };
        assert_eq!(read("2100001004507"), ("CHED".into(), 450, None));
        assert_eq!(read(" 2100001999995 "), ("CHED".into(), 99_999, None));
        assert_eq!(read("2300001008325"), ("CHED".into(), 8_320, Some(832)));

        let as_json = |code| serde_json::to_value(scan(code)).unwrap();
        let empty = as_json("2100001000004");
        assert_eq!(empty["kind"], "unusable_label");
        let message = "The label on Old Cheddar says 0. Weigh it again.";
        assert_eq!(empty["message"], message);
        assert_eq!(as_json("2100001004500")["kind"], "bad_check_digit");
        assert_eq!(as_json("2100002004506")["kind"], "unknown");
        assign("BAG", "2000000000015");
        assert!(matches!(scan("2000000000015"), Scanned::Product { label: None, .. }));
    }
}
