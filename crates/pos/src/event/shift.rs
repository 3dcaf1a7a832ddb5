//! Shifts: a till's drawer from opening to closing.

use serde::{Deserialize, Serialize};

use super::about;
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
}

about! {
    ShiftOpened { till, shift }
    ShiftClosed { till, shift }
}
