//! Shifts: a till's drawer from opening to closing.

use serde::{Deserialize, Serialize};

use super::about;
use super::drawer::{Denomination, JournalMark};
use crate::ids::{ShiftId, TillId};
use crate::money::Money;

/// A till's shift began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShiftOpened {
    /// The shift.
    pub shift: ShiftId,
    /// Its till.
    pub till: TillId,
    /// The cash in the drawer.
    pub float: Money,
}

/// A till's shift ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShiftClosed {
    /// The shift.
    pub shift: ShiftId,
    /// Its till.
    pub till: TillId,
    /// The cash found in the drawer.
    pub counted: Money,
    /// The cash that should have been there.
    pub expected: Money,
    /// The notes and coins that were found, if they were counted one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denominations: Vec<Denomination>,
    /// The number of its Z report: 1 for a till's first, and never set back. The oldest events have
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub z: Option<u64>,
    /// What the journal was then, where the store can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<JournalMark>,
}

about! {
    ShiftOpened { till, shift }
    ShiftClosed { till, shift }
}
