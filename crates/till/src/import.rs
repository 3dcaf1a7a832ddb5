//! Importing a catalogue from a table: first it is read and can be looked at, then it is added.

use std::collections::HashMap;
use std::io::Read;

use pos::{
    AddProduct, AddProducts, BasisPoints, Catalogue, Gtin, MAX_PRODUCTS_AT_ONCE, MAX_TEXT_CHARS,
    Money, ProductId, ShopSettings,
};
use serde::Serialize;

use crate::decimal;
use crate::setup::{configure_if_new, settings_or_default};
use crate::table::{Rejected, Row, Table};
use crate::{Till, TillError};

/// What importing a table of products comes to, or would come to.
///
/// The table has the columns `sku`, `name` and `price`, and may have `category`, `cost`, `tax_rate`
/// and `barcode`; a column of another name is an error. Prices and costs are in the shop's currency,
/// as people write them (`12.50`), and a tax rate in percent (`20` or `17.5`).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductImport {
    /// The records of the table, without its header.
    pub lines: u64,
    /// The products that the catalogue does not have yet.
    pub products: Vec<AddProduct>,
    /// The products that it has; they stay as they are.
    pub existing: Vec<ProductId>,
    /// The records that cannot be used, in line order.
    pub rejected: Vec<Rejected>,
}

impl ProductImport {
    /// Reads a table and compares it with the catalogue. Nothing is recorded.
    pub fn read(till: &Till, input: impl Read) -> Result<Self, TillError> {
        let settings = settings_or_default(till)?;
        let catalogue = till.catalogue()?;
        let required = ["sku", "name", "price"];
        let mut table = Table::open(input, required, ["category", "cost", "tax_rate", "barcode"])?;
        let mut import = Self::default();
        let mut seen =
            Seen { catalogue: &catalogue, skus: HashMap::new(), barcodes: HashMap::new() };
        while let Some(row) = table.next()? {
            import.lines += 1;
            let line = row.line;
            match product(row, &settings).and_then(|product| seen.take(product, line)) {
                Ok(New::Product(product)) => import.products.push(product),
                Ok(New::Existing(sku)) => import.existing.push(sku),
                Err(reason) => import.rejected.push(Rejected { line, reason }),
            }
        }
        Ok(import)
    }

    /// Adds the products. A shop without settings becomes one that trades in pounds sterling, with
    /// tax in its prices, on UTC days.
    pub fn run(&self, till: &Till) -> Result<(), TillError> {
        configure_if_new(till, &settings_or_default(till)?)?;
        for batch in self.products.chunks(MAX_PRODUCTS_AT_ONCE) {
            let command = AddProducts { products: batch.to_vec() };
            till.execute(&command, till.clock().fresh_id())?;
        }
        Ok(())
    }
}

/// The SKUs and barcodes that are taken, by the catalogue or by an earlier line.
struct Seen<'c> {
    catalogue: &'c Catalogue,
    skus: HashMap<ProductId, u64>,
    barcodes: HashMap<Gtin, u64>,
}

enum New {
    Product(AddProduct),
    Existing(ProductId),
}

impl Seen<'_> {
    fn take(&mut self, product: AddProduct, line: u64) -> Result<New, String> {
        let sku = &product.sku;
        if let Some(first) = self.skus.get(sku) {
            return Err(format!("the SKU {sku} stands on line {first} already"));
        }
        if self.catalogue.get(sku).is_some() {
            self.skus.insert(sku.clone(), line);
            return Ok(New::Existing(product.sku));
        }
        if let Some(barcode) = &product.barcode {
            if let Some(holder) = self.catalogue.by_barcode(barcode) {
                return Err(format!("the barcode {barcode} belongs to {}", holder.id));
            }
            if let Some(first) = self.barcodes.get(barcode) {
                return Err(format!("the barcode {barcode} stands on line {first} already"));
            }
            self.barcodes.insert(barcode.clone(), line);
        }
        self.skus.insert(sku.clone(), line);
        Ok(New::Product(product))
    }
}

