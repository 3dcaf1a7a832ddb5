//! Products and their barcodes: every SKU and every barcode stands for one product only.

use std::collections::HashSet;

use dcb::{DecisionProjection, Query};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::barcode::Gtin;
use crate::command::{Command, Context};
use crate::event::{BarcodeAssigned, BarcodeReleased, ProductAdded, Recorded, ShopEvent};
use crate::ids::ProductId;
use crate::input;
use crate::labels::ScaleCodes;
use crate::money::{BasisPoints, Money};
use crate::permission::Permission;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};

/// The most products that can be added at once.
pub const MAX_PRODUCTS_AT_ONCE: usize = 1_000;

/// Adds a product to the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddProduct {
    /// Its SKU.
    pub sku: ProductId,
    /// What it is called; not blank.
    pub name: String,
    /// Where it belongs; may be empty.
    #[serde(default)]
    pub category: String,
    /// The price of one unit.
    pub price: Money,
    /// What one unit costs the shop.
    #[serde(default)]
    pub cost: Money,
    /// The rate of its tax.
    #[serde(default)]
    pub tax_rate: BasisPoints,
    /// Whether it can run out; a service cannot. It is so unless told otherwise.
    #[serde(default = "yes")]
    pub stocked: bool,
    /// Its barcode, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub barcode: Option<Gtin>,
}

/// Adds many products to the catalogue: all of them, or none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddProducts {
    /// The products, at most [`MAX_PRODUCTS_AT_ONCE`].
    pub products: Vec<AddProduct>,
}

fn yes() -> bool {
    true
}

/// What each product's SKU and barcode are taken by.
pub(crate) type TakenModel =
    (Vec<DecisionProjection<Option<u64>>>, Vec<DecisionProjection<Holder>>);
type Taken = (Vec<Option<u64>>, Vec<Holder>);

impl Command for AddProduct {
    const NAME: &'static str = "add_product";
    const PERMISSION: Permission = Permission::ManageProducts;
    type Model = TakenModel;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<TakenModel, Refusal> {
        taken_model(std::slice::from_ref(self), context)
    }

    fn decide(&self, taken: &Taken, context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        add(std::slice::from_ref(self), taken, context)
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        are_additions(recorded).then_some(())
    }
}

impl Command for AddProducts {
    const NAME: &'static str = "add_products";
    const PERMISSION: Permission = Permission::ManageProducts;
    type Model = TakenModel;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<TakenModel, Refusal> {
        taken_model(&self.products, context)
    }

    fn decide(&self, taken: &Taken, context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        add(&self.products, taken, context)
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        are_additions(recorded).then_some(())
    }
}

fn taken_model(products: &[AddProduct], context: &Context<'_>) -> Result<TakenModel, Refusal> {
    let scales = context.settings()?.scale_codes;
    input::lines(products.len())?;
    if products.len() > MAX_PRODUCTS_AT_ONCE {
        let message = format!("More than {MAX_PRODUCTS_AT_ONCE} products at once. Split them.");
        return Err(
            Refusal::new(RefusalCode::TooManyLines, message).action(NextAction::CorrectInput)
        );
    }
    let (mut skus, mut barcodes) = (HashSet::new(), HashSet::new());
    for (index, product) in products.iter().enumerate() {
        let is_new_sku = skus.insert(&product.sku);
        let is_new_barcode = product.barcode.as_ref().is_none_or(|code| barcodes.insert(code));
        let checked = match (is_new_sku, is_new_barcode) {
            (false, _) => Err(twice(RefusalCode::ProductExists, "SKU")),
            (_, false) => Err(twice(RefusalCode::BarcodeTaken, "barcode")),
            _ => check(product, scales),
        };
        checked.map_err(|refusal| refusal.product(&product.sku).line(input::line_number(index)))?;
    }
    let skus = products.iter().map(|product| addition_of(&product.sku)).collect();
    let barcodes = products.iter().filter_map(|p| p.barcode.as_ref()).map(holder_of).collect();
    Ok((skus, barcodes))
}

fn check(product: &AddProduct, scales: ScaleCodes) -> Result<(), Refusal> {
    input::name("name", &product.name)?;
    input::optional("category", Some(&product.category), input::MAX_TEXT_CHARS)?;
    input::price(product.price)?;
    input::price(product.cost)?;
    input::rate("tax rate", product.tax_rate)?;
    product.barcode.as_ref().map_or(Ok(()), |code| scales.assignable(code))
}

