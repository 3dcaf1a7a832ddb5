//! Historic invoices of a retailer, as the *Online Retail* data set has them: what each record
//! means, and which records mean nothing.

use std::collections::HashMap;
use std::io::Read;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use pos::{CustomerId, MAX_TEXT_CHARS, Money, ProductId, Quantity};

use crate::decimal::{number, price, quoted};
use crate::table::{Rejected, Table, TableError};

/// What stands in a file of invoices.
#[derive(Debug, Default)]
pub struct Invoices {
    /// How many records the file has, without its header.
    pub records: u64,
    /// The invoices that have at least one good record, in the order in which they first appear.
    pub invoices: Vec<Invoice>,
    /// What the file tells about each product it names.
    pub products: HashMap<ProductId, Described>,
    /// The records that mean nothing, in line order.
    pub rejected: Vec<Rejected>,
}

/// All good records with one invoice number, wherever in the file they stand.
#[derive(Debug)]
pub struct Invoice {
    /// The number as it is written.
    pub number: String,
    /// Whether it is a credit note: goods came back.
    pub credit: bool,
    /// When it was written: the time of its first good record.
    pub at: DateTime<Utc>,
    /// Who bought, where a record tells it.
    pub customer: Option<CustomerId>,
    /// What was sold or, on a credit note, came back.
    pub lines: Vec<Line>,
    /// What was found to be lost or there after all.
    pub corrections: Vec<Correction>,
}

/// A record with a price: so many of a product changed hands.
#[derive(Debug)]
pub struct Line {
    /// The physical line on which the record starts.
    pub line: u64,
    /// Which product.
    pub product: ProductId,
    /// How many; positive on credit notes too.
    pub quantity: Quantity,
    /// The price of one.
    pub price: Money,
}

/// A record at price 0: a stock correction.
#[derive(Debug)]
pub struct Correction {
    /// The physical line on which the record starts.
    pub line: u64,
    /// Which of the invoice's records it is, from 0, rejected ones counted.
    pub ordinal: u64,
    /// Which product.
    pub product: ProductId,
    /// How many more there are; negative if there are fewer.
    pub quantity: Quantity,
    /// The record's description; may be empty.
    pub reason: String,
}

/// What a file tells about a product.
#[derive(Debug, Default)]
pub struct Described {
    /// Its first description that is not empty.
    pub name: Option<String>,
    /// Its first price above zero.
    pub price: Option<Money>,
}

/// Codes that stand for services, fees and discounts although they have a digit.
const SERVICES_WITH_DIGITS: [&str; 1] = ["C2"];

/// Whether a stock code stands for a service, a fee or a discount: `POST`, `M`, `BANK CHARGES`, `C2`.
/// Goods have a number.
pub fn is_service(product: &ProductId) -> bool {
    let code = product.as_str();
    SERVICES_WITH_DIGITS.contains(&code) || !code.bytes().any(|b| b.is_ascii_digit())
}

/// Reads a file of invoices; `decimals` is how many the shop's currency has.
pub fn read(input: impl Read, decimals: u32) -> Result<Invoices, TableError> {
    let columns = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice"];
    let mut table = Table::open_wider(input, columns, ["CustomerID"])?;
    let mut found = Invoices::default();
    let mut by_number: HashMap<String, Numbered> = HashMap::new();
    while let Some(row) = table.next()? {
        found.records += 1;
        let line = row.line;
        let [number, code, description, quantity, date, price] = row.required;
        let [customer] = row.optional;
        // Every record with a number counts, so that a record's place in its invoice, and with it
        // its identity, does not depend on what becomes of its neighbours.
        let numbered = by_number.entry(number.clone()).or_default();
        let ordinal = numbered.records;
        numbered.records += 1;
        let written = Written { number, code, description, quantity, date, price, customer };
        let read = match row.short {
            Some(reason) => Err(reason),
            None => written.read(decimals, &mut found.products),
        };
        let record = match read {
            Ok(record) => record,
            Err(reason) => {
                found.rejected.push(Rejected { line, reason });
                continue;
            }
        };
        let index = *numbered.invoice.get_or_insert_with(|| {
            found.invoices.push(Invoice {
                credit: is_credit(&written.number),
                number: written.number,
                at: record.at,
                customer: None,
                lines: Vec::new(),
                corrections: Vec::new(),
            });
            found.invoices.len() - 1
        });
        if let Some(invoice) = found.invoices.get_mut(index) {
            invoice.take(line, ordinal, record);
        }
    }
    Ok(found)
}

