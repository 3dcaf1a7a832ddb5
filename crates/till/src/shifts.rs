//! What a till's shift came to: while it runs (X report) and when it was closed (Z report).

use chrono::{DateTime, Utc};
use dcb::ReadOptions;
use pos::event::{Denomination, JournalMark, ShiftClosed, ShiftOpened};
use pos::{
    BusinessDay, Money, Permission, Recorded, Shift, ShiftId, ShiftTotals, ShopEvent, TillId,
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::operations::Access;
use crate::queries::Query;
use crate::{Till, TillError};

/// Asks for the state of this till.
#[derive(Clone, Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct AboutShift {}

/// The state of a till.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TillState {
    /// The till.
    pub till: TillId,
    /// Its open shift; `null` if it has none.
    pub shift: Option<Shift>,
    /// The head of the history: what a count of the drawer that begins now is as of.
    #[ts(type = "number")]
    pub head: u64,
    /// Whether there is more cash in the drawer than the shop wants there, so that some is to be
    /// dropped in the safe. How much is not told: who counts the drawer counts it blind.
    pub drop_due: bool,
}

impl Query for AboutShift {
    const NAME: &'static str = "shift";
    const ACCESS: Access = Access::SignedIn;
    type Answer = TillState;

    fn ask(&self, till: &Till) -> Result<TillState, TillError> {
        let head = till.store().head()?;
        let shift = till.current_shift()?;
        let limit = till.settings()?.and_then(|settings| settings.tills.drawer_limit);
        let drop_due = match (&shift, limit) {
            (Some(shift), Some(limit)) => shift.cash_in_drawer(till.store())? > limit,
            _ => false,
        };
        Ok(TillState { till: till.id().clone(), shift, head, drop_due })
    }
}

impl Till {
    /// What a shift came to, up to a position or to now.
    fn totals(&self, shift: &ShiftId, up_to: Option<u64>) -> Result<ShiftTotals, TillError> {
        let query = dcb::Query::tagged(ShiftTotals::TYPES, shift.tag());
        let mut events = self.store().read(&query, ReadOptions::default())?;
        let mut totals = ShiftTotals::default();
        while let Some(event) = events.next_ref()? {
            if up_to.is_some_and(|last| event.position > last) {
                break;
            }
            totals.apply(&event);
        }
        Ok(totals)
    }
}

/// Asks what the open shift of this till came to so far.
#[derive(Clone, Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ReportX {}

/// What an open shift came to so far.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct XReport {
    /// The shift.
    #[serde(flatten)]
    pub shift: Shift,
    /// When this was asked.
    #[ts(type = "string")]
    pub at: DateTime<Utc>,
    /// What it came to.
    pub totals: ShiftTotals,
    /// The cash that should be in the drawer.
    pub expected: Money,
}

impl Query for ReportX {
    const NAME: &'static str = "x_report";
    const ACCESS: Access = Access::Permitted(Permission::SeeReports);
    type Answer = XReport;

    fn ask(&self, till: &Till) -> Result<XReport, TillError> {
        let shift = till.current_shift()?.ok_or_else(|| {
            TillError::not_found("no shift is open at this till; see its last Z report")
        })?;
        let totals = till.totals(&shift.shift, None)?;
        let expected = sum(shift.float, totals.cash);
        Ok(XReport { at: till.clock().now(), shift, totals, expected })
    }
}

/// Asks for a Z report of this till.
#[derive(Clone, Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ReportZ {
    /// Its number; the last one unless told otherwise.
    #[ts(optional, type = "number")]
    pub z: Option<u64>,
}

/// What a closed shift came to. It never changes.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ZReport {
    /// Its number at this till; `null` for shifts closed before there were any.
    #[ts(type = "number | null")]
    pub z: Option<u64>,
    /// The till.
    pub till: TillId,
    /// The shift.
    pub shift: ShiftId,
    /// When it was opened.
    #[ts(type = "string | null")]
    pub opened_at: Option<DateTime<Utc>>,
    /// When it was closed.
    #[ts(type = "string")]
    pub closed_at: DateTime<Utc>,
    /// The business day on which it was closed.
    pub business_day: BusinessDay,
    /// The cash that was in the drawer when it was opened.
    pub float: Money,
    /// What it came to.
    pub totals: ShiftTotals,
    /// The cash that should have been in the drawer.
    pub expected: Money,
    /// The cash that was found.
    pub counted: Money,
    /// `counted - expected`.
    pub variance: Money,
    /// The notes and coins that were found, if they were counted one by one.
    pub denominations: Vec<Denomination>,
    /// What the journal was when it was closed, to be printed: any later change to what came before
    /// shows against the paper. `null` where the store could not tell.
    pub journal: Option<JournalMark>,
}

impl Query for ReportZ {
    const NAME: &'static str = "z_report";
    const ACCESS: Access = Access::Permitted(Permission::SeeReports);
    type Answer = ZReport;

