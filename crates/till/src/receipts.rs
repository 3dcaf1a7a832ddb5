//! Receipts as they are shown and printed: what was recorded, with the words a customer reads.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use dcb::{ReadOptions, Tag};
use pos::{
    Amounts, BasisPoints, Currency, Money, ProductId, Receipt, ReceiptId, Recorded, RefundId,
    RefundReceipt, SaleId, ShopEvent, UserId, event,
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::operations::{Access, FromAnswer};
use crate::queries::Query;
use crate::{Till, TillError};

/// Looks up a receipt.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct FindReceipt {
    /// The number printed on it, such as `T1-42`, or the id of its sale or refund.
    pub receipt: String,
}

/// A receipt of either kind.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AnyReceipt {
    /// Of a sale.
    Sale(PrintedReceipt),
    /// Of a refund.
    Refund(PrintedRefund),
}

/// The receipt of a sale, with what else is printed on it.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PrintedReceipt {
    /// The receipt.
    #[serde(flatten)]
    pub receipt: Receipt,
    /// What else is printed on it.
    #[serde(flatten)]
    pub print: Print,
}

/// The receipt of a refund, with what else is printed on it.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PrintedRefund {
    /// The receipt.
    #[serde(flatten)]
    pub receipt: RefundReceipt,
    /// What else is printed on it.
    #[serde(flatten)]
    pub print: Print,
}

/// What is printed on a receipt beside what was recorded with it.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Print {
    /// What the shop is called.
    pub shop: String,
    /// What its amounts are in.
    pub currency: Currency,
    /// When it was made, on the shop's clock: `2026-06-01 11:00`.
    pub time: String,
    /// What who made it is called.
    pub cashier_name: String,
    /// The name of each product on it.
    pub names: BTreeMap<ProductId, String>,
    /// Its amounts by tax rate, the highest first.
    pub taxes: Vec<TaxAtRate>,
}

/// What the lines of one tax rate on a receipt come to.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TaxAtRate {
    /// The rate.
    pub tax_rate: BasisPoints,
    /// With tax.
    pub gross: Money,
    /// Without tax.
    pub net: Money,
    /// The tax.
    pub tax: Money,
}

impl Print {
    /// What is printed of this moment, this cashier, and these lines: of each its product, its tax
    /// rate and its amounts.
    fn of<'a>(
        at: DateTime<Utc>,
        cashier: &UserId,
        lines: impl Iterator<Item = (&'a ProductId, BasisPoints, Amounts)>,
        till: &Till,
    ) -> Result<Self, TillError> {
        let settings = till.settings()?.ok_or_else(|| {
            TillError::not_found("the shop has no settings, and so no receipts either")
        })?;
        let mut by_rate: BTreeMap<BasisPoints, Amounts> = BTreeMap::new();
        let names = till.look_at_catalogue(|catalogue| {
            let mut names = BTreeMap::new();
            for (product, rate, amounts) in lines {
                if let Some(known) = catalogue.get(product) {
                    names.entry(product.clone()).or_insert_with(|| known.name.clone());
                }
                // The whole receipt was added up before, so a part of it cannot overflow.
                let sum = by_rate.entry(rate).or_default();
                *sum = sum.checked_add(amounts).unwrap_or(*sum);
            }
            names
        })?;
        let taxes = by_rate
            .into_iter()
            .rev()
            .map(|(tax_rate, Amounts { gross, net, tax })| TaxAtRate { tax_rate, gross, net, tax });
        Ok(Self {
            shop: settings.name,
            currency: settings.currency,
            time: settings.zone.minute(at),
            cashier_name: till.name_of(cashier.as_str())?,
            names,
            taxes: taxes.collect(),
        })
    }
}

impl FromAnswer<Receipt> for PrintedReceipt {
    fn of(receipt: Receipt, till: &Till) -> Result<Self, TillError> {
        let lines = receipt.lines.iter().map(|line| {
            let amounts = Amounts { gross: line.gross, net: line.net, tax: line.tax };
            (&line.product, line.tax_rate, amounts)
        });
        Ok(Self { print: Print::of(receipt.at, &receipt.cashier, lines, till)?, receipt })
    }
}

impl FromAnswer<RefundReceipt> for PrintedRefund {
    fn of(receipt: RefundReceipt, till: &Till) -> Result<Self, TillError> {
        let lines = receipt.lines.iter().map(|line| {
            let amounts = Amounts { gross: line.gross, net: line.net, tax: line.tax };
            (&line.product, line.tax_rate, amounts)
        });
        Ok(Self { print: Print::of(receipt.at, &receipt.cashier, lines, till)?, receipt })
    }
}

impl Query for FindReceipt {
    const NAME: &'static str = "receipt";
    const ACCESS: Access = Access::SignedIn;
    type Answer = AnyReceipt;

    fn ask(&self, till: &Till) -> Result<AnyReceipt, TillError> {
        let not_found = || TillError::not_found(format!("there is no receipt {:?}", self.receipt));
        // Whatever it is called by, the first event of its commit says what it is. Refunds of a sale
        // carry its id too, but are not it.
        let (sale, refund) = ([event::SaleCompleted::TYPE], [event::RefundCompleted::TYPE]);
        let called = [
            ReceiptId::new(&self.receipt).map(|id| Receipt::query(&id)),
            SaleId::new(&self.receipt).map(|id| dcb::Query::tagged(sale, id.tag())),
            RefundId::new(&self.receipt).map(|id| dcb::Query::tagged(refund, id.tag())),
        ];
        let query = called.into_iter().flatten().reduce(dcb::Query::or).ok_or_else(not_found)?;
        let first = till.store().read_last(&query)?.ok_or_else(not_found)?;
        match ShopEvent::decode(&first.as_event_ref()) {
            Some(ShopEvent::SaleCompleted(sale)) => {
                find_sale(till, &sale.sale)?.map(AnyReceipt::Sale).ok_or_else(not_found)
            }
            Some(ShopEvent::RefundCompleted(refund)) => {
                let receipt = RefundReceipt::of(&recorded_about(till, refund.refund.tag())?);
                Ok(AnyReceipt::Refund(PrintedRefund::of(receipt.ok_or_else(not_found)?, till)?))
            }
            _ => Err(not_found()),
        }
    }
}

/// The receipt of a sale, if it was made.
pub(crate) fn find_sale(till: &Till, sale: &SaleId) -> Result<Option<PrintedReceipt>, TillError> {
    let receipt = Receipt::of(&recorded_about(till, sale.tag())?);
    receipt.map(|receipt| PrintedReceipt::of(receipt, till)).transpose()
}

fn recorded_about(till: &Till, tag: &Tag) -> Result<Vec<Recorded>, TillError> {
    let mut events = till.store().read(&dcb::Query::tagged([], tag), ReadOptions::default())?;
    let mut recorded = Vec::new();
    while let Some(event) = events.next_ref()? {
        recorded.extend(Recorded::decode(&event));
    }
    Ok(recorded)
}
