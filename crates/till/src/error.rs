//! The one error that leaves the application: a code for programs, a sentence for people.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::Path;

use dcb::StoreError;
use pos::{Refusal, RefusalCode, RefusalDetails};
use serde::Serialize;
use ts_rs::TS;

use crate::TableError;

/// Why a command or query was not done. In JSON: `{"code":…,"message":…,"details":{…}}`.
#[derive(Debug, Serialize, TS, thiserror::Error)]
#[error("{message}")]
pub struct TillError {
    /// What kind of error it is.
    pub code: ErrorCode,
    /// A sentence that says what happened and what to do.
    pub message: String,
    /// What the sentence is made of, for programs; a fault has none.
    pub details: Box<RefusalDetails>,
}

/// What kind of error a [`TillError`] is: in JSON one word, of a rule or of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(untagged)]
pub enum ErrorCode {
    /// A rule of the shop refused.
    Refused(RefusalCode),
    /// Something else went wrong.
    Fault(Fault),
}

/// What went wrong when no rule refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The request is not one that the till understands.
    BadRequest,
    /// Who calls may not call the till.
    NotAllowed,
    /// What was asked for is not there.
    NotFound,
    /// Others kept changing what the act depends on. Trying again helps.
    Contended,
    /// Another process held the store for too long. Trying again helps.
    LockTimeout,
    /// Waiting was cancelled; nothing was written.
    Cancelled,
    /// The store refuses writes.
    ReadOnly,
    /// Another process is the host of this till.
    TillInUse,
    /// Stored data is not what was written.
    Damaged,
    /// The folder is not a store.
    NotAStore,
    /// The disk is full.
    DiskFull,
    /// The system refused to read or write.
    Io,
}

impl TillError {
    /// An error that no rule made.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { code: ErrorCode::Fault(fault), message: message.into(), details: Box::default() }
    }

    /// The request is not one that the till understands, and why.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Fault::BadRequest, message)
    }

    /// What was asked for is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Fault::NotFound, message)
    }

    /// There is no shop in this folder, and how one begins.
    pub fn no_shop_in(data: &Path) -> Self {
        Self::bad_request(format!(
            "there is no shop in {0}; begin your own with `opossum till --data {0} call \
             configure_shop`, as README tells, or a demo shop with `opossum till --data {0} demo`",
            data.display()
        ))
    }

    /// The system refused. The message says what was being done and what the system said; what can
    /// be done about it is added.
    pub(crate) fn of_system(message: impl Display, error: &io::Error) -> Self {
        Self::new(fault_of(error), format!("{message}{}", dcb::next_step(error)))
    }

    /// The rule that refused, if one did.
    pub fn refusal(&self) -> Option<RefusalCode> {
        match self.code {
            ErrorCode::Refused(code) => Some(code),
            ErrorCode::Fault(_) => None,
        }
    }
}

impl From<Refusal> for TillError {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: ErrorCode::Refused(refusal.code),
            message: refusal.message,
            details: refusal.details,
        }
    }
}

impl From<StoreError> for TillError {
    fn from(error: StoreError) -> Self {
        let fault = match &error {
            StoreError::Invalid(_) => Fault::BadRequest,
            StoreError::ConditionFailed { .. } => Fault::Contended,
            StoreError::LockTimeout { .. } => Fault::LockTimeout,
            StoreError::Cancelled => Fault::Cancelled,
            StoreError::ReadOnly { .. } => Fault::ReadOnly,
            StoreError::Damaged { .. } => Fault::Damaged,
            StoreError::NotAStore(_) => Fault::NotAStore,
            StoreError::Io { source, .. } => fault_of(source),
            _ => Fault::Io,
        };
        let next_step = match fault {
            Fault::Damaged => "; `opossum store restore` makes a whole store of a backup",
            _ => "",
        };
        Self::new(fault, format!("{error}{next_step}"))
    }
}

impl From<TableError> for TillError {
    fn from(error: TableError) -> Self {
        let fault = match &error {
            TableError::Empty { .. }
            | TableError::MissingColumns { .. }
            | TableError::UnknownColumn { .. } => Fault::BadRequest,
            TableError::Io(source) => fault_of(source),
        };
        Self::new(fault, error.to_string())
    }
}

/// What an error of the system comes to.
fn fault_of(error: &io::Error) -> Fault {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Fault::DiskFull,
        ErrorKind::ReadOnlyFilesystem => Fault::ReadOnly,
        _ => Fault::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_code_message_and_details() {
        let refused: TillError = Refusal::new(RefusalCode::OutOfStock, "Only 1 left.").into();
        assert_eq!(
            serde_json::to_value(&refused).unwrap(),
            serde_json::json!({"code": "out_of_stock", "message": "Only 1 left.", "details": {"because": []}})
        );
        let full = io::Error::from(ErrorKind::StorageFull);
        let fault: TillError =
            StoreError::Io { action: "cannot append".into(), source: full }.into();
        assert_eq!(serde_json::to_value(fault.code).unwrap(), "disk_full");
        assert!(fault.message.contains("free some space and do it again"), "{}", fault.message);
    }
}