#[derive(Default)]
struct Numbered {
    records: u64,
    /// Where the invoice stands in the list, once it has a good record.
    invoice: Option<usize>,
}

/// A record as it is written.
struct Written {
    number: String,
    code: String,
    description: String,
    quantity: String,
    date: String,
    price: String,
    customer: String,
}

/// A record that means something.
struct Record {
    at: DateTime<Utc>,
    product: ProductId,
    description: String,
    quantity: Quantity,
    price: Money,
    customer: Option<CustomerId>,
}

impl Written {
    /// What the record means, or in a sentence why it means nothing.
    fn read(
        &self,
        decimals: u32,
        products: &mut HashMap<ProductId, Described>,
    ) -> Result<Record, String> {
        if self.number.is_empty() {
            return Err("the record has no invoice number".into());
        }
        if self.number.chars().count() > MAX_TEXT_CHARS {
            return Err(format!("the invoice number has more than {MAX_TEXT_CHARS} characters"));
        }
        if self.code.is_empty() {
            return Err("the record has no stock code".into());
        }
        let product = ProductId::new(&self.code)
            .map_err(|error| format!("the stock code cannot be used: {error}"))?;
        let words = self.description.split_whitespace().collect::<Vec<_>>().join(" ");
        let description: String = words.chars().take(MAX_TEXT_CHARS).collect();
        let described = products.entry(product.clone()).or_default();
        if described.name.is_none() && !description.is_empty() {
            described.name = Some(description.clone());
        }
        let at = read_time(&self.date).ok_or_else(|| {
            format!("the date {} is none; write it as 2010-12-01 08:26", quoted(&self.date))
        })?;
        let quantity = number("quantity", &self.quantity, 3).map(Quantity::new)?;
        let price = price("price", &self.price, decimals)?;
        if quantity == Quantity::ZERO {
            return Err("the quantity is 0".into());
        }
        if magnitude(quantity) > Quantity::MAX_LINE {
            return Err(format!("the quantity {} is too large", quoted(&self.quantity)));
        }
        if price > Money::ZERO {
            self.check_sign(quantity)?;
            described.price.get_or_insert(price);
        }
        let customer = match self.customer.as_str() {
            "" => None,
            id => Some(
                CustomerId::new(id)
                    .map_err(|error| format!("the customer cannot be used: {error}"))?,
            ),
        };
        Ok(Record { at, product, description, quantity, price, customer })
    }

    /// What has a price is sold on an invoice and comes back on a credit note.
    fn check_sign(&self, quantity: Quantity) -> Result<(), String> {
        let number = &self.number;
        match (quantity < Quantity::ZERO, is_credit(number)) {
            (true, false) => {
                Err(format!("the quantity is negative, but {number} is no credit note"))
            }
            (false, true) => {
                Err(format!("the quantity is positive, but {number} is a credit note"))
            }
            _ => Ok(()),
        }
    }
}

impl Invoice {
    fn take(&mut self, line: u64, ordinal: u64, record: Record) {
        let Record { product, quantity, price, description: reason, customer, .. } = record;
        if price == Money::ZERO {
            self.corrections.push(Correction { line, ordinal, product, quantity, reason });
        } else {
            self.customer = self.customer.take().or(customer);
            self.lines.push(Line { line, product, quantity: magnitude(quantity), price });
        }
    }
}

fn is_credit(number: &str) -> bool {
    number.starts_with(['C', 'c'])
}