fn add(
    products: &[AddProduct],
    (additions, holders): &Taken,
    context: &Context<'_>,
) -> Result<Vec<ShopEvent>, Refusal> {
    let mut holders = holders.iter();
    let mut events = Vec::with_capacity(products.len());
    for (index, (product, addition)) in products.iter().zip(additions).enumerate() {
        let line = input::line_number(index);
        if let Some(position) = addition {
            return Err(exists(&product.sku).line(line).because(&Evidence::only(*position)));
        }
        events.push(
            ProductAdded {
                product: product.sku.clone(),
                name: product.name.trim().to_owned(),
                category: product.category.trim().to_owned(),
                price: product.price,
                cost: product.cost,
                tax_rate: product.tax_rate,
                stocked: product.stocked,
            }
            .into(),
        );
        if let Some(barcode) = product.barcode.clone() {
            let free = holders.next().map_or(Ok(()), |holder| holder.refuse_if_held(context));
            free.map_err(|refusal| refusal.line(line))?;
            events.push(BarcodeAssigned { barcode, product: product.sku.clone() }.into());
        }
    }
    Ok(events)
}

fn exists(sku: &ProductId) -> Refusal {
    let message = format!("{sku} is in the catalogue already. Use another SKU.");
    Refusal::new(RefusalCode::ProductExists, message).product(sku).action(NextAction::CorrectInput)
}

fn twice(code: RefusalCode, what: &str) -> Refusal {
    let message = format!("Another product here has the same {what}. Correct one of them.");
    Refusal::new(code, message).action(NextAction::CorrectInput)
}

fn are_additions(recorded: &[Recorded]) -> bool {
    matches!(recorded, [Recorded { event: ShopEvent::ProductAdded(_), .. }, ..])
}

/// Where the product was added, if it was.
fn addition_of(product: &ProductId) -> DecisionProjection<Option<u64>> {
    let query = Query::tagged([ProductAdded::TYPE], product.tag());
    DecisionProjection::last(None, query, |event| Some(Some(event.position)))
        .named("addition", 1, product)
}

/// Whose a barcode is.
#[derive(Clone, Debug, Default)]
pub struct Holder {
    product: Option<ProductId>,
    evidence: Evidence,
}

impl Holder {
    fn refuse_if_held(&self, context: &Context<'_>) -> Result<(), Refusal> {
        let Some(product) = &self.product else { return Ok(()) };
        let name = context.catalogue.get(product).map_or(product.as_str(), |p| &p.name);
        let message = format!("This barcode belongs to {name}. Release it there first.");
        Err(Refusal::new(RefusalCode::BarcodeTaken, message)
            .product(product)
            .action(NextAction::CorrectInput)
            .because(&self.evidence))
    }
}

/// Whose a barcode is.
fn holder_of(barcode: &Gtin) -> DecisionProjection<Holder> {
    let query = Query::tagged([BarcodeAssigned::TYPE, BarcodeReleased::TYPE], barcode.tag());
    DecisionProjection::last(Holder::default(), query, |event| {
        let product = match ShopEvent::decode(event)? {
            ShopEvent::BarcodeAssigned(e) => Some(e.product),
            _ => None,
        };
        Some(Holder { product, evidence: Evidence::only(event.position) })
    })
    .named("holder", 1, barcode)
}

/// Gives a product a further barcode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssignBarcode {
    /// The product.
    pub product: ProductId,
    /// The code; it must belong to no product.
    pub barcode: Gtin,
}

impl Command for AssignBarcode {
    const NAME: &'static str = "assign_barcode";
    const PERMISSION: Permission = Permission::ManageProducts;
    type Model = DecisionProjection<Holder>;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        context.catalogue.known(&self.product)?;
        context.settings()?.scale_codes.assignable(&self.barcode)?;
        Ok(holder_of(&self.barcode))
    }

    fn decide(&self, holder: &Holder, context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        holder.refuse_if_held(context)?;
        let AssignBarcode { product, barcode } = self.clone();
        Ok(vec![BarcodeAssigned { barcode, product }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::BarcodeAssigned(_), .. }]).then_some(())
    }
}

/// Takes a barcode from the product it belongs to, so that another can have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseBarcode {
    /// The code.
    pub barcode: Gtin,
}

impl Command for ReleaseBarcode {
    const NAME: &'static str = "release_barcode";
    const PERMISSION: Permission = Permission::ManageProducts;
    type Model = DecisionProjection<Holder>;
    type Answer = ();

    fn model(&self, _context: &Context<'_>) -> Result<Self::Model, Refusal> {
        Ok(holder_of(&self.barcode))
    }

    fn decide(&self, holder: &Holder, _context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        let Some(product) = holder.product.clone() else {
            let message = format!("The barcode {} belongs to no product.", self.barcode);
            return Err(Refusal::new(RefusalCode::BarcodeUnknown, message)
                .action(NextAction::CorrectInput)
                .because(&holder.evidence));
        };
        Ok(vec![BarcodeReleased { barcode: self.barcode.clone(), product }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::BarcodeReleased(_), .. }]).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;
    use dcb::{EventStore, MemoryStore};

    use super::*;
    use crate::testing::{
        Interrupted, act, added, at, configured, happened, of_request, product_added, refusal, sku,
    };