    fn ask(&self, till: &Till) -> Result<ZReport, TillError> {
        let query = dcb::Query::tagged([ShiftClosed::TYPE], till.id().tag());
        let mut closings = till.store().read(&query, ReadOptions::backwards())?;
        while let Some(event) = closings.next_ref()? {
            let Some(Recorded { position, when, event: ShopEvent::ShiftClosed(closed) }) =
                Recorded::decode(&event)
            else {
                continue;
            };
            if self.z.is_some() && closed.z != self.z {
                continue;
            }
            let opened = dcb::Query::tagged([ShiftOpened::TYPE], closed.shift.tag());
            let opened = till.store().read_last(&opened)?;
            let opened = opened.and_then(|event| Recorded::decode(&event.as_event_ref()));
            let (opened_at, float) = match opened {
                Some(Recorded { when, event: ShopEvent::ShiftOpened(opened), .. }) => {
                    (Some(when.at), opened.float)
                }
                _ => (None, Money::ZERO),
            };
            return Ok(ZReport {
                z: closed.z,
                till: closed.till,
                totals: till.totals(&closed.shift, Some(position))?,
                shift: closed.shift,
                opened_at,
                closed_at: when.at,
                business_day: when.business_day,
                float,
                expected: closed.expected,
                counted: closed.counted,
                variance: closed.counted.checked_sub(closed.expected).unwrap_or_default(),
                denominations: closed.denominations,
                journal: closed.journal,
            });
        }
        Err(TillError::not_found(match self.z {
            Some(z) => format!("this till has no Z report {z}"),
            None => "no shift of this till was closed yet".to_owned(),
        }))
    }
}

fn sum(a: Money, b: Money) -> Money {
    Money::new(a.minor().saturating_add(b.minor()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dcb_file::{FileStore, Options};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::demo::demo;
    use crate::testing::till_on;
    use crate::{Kind, Operation};

    fn call(till: &Till, name: &str, mut input: Value) -> Value {
        let operation = Operation::find(name).unwrap();
        if operation.kind == Kind::Command {
            input["requestId"] = Uuid::now_v7().to_string().into();
        }
        let answer = operation.run(till, &input.to_string()).unwrap();
        serde_json::from_str(answer.as_str()).unwrap()
    }

    #[test]
    fn a_shift_is_told_while_it_runs_and_the_same_on_paper_when_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::create(folder.path().join("store"), Options::default()).unwrap();
        let till = till_on(Arc::new(store), "T1");
        demo(&till).unwrap();
        let shift = call(&till, "open_shift", json!({"float": 10_000}))["shift"].clone();
        let sell = |tender: &str| {
            let lines = json!([{"product": "21071", "quantity": 1000}]);
            let payments = json!([{"tender": tender, "amount": 106}]);
            call(&till, "checkout", json!({"lines": lines, "payments": payments}));
        };
        sell("cash");
        sell("card");
        let reason = "more change";
        call(
            &till,
            "move_cash",
            json!({"shift": shift, "way": "in", "amount": 25_000, "reason": reason}),
        );
        assert_eq!(call(&till, "shift", json!({}))["dropDue"], true);
        call(&till, "drop_cash", json!({"shift": shift, "amount": 30_000}));
        assert_eq!(call(&till, "shift", json!({}))["dropDue"], false);

        let x = call(&till, "x_report", json!({}));
        assert_eq!((&x["expected"], &x["totals"]["gross"]), (&json!(5106), &json!(212)));
        let tenders = json!([
            {"tender": "cash", "taken": 106, "refunded": 0},
            {"tender": "card", "taken": 106, "refunded": 0},
        ]);
        assert_eq!(x["totals"]["tenders"], tenders);

        let head = till.store().head().unwrap();
        let (_, hash) = till.store().commit_hash().unwrap().unwrap();
        let counted = json!([{"value": 5000, "pieces": 1}, {"value": 1, "pieces": 106}]);
        let close =
            json!({"shift": shift, "countedCash": 5106, "denominations": counted, "asOf": head});
        let closed = call(&till, "close_shift", close);
        assert_eq!(closed["journal"], json!({"position": head, "hash": hash}));
        let z = call(&till, "z_report", json!({}));
        // The first was that of the shift in which the demo sold a gift card.
        assert_eq!((&z["z"], &z["totals"], &z["variance"]), (&json!(2), &x["totals"], &json!(0)));
        assert_eq!((&z["journal"], &z["float"]), (&closed["journal"], &json!(10_000)));

        call(&till, "open_shift", json!({"float": 0}));
        assert_eq!(call(&till, "z_report", json!({"z": 2})), z);
        let missing = Operation::find("z_report").unwrap().run(&till, r#"{"z": 3}"#).unwrap_err();
        assert_eq!(missing.message, "this till has no Z report 3");
    }
}
