//! What invoices come to: acts, each with an id of its own.

use chrono::{DateTime, Utc};
use dcb::{Query, ReadOptions};
use pos::event::ShopEvent;
use pos::{
    AdjustStock, Amounts, BasisPoints, Catalogue, Checkout, CheckoutLine, CustomerId, MAX_LINES,
    Money, Payment, ProductId, Quantity, Refund, RefundLine, ShopSettings, TaxMode, TaxRounding,
    Tender,
};
use uuid::Uuid;

use crate::retail::{Correction, Invoice, Line};
use crate::{Rejected, Till, TillError};

/// Under this namespace the same invoice gives the same ids, everywhere and for ever.
const NAMESPACE: Uuid = Uuid::from_u128(0x6e4b_9c1f_2d35_4f0a_8f77_5a1c_0c2e_9b64);

/// Something that an invoice tells of and that is to happen once.
pub(super) struct Act<'f> {
    /// The id of its request.
    pub(super) id: Uuid,
    /// When it happened: the time of its invoice.
    pub(super) at: DateTime<Utc>,
    /// What it is.
    pub(super) deed: Deed<'f>,
}

/// What an [`Act`] is.
pub(super) enum Deed<'f> {
    /// All that the invoice sold.
    Sale(&'f Invoice),
    /// All that came back by a credit note.
    Refund(&'f Invoice),
    /// One stock correction.
    Adjustment(&'f Correction),
}

/// The acts of these invoices in the order of their times, and the records of those that cannot
/// happen whatever the shop's state.
pub(super) fn acts_of(invoices: &[Invoice]) -> (Vec<Act<'_>>, Vec<Rejected>) {
    let mut acts = Vec::new();
    let mut rejected = Vec::new();
    for invoice in invoices {
        let Invoice { number, at, .. } = invoice;
        let act = |kind: &str, deed| Act {
            id: Uuid::new_v5(&NAMESPACE, format!("{kind}:{number}").as_bytes()),
            at: *at,
            deed,
        };
        if !invoice.lines.is_empty() {
            let trade = match invoice.credit {
                false => act("sale", Deed::Sale(invoice)),
                true => act("refund", Deed::Refund(invoice)),
            };
            match impossible(&invoice.lines) {
                None => acts.push(trade),
                Some(reason) => rejected.extend(trade.rejected(&reason)),
            }
        }
        acts.extend(invoice.corrections.iter().map(|correction| {
            act(&format!("adjustment:{}", correction.ordinal), Deed::Adjustment(correction))
        }));
    }
    acts.sort_by_key(|act| act.at);
    (acts, rejected)
}

/// Why these lines can never be one act.
fn impossible(lines: &[Line]) -> Option<String> {
    if lines.len() > MAX_LINES {
        let count = lines.len();
        return Some(format!("the invoice has {count} lines; {MAX_LINES} can be handled"));
    }
    // Products may yet get any tax rate, so the highest must fit.
    let (mode, rounding) = (TaxMode::Excluded, TaxRounding::Line);
    let fits = total(lines, |_| BasisPoints::MAX, mode, rounding).is_some();
    (!fits).then(|| "the invoice's total is too large".into())
}

/// What the lines come to with tax; `None` if it is too large.
fn total(
    lines: &[Line],
    rate: impl Fn(&ProductId) -> BasisPoints,
    mode: TaxMode,
    rounding: TaxRounding,
) -> Option<Money> {
    let lines = lines.iter().map(|line| (line.price, line.quantity, rate(&line.product)));
    Amounts::of_cart(lines, mode, rounding).map(|total| total.gross)
}

impl<'f> Act<'f> {
    /// The products it moves, and by how much.
    pub(super) fn movements(&self) -> impl Iterator<Item = (&'f ProductId, Quantity)> {
        let (lines, correction): (&[Line], _) = match self.deed {
            Deed::Sale(invoice) | Deed::Refund(invoice) => (&invoice.lines, None),
            Deed::Adjustment(correction) => (&[], Some(correction)),
        };
        let sells = matches!(self.deed, Deed::Sale(_));
        let moved = move |line: &'f Line| match sells {
            true => (&line.product, Quantity::ZERO.saturating_sub(line.quantity)),
            false => (&line.product, line.quantity),
        };
        let corrected = correction.map(|correction| (&correction.product, correction.quantity));
        lines.iter().map(moved).chain(corrected)
    }

    /// Who bought or gave back, if that is known.
    pub(super) fn customer(&self) -> Option<&'f CustomerId> {
        match self.deed {
            Deed::Sale(invoice) | Deed::Refund(invoice) => invoice.customer.as_ref(),
            Deed::Adjustment(_) => None,
        }
    }

    /// How many lines it has as a sale or a refund.
    pub(super) fn lines(&self) -> usize {
        match self.deed {
            Deed::Sale(invoice) | Deed::Refund(invoice) => invoice.lines.len(),
            Deed::Adjustment(_) => 0,
        }
    }

    /// How many lines it had when it was recorded.
    pub(super) fn lines_recorded(&self, till: &Till) -> Result<usize, TillError> {
        let request = Query::tagged([], &pos::request_tag(self.id));
        let mut first = till.store().read(&request, ReadOptions::default().limit(1))?;
        let lines = match first.next_ref()?.as_ref().and_then(ShopEvent::decode) {
            Some(ShopEvent::SaleCompleted(sale)) => sale.lines,
            Some(ShopEvent::RefundCompleted(refund)) => refund.lines,
            _ => 0,
        };
        Ok(lines as usize)
    }

    /// Its records, rejected for this reason.
    pub(super) fn rejected(&self, reason: &str) -> Vec<Rejected> {
        let reject = |line| Rejected { line, reason: reason.to_owned() };
        match self.deed {
            Deed::Sale(invoice) | Deed::Refund(invoice) => {
                invoice.lines.iter().map(|line| reject(line.line)).collect()
            }
            Deed::Adjustment(correction) => vec![reject(correction.line)],
        }
    }

    /// Carries it out at a till, and tells whether it was carried out before.
    pub(super) fn carry_out(
        &self,
        till: &Till,
        catalogue: &Catalogue,
        settings: &ShopSettings,
    ) -> Result<bool, TillError> {
        match self.deed {
            Deed::Sale(invoice) => {
                let rate = |id: &ProductId| catalogue.get(id).map(|p| p.tax_rate);
                let rate = |id: &ProductId| rate(id).unwrap_or_default();
                let ShopSettings { tax_mode, tax_rounding, .. } = *settings;
                let total = total(&invoice.lines, rate, tax_mode, tax_rounding);
                let total = total.unwrap_or_default();
                let sold = |line: &Line| CheckoutLine {
                    price: Some(line.price),
                    ..CheckoutLine::new(line.product.clone(), line.quantity)
                };
                let paid = || Payment {
                    reference: Some(invoice.number.clone()),
                    ..Payment::new(Tender::Card, total)
                };
                let checkout = Checkout {
                    lines: invoice.lines.iter().map(sold).collect(),
                    customer: invoice.customer.clone(),
                    // A thousandth of a piece may come to nothing, and nothing cannot be paid.
                    payments: (total > Money::ZERO).then(paid).into_iter().collect(),
                    reference: Some(invoice.number.clone()),
                    ..Checkout::default()
                };
                Ok(till.execute_at(&checkout, self.id, self.at)?.repeated)
            }
            Deed::Refund(invoice) => {
                let returned = |line: &Line| RefundLine {
                    product: line.product.clone(),
                    quantity: line.quantity,
                    price: line.price,
                };
                let refund = Refund {
                    lines: invoice.lines.iter().map(returned).collect(),
                    tender: Tender::Card,
                    reason: "Credit note".into(),
                    customer: invoice.customer.clone(),
                    reference: Some(invoice.number.clone()),
                    restock: true,
                };
                Ok(till.execute_at(&refund, self.id, self.at)?.repeated)
            }
            Deed::Adjustment(correction) => {
                let adjust = AdjustStock {
                    product: correction.product.clone(),
                    quantity: correction.quantity,
                    reason: correction.reason.clone(),
                };
                Ok(till.execute_at(&adjust, self.id, self.at)?.repeated)
            }
        }
    }
}