/// The product that a row describes, or in a sentence why it describes none.
fn product(row: Row<3, 4>, settings: &ShopSettings) -> Result<AddProduct, String> {
    let decimals = settings.currency.decimals();
    if let Some(reason) = row.short {
        return Err(reason);
    }
    let [sku, name, price] = row.required;
    let [category, cost, tax_rate, barcode] = row.optional;
    if sku.is_empty() {
        return Err("the record has no SKU".into());
    }
    if name.is_empty() {
        return Err("the record has no name".into());
    }
    for (what, text) in [("name", &name), ("category", &category)] {
        if text.chars().count() > MAX_TEXT_CHARS {
            return Err(format!("the {what} has more than {MAX_TEXT_CHARS} characters"));
        }
    }
    let cost = match cost.as_str() {
        "" => Money::ZERO,
        cost => decimal::price("cost", cost, decimals)?,
    };
    let tax_rate = match tax_rate.as_str() {
        "" => BasisPoints::default(),
        percent => rate(percent)?,
    };
    let barcode = match barcode.as_str() {
        "" => None,
        code => Some(Gtin::new(code).map_err(|error| error.to_string())?),
    };
    if let Some(code) = &barcode
        && let Some(number) = settings.scale_codes.product_number(code)
        && number != *code
    {
        return Err(format!("the barcode {code} is of one label of a scale; write {number}"));
    }
    Ok(AddProduct {
        sku: ProductId::new(&sku).map_err(|error| error.to_string())?,
        name,
        category,
        price: decimal::price("price", &price, decimals)?,
        cost,
        tax_rate,
        stocked: true,
        barcode,
    })
}

fn rate(percent: &str) -> Result<BasisPoints, String> {
    let points = u32::try_from(decimal::number("tax rate", percent, 2)?);
    let rate = points.ok().map(BasisPoints::new).filter(|rate| *rate <= BasisPoints::MAX);
    rate.ok_or_else(|| {
        let percent = decimal::quoted(percent);
        format!("the tax rate {percent} is not 0 to 100; write percent, such as 20 or 17.5")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::till;

    const TABLE: &str = "\
Barcode,SKU,Name,Price,Category,Cost,Tax_Rate
4006381333931,a1,Mug,2.50,Kitchen,1.1,20
,A2,Cup,3,,,
4006381333932,A3,Wrong digit,1,,,
4006381333931,A4,Same barcode,1,,,
,a1,Same SKU,1,,,
,A5,,1,,,
,A6,Dear,1.001,,,
,A7,Taxed,1,,,2000
,A8,Free,-1,,,
,A9,Broken
2100001004507,A10,A label's code,1,,,
";

    #[test]
    fn a_table_is_read_and_its_bad_records_are_told_with_line_and_reason() {
        let till = till();
        let import = ProductImport::read(&till, TABLE.as_bytes()).unwrap();
        assert_eq!(import.lines, 11);
        assert_eq!(
            import.products,
            [
                AddProduct {
                    sku: ProductId::new("A1").unwrap(),
                    name: "Mug".into(),
                    category: "Kitchen".into(),
                    price: Money::new(250),
                    cost: Money::new(110),
                    tax_rate: BasisPoints::new(2000),
                    stocked: true,
                    barcode: Some(Gtin::new("4006381333931").unwrap()),
                },
                AddProduct {
                    sku: ProductId::new("A2").unwrap(),
                    name: "Cup".into(),
                    category: String::new(),
                    price: Money::new(300),
                    cost: Money::ZERO,
                    tax_rate: BasisPoints::default(),
                    stocked: true,
                    barcode: None,
                },
            ]
        );
        let rejected: Vec<_> =
            import.rejected.iter().map(|r| (r.line, r.reason.as_str())).collect();
        assert_eq!(
            rejected,
            [
                (
                    4,
                    "the barcode 4006381333932 has a wrong check digit; the last digit should be 1"
                ),
                (5, "the barcode 04006381333931 stands on line 2 already"),
                (6, "the SKU A1 stands on line 2 already"),
                (7, "the record has no name"),
                (8, "the price \"1.001\" has more than 2 decimals"),
                (9, "the tax rate \"2000\" is not 0 to 100; write percent, such as 20 or 17.5"),
                (10, "the price \"-1\" is negative"),
                (11, "the record has 3 fields where the header has 7"),
                (12, "the barcode 02100001004507 is of one label of a scale; write 02100001000004"),
            ]
        );
        assert_eq!(till.store().head().unwrap(), 0);
    }

    #[test]
    fn what_the_catalogue_has_is_reported_and_stays_as_it_is() {
        let till = till();
        ProductImport::read(&till, TABLE.as_bytes()).unwrap().run(&till).unwrap();
        let changed = "sku,name,price,barcode\nA1,Other,9,\nA3,New,1,4006381333931\nA4,New,2,\n";
        let again = ProductImport::read(&till, changed.as_bytes()).unwrap();
        assert_eq!(again.existing, [ProductId::new("A1").unwrap()]);
        assert_eq!(again.products.len(), 1);
        assert_eq!(again.rejected[0].reason, "the barcode 04006381333931 belongs to A1");
        again.run(&till).unwrap();
        let catalogue = till.catalogue().unwrap();
        assert_eq!(catalogue.len(), 3);
        assert_eq!(catalogue.get(&again.existing[0]).unwrap().name, "Mug");
    }
}
