//! What happens to the cash of a drawer beside sales.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::about;
use crate::ids::{ShiftId, TillId};
use crate::money::Money;

/// Why cash went into a drawer or out of it, other than for a sale or refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum CashMove {
    /// Put in, such as more change.
    PaidIn,
    /// Paid out, such as for the window cleaner.
    PaidOut,
    /// Taken to the safe.
    SafeDrop,
}

/// Cash went into a drawer or out of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CashMoved {
    /// The shift.
    pub shift: ShiftId,
    /// Its till.
    pub till: TillId,
    /// Which way.
    pub how: CashMove,
    /// How much; positive.
    pub amount: Money,
    /// Why; empty for a drop.
    pub reason: String,
}

/// How many notes or coins of one value there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Denomination {
    /// What one of them is worth; positive.
    pub value: Money,
    /// How many there are.
    pub pieces: u32,
}

/// What the journal was when something was written on paper: history up to this position has this
/// hash, and would have another if anything in it were changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct JournalMark {
    /// The last position that the hash is about.
    #[ts(type = "number")]
    pub position: u64,
    /// The hash of the commit that ends there, in hex; it covers every commit before.
    pub hash: String,
}

about! {
    CashMoved { till, shift }
}
