//! Recorded events in words: what decided a refusal, for whoever asks why.

use dcb::{EventRef, Query as Events, ReadOptions};
use pos::event::{CashMove, LimitSet, SaleCompleted};
use pos::{KitComponent, Money, Permission, Recorded, SaleId, ShopEvent, Tender};
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
    /// What who did it is called; empty if that is not known.
    pub name: String,
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
        // By these one could reckon what the count of the drawer should come to.
        Some(Recorded { event: ShopEvent::CashMoved(_) | ShopEvent::ActRefused(_), .. })
            if till.admit(Access::Permitted(Permission::SeeReports)).is_err() =>
        {
            "What this says is for who may see reports".into()
        }
        Some(recorded) => words(&recorded.event, till)?,
        None => event.event_type.to_owned(),
    };
    Ok(EventTold {
        position: event.position,
        event_type: event.event_type.to_owned(),
        time: time.unwrap_or_default(),
        name: till.name_of(&user.unwrap_or_default())?,
        text,
    })
}

/// What happened, in a few words. Every event has some, so that no refusal names one without.
fn words(event: &ShopEvent, till: &Till) -> Result<String, TillError> {
    let currency = till.settings()?.map(|settings| settings.currency);
    let money = |amount: Money| {
        currency.map_or_else(|| amount.minor().to_string(), |currency| currency.format(amount))
    };
    let on_receipt = |text: String, sale: &SaleId| -> Result<String, TillError> {
        Ok(match receipt_of(sale, till)? {
            Some(receipt) => format!("{text}, receipt {receipt}"),
            None => text,
        })
    };
    Ok(match event {
        ShopEvent::ShopConfigured(_) => "The shop's settings changed".into(),
        ShopEvent::ProductAdded(e) => format!("{} added to the catalogue", e.product),
        ShopEvent::PriceChanged(e) => match e.previous {
            Some(previous) => format!("Price {} in place of {}", money(e.price), money(previous)),
            None => format!("Price {}", money(e.price)),
        },
        ShopEvent::BarcodeAssigned(e) => format!("Barcode {} given to {}", e.barcode, e.product),
        ShopEvent::BarcodeReleased(e) => format!("Barcode {} taken from {}", e.barcode, e.product),
        ShopEvent::LimitSet(e) => limits(e),
        ShopEvent::KitDefined(e) => match e.components.as_slice() {
            [] => "No longer a kit".into(),
            components => {
                let part = |part: &KitComponent| format!("{} of {}", part.quantity, part.product);
                let parts: Vec<String> = components.iter().map(part).collect();
                format!("A kit of {}", parts.join(", "))
            }
        },
        ShopEvent::AgeRuleSet(e) => match e.minimum_age {
            Some(age) => format!("Only for {age} years and over"),
            None => "For every age".into(),
        },
        ShopEvent::CustomerAdded(_) => "Customer added".into(),
        ShopEvent::StaffAdded(e) => format!("Joined the staff as {}", e.role.as_str()),
        ShopEvent::StaffRoleSet(e) => format!("Became {}", e.role.as_str()),
        ShopEvent::StaffRemoved(_) => "Left the staff".into(),
        ShopEvent::RoleChanged(e) => format!("What a {} may do changed", e.role.as_str()),
        ShopEvent::ActRefused(e) => format!("Refused: {}", e.message),
        ShopEvent::StockReceived(e) => format!("{} delivered", e.quantity),
        ShopEvent::StockAdjustedUp(e) => {
            with_reason(format!("{} more found", e.quantity), &e.reason)
        }
        ShopEvent::StockAdjustedDown(e) => with_reason(format!("{} gone", e.quantity), &e.reason),
        ShopEvent::StockCounted(e) => format!("{} counted, {} expected", e.counted, e.expected),
        ShopEvent::StockTaken(e) => on_receipt(format!("{} sold in a kit", e.quantity), &e.sale)?,
        ShopEvent::StockReturned(e) => format!("{} returned in a kit", e.quantity),
        ShopEvent::StockOverridden(e) => {
            on_receipt(format!("{} sold with {} on hand", e.sold, e.on_hand), &e.sale)?
        }
        ShopEvent::ShiftOpened(e) => format!("Shift opened at {}", e.till),
        ShopEvent::ShiftClosed(e) => format!("Shift closed at {}", e.till),
        ShopEvent::CashMoved(e) => {
            let how = match e.how {
                CashMove::PaidIn => "paid in",
                CashMove::PaidOut => "paid out",
                CashMove::SafeDrop => "taken to the safe",
            };
            with_reason(format!("{} {how}", money(e.amount)), &e.reason)
        }
        ShopEvent::SaleCompleted(e) => {
            format!("{} sold, receipt {}", money(e.gross), e.series.receipt(e.number))
        }
        ShopEvent::ProductSold(e) => on_receipt(format!("{} sold", e.quantity), &e.sale)?,
        ShopEvent::PaymentTaken(e) => {
            on_receipt(format!("{} paid {}", money(e.amount), with(e.tender)), &e.sale)?
        }
        ShopEvent::DiscountGiven(e) => {
            on_receipt(format!("Discount of {}", money(e.amount)), &e.sale)?
        }
        ShopEvent::AgeChecked(e) => on_receipt(format!("{} years or older", e.age), &e.sale)?,
        ShopEvent::RefundCompleted(e) => {
            format!("{} refunded, receipt {}", money(e.gross), e.series.receipt(e.number))
        }
        ShopEvent::ProductReturned(e) => format!("{} returned", e.quantity),
        ShopEvent::PaymentRefunded(e) => {
            format!("{} paid back {}", money(e.amount), with(e.tender))
        }
        ShopEvent::PromotionDefined(e) => {
            format!("{} runs from {} until {}", e.terms.name, e.terms.from, e.terms.until)
        }
        ShopEvent::PromotionApplied(e) => on_receipt("Promotion used".into(), &e.sale)?,
        ShopEvent::PromotionReturned(_) => "Promotion given back by a refund".into(),
        ShopEvent::CouponIssued(e) => match e.until {
            Some(until) => format!("Coupon issued, good until {until}"),
            None => "Coupon issued".into(),
        },
        ShopEvent::CouponRedeemed(e) => on_receipt("Coupon redeemed".into(), &e.sale)?,
        ShopEvent::CouponVoided(e) => with_reason("Coupon declared void".into(), &e.reason),
        ShopEvent::PointsEarned(e) => on_receipt(format!("{} points earned", e.points), &e.sale)?,
        ShopEvent::PointsRedeemed(e) => {
            on_receipt(format!("{} points redeemed", e.points), &e.sale)?
        }
        ShopEvent::PointsReversed(e) => format!("{} points taken back by a refund", e.points),
        ShopEvent::PointsReturned(e) => format!("{} points given back by a refund", e.points),
        ShopEvent::CreditLimitSet(e) => format!("May owe {}", money(e.limit)),
        ShopEvent::AccountCharged(e) => {
            on_receipt(format!("{} charged to the account", money(e.amount)), &e.sale)?
        }
        ShopEvent::AccountPaid(e) => {
            format!("{} of the debt paid {}", money(e.amount), with(e.tender))
        }
        ShopEvent::AccountPaymentBounced(e) => {
            with_reason(format!("A payment of {} bounced", money(e.amount)), &e.reason)
        }
        ShopEvent::AccountCredited(e) => {
            format!("{} of the debt lifted by a refund", money(e.amount))
        }
        ShopEvent::GiftCardIssued(e) => format!("Gift card sold with {}", money(e.amount)),
        ShopEvent::GiftCardToppedUp(e) => format!("{} put on the gift card", money(e.amount)),
        ShopEvent::GiftCardTopUpCancelled(e) => with_reason(
            format!("{} of the gift card paid back {}", money(e.amount), with(e.tender)),
            &e.reason,
        ),
        ShopEvent::GiftCardRedeemed(e) => {
            on_receipt(format!("{} paid with the gift card", money(e.amount)), &e.sale)?
        }
        ShopEvent::GiftCardCredited(e) => {
            format!("{} put back on the gift card by a refund", money(e.amount))
        }
        ShopEvent::GiftCardBlocked(e) => with_reason("Gift card blocked".into(), &e.reason),
    })
}

/// How it is paid, as the end of a sentence.
fn with(tender: Tender) -> &'static str {
    match tender {
        Tender::Cash => "in cash",
        Tender::Card => "by card",
        Tender::GiftCard => "with a gift card",
        Tender::Account => "on account",
        Tender::Voucher => "with a voucher",
    }
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
    Ok(first.and_then(|first| match ShopEvent::decode(&first.as_event_ref()) {
        Some(ShopEvent::SaleCompleted(sale)) => Some(sale.series.receipt(sale.number).to_string()),
        _ => None,
    }))
}
