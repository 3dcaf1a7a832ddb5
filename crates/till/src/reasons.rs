//! Recorded events in words: what decided a refusal, for whoever asks why.

use dcb::{EventRef, Query as Events, ReadOptions};
use pos::event::{LimitSet, SaleCompleted};
use pos::{Recorded, SaleId, ShopEvent};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::operations::Access;
use crate::queries::Query;
use crate::{Till, TillError};

/// The most events that are told at once: as many as a refusal names.
const MOST: usize = pos::Evidence::MOST;

/// Asks what the events at these positions say.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct TellEvents {
    /// Their positions, such as those that a refusal names; at most 16.
    #[ts(type = "number[]")]
    pub positions: Vec<u64>,
}

/// What they say.
#[derive(Clone, Debug, Serialize, TS)]
pub struct EventsTold {
    /// One for each position at which there is an event, in the order asked for.
    pub events: Vec<EventTold>,
}

/// An event in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EventTold {
    /// Where it stands.
    #[ts(type = "number")]
    pub position: u64,
    /// Its type, as recorded: `ProductSold`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it happened, on the shop's clock: `2010-12-01 08:26`. Empty if that is not known.
    pub time: String,
    /// Who did it; empty if that is not known.
    pub user: String,
    /// What happened: `2 sold, receipt T1-7`.
    pub text: String,
}

impl Query for TellEvents {
    const NAME: &'static str = "events";
    const ACCESS: Access = Access::SignedIn;
    type Answer = EventsTold;

    fn ask(&self, till: &Till) -> Result<EventsTold, TillError> {
        if self.positions.len() > MOST {
            return Err(TillError::bad_request(format!("at most {MOST} events are told at once")));
        }
        let mut events = Vec::with_capacity(self.positions.len());
        for &position in &self.positions {
            let only = ReadOptions::from(position).limit(1);
            let mut read = till.store().read(&Events::all(), only)?;
            if let Some(event) = read.next_ref()?.filter(|event| event.position == position) {
                events.push(tell(&event, till)?);
            }
        }
        Ok(EventsTold { events })
    }
}

fn tell(event: &EventRef<'_>, till: &Till) -> Result<EventTold, TillError> {
    let recorded = Recorded::decode(event);
    let zone = till.settings()?.map(|settings| settings.zone);
    let time = recorded.as_ref().zip(zone).map(|(recorded, zone)| zone.minute(recorded.when.at));
    let user = event.metadata().ok().and_then(|metadata| metadata.user_id);
    let text = match &recorded {
        Some(recorded) => words(&recorded.event, till)?,
        None => None,
    };
    Ok(EventTold {
        position: event.position,
        event_type: event.event_type.to_owned(),
        time: time.unwrap_or_default(),
        user: user.unwrap_or_default(),
        text: text.unwrap_or_else(|| event.event_type.to_owned()),
    })
}

/// What happened, in a few words; `None` for what no refusal follows from.
fn words(event: &ShopEvent, till: &Till) -> Result<Option<String>, TillError> {
    Ok(Some(match event {
        ShopEvent::StockReceived(e) => format!("{} delivered", e.quantity),
        ShopEvent::StockAdjustedUp(e) => {
            with_reason(format!("{} more found", e.quantity), &e.reason)
        }
        ShopEvent::StockAdjustedDown(e) => with_reason(format!("{} gone", e.quantity), &e.reason),
        ShopEvent::StockCounted(e) => format!("{} counted, {} expected", e.counted, e.expected),
        ShopEvent::ProductSold(e) => match receipt_of(&e.sale, till)? {
            Some(receipt) => format!("{} sold, receipt {receipt}", e.quantity),
            None => format!("{} sold", e.quantity),
        },
        ShopEvent::ProductReturned(e) => format!("{} returned", e.quantity),
        ShopEvent::LimitSet(e) => limits(e),
        ShopEvent::ProductAdded(e) => format!("{} added to the catalogue", e.product),
        ShopEvent::ShiftOpened(e) => format!("Shift opened at {}", e.till),
        ShopEvent::ShiftClosed(e) => format!("Shift closed at {}", e.till),
        _ => return Ok(None),
    }))
}

fn with_reason(text: String, reason: &str) -> String {
    if reason.is_empty() { text } else { format!("{text}: {reason}") }
}

fn limits(set: &LimitSet) -> String {
    match (set.per_receipt, set.per_customer_day) {
        (None, None) => "Limits lifted".into(),
        (Some(most), None) => format!("Limited to {most} on a receipt"),
        (None, Some(most)) => format!("Limited to {most} for a customer on a day"),
        (Some(receipt), Some(day)) => {
            format!("Limited to {receipt} on a receipt and {day} for a customer on a day")
        }
    }
}

/// The number of a sale's receipt.
fn receipt_of(sale: &SaleId, till: &Till) -> Result<Option<String>, TillError> {
    let first = till.store().read_last(&Events::tagged([SaleCompleted::TYPE], sale.tag()))?;
    Ok(first.and_then(|first| match ShopEvent::decode(&first.event.as_ref(first.position)) {
        Some(ShopEvent::SaleCompleted(sale)) => Some(sale.series.receipt(sale.number).to_string()),
        _ => None,
    }))
}