fn magnitude(quantity: Quantity) -> Quantity {
    Quantity::new(quantity.thousandths().saturating_abs())
}

/// Reads `2010-12-01 08:26`, with or without seconds or `T`, and the original's `12/1/2010 8:26`,
/// month first. Without a time it is the day's beginning.
fn read_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim().trim_end_matches('Z');
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d")
        .or_else(|_| NaiveDate::parse_from_str(date, "%m/%d/%Y"))
        .ok()?;
    let time = NaiveTime::parse_from_str(time.trim(), "%H:%M")
        .or_else(|_| NaiveTime::parse_from_str(time.trim(), "%H:%M:%S%.f"))
        .ok()?;
    // A year of two digits would be one of the first century.
    (1000..=9999).contains(&date.year()).then(|| NaiveDateTime::new(date, time).and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

    fn read_records(records: &str) -> Invoices {
        read(format!("{HEADER}{records}").as_bytes(), 2).unwrap()
    }

    fn rejects(found: &Invoices) -> Vec<(u64, &str)> {
        found.rejected.iter().map(|r| (r.line, r.reason.as_str())).collect()
    }

    fn product(code: &str) -> ProductId {
        ProductId::new(code).unwrap()
    }

    #[test]
    fn all_records_with_one_number_are_one_invoice_wherever_they_stand() {
        let found = read_records(
            "1,a1,Mug,2,2010-12-01 08:26,2.55,7,UK\n\
             2,B2,Cup,1,2010-12-01 08:20,1,,UK\n\
             1,b2,Other cup,3,2010-12-01 09:00,0.85,8,UK\n\
             1,A1,damages,-4,2010-12-01 09:00,0.00,,UK\n\
             C3,a1,Mug,-1,2010-12-02 10:00,2.5,9,UK\n",
        );
        assert_eq!((found.records, found.invoices.len(), found.rejected.len()), (5, 3, 0));
        let first = &found.invoices[0];
        assert_eq!((first.number.as_str(), first.credit), ("1", false));
        assert_eq!(first.at.to_rfc3339(), "2010-12-01T08:26:00+00:00");
        assert_eq!(first.customer, Some(CustomerId::new("7").unwrap()));
        let lines: Vec<_> =
            first.lines.iter().map(|l| (l.line, &l.product, l.quantity, l.price)).collect();
        assert_eq!(
            lines,
            [
                (2, &product("A1"), Quantity::new(2000), Money::new(255)),
                (4, &product("B2"), Quantity::new(3000), Money::new(85)),
            ]
        );
        let correction = &first.corrections[0];
        assert_eq!((correction.line, correction.ordinal), (5, 2));
        assert_eq!(correction.quantity, Quantity::new(-4000));
        assert_eq!(correction.reason, "damages");
        let credit = &found.invoices[2];
        assert!(credit.credit);
        assert_eq!(
            (credit.lines[0].quantity, credit.lines[0].price.minor()),
            (Quantity::UNIT, 250)
        );
    }

    #[test]
    fn a_product_is_named_by_its_first_description_and_priced_by_its_first_price() {
        let found = read_records(
            "1,x9,,2,2010-12-01 08:26,0,,\n1,X9, Big\t  mug ,2,2010-12-01 08:26,2.55,,\n1,x9,Other,2,2010-12-01 08:26,3,,\n",
        );
        let described = &found.products[&product("X9")];
        assert_eq!(described.name.as_deref(), Some("Big mug"));
        assert_eq!(described.price, Some(Money::new(255)));
    }

    #[test]
    fn a_record_that_means_nothing_is_rejected_with_its_reason_and_the_rest_is_kept() {
        let found = read_records(
            "1,A1,Mug,2,2010-12-01 08:26,2.55,,UK\n\
             ,A1,Mug,2,2010-12-01 08:26,2.55,,UK\n\
             1,,Mug,2,2010-12-01 08:26,2.55,,UK\n\
             1,A1,Mug,2,31/12/2010 08:26,2.55,,UK\n\
             1,A1,Mug,-2,2010-12-01 08:26,2.55,,UK\n\
             C2,A1,Mug,2,2010-12-01 08:26,2.55,,UK\n\
             1,A1,Mug,0,2010-12-01 08:26,2.55,,UK\n\
             1,A1,Mug,2,2010-12-01 08:26,-2.55,,UK\n\
             1,A1,Mug,2,2010-12-01 08:26,2.555,,UK\n\
             1,A1,Mug,1e3,2010-12-01 08:26,2.55,,UK\n\
             1,A1,Mug,2,2010-12-01 08:26,NaN,,UK\n\
             1,A1,Mug,1000000.001,2010-12-01 08:26,2.55,,UK\n\
             1,A1,Mug,2,2010-12-01 08:26,10000000,,UK\n\
             1,A1,Mug,2,2010-12-01 08:26,99999999999999999999,,UK\n\
             1,A1,Mug,2,2010-12-01 08:26,,,UK\n\
             1,A1,Mug,2,2010-12-01\n\
             1,A1,Mug,1,2010-12-01 08:26,2.550,,UK\n",
        );
        assert_eq!(found.records, 17);
        assert_eq!(found.invoices.len(), 1);
        assert_eq!(found.invoices[0].lines.len(), 2);
        assert_eq!(
            rejects(&found),
            [
                (3, "the record has no invoice number"),
                (4, "the record has no stock code"),
                (5, "the date \"31/12/2010 08:26\" is none; write it as 2010-12-01 08:26"),
                (6, "the quantity is negative, but 1 is no credit note"),
                (7, "the quantity is positive, but C2 is a credit note"),
                (8, "the quantity is 0"),
                (9, "the price \"-2.55\" is negative"),
                (10, "the price \"2.555\" has more than 2 decimals"),
                (11, "the quantity \"1e3\" is no number"),
                (12, "the price \"NaN\" is no number"),
                (13, "the quantity \"1000000.001\" is too large"),
                (14, "the price \"10000000\" is too large"),
                (15, "the price \"99999999999999999999\" is too large"),
                (16, "the record has no price"),
                (17, "the record has 5 fields where the header has 8"),
            ]
        );
    }

    #[test]
    fn a_record_keeps_its_ordinal_whatever_becomes_of_its_neighbours() {
        let good = read_records("1,A1,,1,2010-12-01 08:26,1,,\n1,A1,?,5,2010-12-01 08:26,0,,\n");
        let bad = read_records("1,A1,,1,nonsense,1,,\n1,A1,?,5,2010-12-01 08:26,0,,\n");
        assert_eq!(good.invoices[0].corrections[0].ordinal, 1);
        assert_eq!(bad.invoices[0].corrections[0].ordinal, 1);
    }

    #[test]
    fn dates_are_read_in_the_ways_the_data_set_is_spread() {
        for text in [
            "2010-12-01 08:26",
            "2010-12-01T08:26",
            "2010-12-01 08:26:00",
            "2010-12-01T08:26:00Z",
            "12/1/2010 8:26",
            "12/01/2010 08:26",
        ] {
            let at = read_time(text).map(|at| at.to_rfc3339());
            assert_eq!(at.as_deref(), Some("2010-12-01T08:26:00+00:00"), "{text}");
        }
        for text in [
            "",
            "2010-13-01 08:26",
            "2010-12-01 25:00",
            "12/1/10 8:26",
            "yesterday",
            "13/1/2010 8:26",
        ] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }

    #[test]
    fn services_are_the_codes_without_a_number_and_c2() {
        for code in ["POST", "d", "M", "BANK CHARGES", "AMAZONFEE", "dot", "c2", "S", "PADS"] {
            assert!(is_service(&product(code)), "{code}");
        }
        for code in ["85123A", "DCGS0076", "C20", "gift_0001_20"] {
            assert!(!is_service(&product(code)), "{code}");
        }
    }
}