    fn add(id: &str, barcode: Option<u64>) -> AddProduct {
        AddProduct {
            sku: sku(id),
            name: format!(" {} ", id.to_lowercase()),
            category: "Food".into(),
            price: Money::new(100),
            cost: Money::ZERO,
            tax_rate: BasisPoints::new(2000),
            stocked: true,
            barcode: barcode.and_then(Gtin::in_store),
        }
    }

    fn assigned(id: &str, barcode: u64) -> BarcodeAssigned {
        BarcodeAssigned { product: sku(id), barcode: Gtin::in_store(barcode).unwrap() }
    }

    #[test]
    fn a_product_is_added_with_its_barcode() {
        given([configured()]).when(act(add("A", Some(1)))).then_recorded(of_request([
            product_added("A", 100, true).into(),
            assigned("A", 1).into(),
        ]));
    }

    #[test]
    fn an_sku_stands_for_one_product_only() {
        let refused = given([configured(), added("A", 5)]).when(act(add("a", None))).then_refused();
        let refusal = refusal(refused);
        assert_eq!(refusal.code, RefusalCode::ProductExists);
        assert_eq!(refusal.details.because.positions(), [2]);
    }

    #[test]
    fn a_barcode_stands_for_one_product_only_until_it_is_released() {
        let past = || vec![configured(), added("A", 5), happened(assigned("A", 1))];
        let assign = || AssignBarcode { product: sku("A"), barcode: Gtin::in_store(1).unwrap() };
        for refused in [
            given(past()).when(act(add("B", Some(1)))).then_refused(),
            given(past()).when(act(assign())).then_refused(),
        ] {
            let refusal = refusal(refused);
            assert_eq!(refusal.code, RefusalCode::BarcodeTaken);
            assert_eq!(refusal.details.product, Some(sku("A")));
            assert_eq!(refusal.details.because.positions(), [3]);
        }
        let BarcodeAssigned { barcode, product } = assigned("A", 1);
        let mut released = past();
        released.push(happened(BarcodeReleased { barcode, product }));
        given(released.clone()).when(act(add("B", Some(1)))).then_accepted();
        given(released).when(act(assign())).then_accepted();
    }

    #[test]
    fn only_a_barcode_that_is_held_can_be_released() {
        let release = || ReleaseBarcode { barcode: Gtin::in_store(1).unwrap() };
        let refused = given([configured(), added("A", 5)]).when(act(release())).then_refused();
        assert_eq!(refusal(refused).code, RefusalCode::BarcodeUnknown);
        let BarcodeAssigned { barcode, product } = assigned("A", 1);
        given([configured(), added("A", 5), happened(assigned("A", 1))])
            .when(act(release()))
            .then_recorded(of_request([BarcodeReleased { barcode, product }.into()]));
    }

    #[test]
    fn many_products_are_added_all_or_none() {
        let both = |second| AddProducts { products: vec![add("A", Some(1)), second] };
        given([configured()]).when(act(both(add("B", Some(2))))).then_accepted();
        for (second, code) in [
            (add("A", Some(2)), RefusalCode::ProductExists),
            (add("B", Some(1)), RefusalCode::BarcodeTaken),
            (AddProduct { price: Money::new(-1), ..add("B", None) }, RefusalCode::PriceOutOfBounds),
            (AddProduct { name: " ".into(), ..add("B", None) }, RefusalCode::InvalidInput),
            (
                AddProduct { tax_rate: BasisPoints::new(10_001), ..add("B", None) },
                RefusalCode::InvalidInput,
            ),
        ] {
            let refusal = refusal(given([configured()]).when(act(both(second))).then_refused());
            assert_eq!((refusal.code, refusal.details.line), (code, Some(2)));
        }
    }

    #[test]
    fn no_more_than_a_thousand_products_at_once() {
        let many = |count| AddProducts {
            products: (0..count).map(|n| add(&format!("P{n}"), Some(n))).collect(),
        };
        let most = MAX_PRODUCTS_AT_ONCE as u64;
        given([configured()]).when(act(many(most))).then_accepted();
        for (count, code) in [(most + 1, RefusalCode::TooManyLines), (0, RefusalCode::Empty)] {
            let refused = given([configured()]).when(act(many(count))).then_refused();
            assert_eq!(refusal(refused).code, code);
        }
    }

    #[test]
    fn two_products_with_one_barcode_at_the_same_moment_are_one_too_many() {
        let store = MemoryStore::new();
        store.append(&[configured()], None).unwrap();
        let rival = || drop(at("T2", 2).act(&store, &add("B", Some(1))).unwrap());
        let refused = at("T1", 1).act(&store, &Interrupted::new(add("A", Some(1)), rival));
        assert_eq!(refusal(refused.unwrap_err()).code, RefusalCode::BarcodeTaken);
        let rival = || drop(at("T2", 3).act(&store, &add("D", Some(3))).unwrap());
        let done = at("T1", 4).act(&store, &Interrupted::new(add("C", Some(2)), rival)).unwrap();
        assert_eq!(done.trace.conflicts(), 0);
    }
}
