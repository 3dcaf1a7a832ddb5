//! Why a command ended without doing what it was asked to, and the exit status that says so.

use std::io;
use std::process::ExitCode;

use dcb::StoreError;
use till::{ErrorCode, Fault, TillError};

/// The exit status of a command that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// A rule refused, or what was asked for is not there.
    Refused = 1,
    /// The call or its input is wrong.
    BadInput = 2,
    /// An event matched the append condition.
    ConditionFailed = 3,
    /// Another writer held the lock for too long.
    LockTimeout = 4,
    /// Stored data is not what was written.
    Damaged = 5,
    /// The system refused, or the disk is full.
    Io = 6,
}

/// A failed command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Told in one sentence on standard error.
    Message(Status, String),
    /// Told as JSON on standard error, for programs that call the till.
    Json(Status, String),
    /// All is told already.
    Told(Status),
    /// Whoever read the output has closed it; that is no failure.
    OutputClosed,
}

impl Failure {
    /// The input is wrong, and how to mend it.
    pub(crate) fn bad_input(message: impl Into<String>) -> Self {
        Self::Message(Status::BadInput, message.into())
    }

    /// A file could not be used.
    pub(crate) fn file(path: &std::path::Path, error: &io::Error) -> Self {
        let status = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::IsADirectory => Status::BadInput,
            _ => Status::Io,
        };
        Self::Message(status, format!("cannot read {}: {error}", path.display()))
    }

    /// A till's error, as the JSON that the UI gets too.
    pub(crate) fn json(error: &TillError) -> Self {
        let text = serde_json::to_string(error).unwrap_or_else(|_| error.to_string());
        Self::Json(status_of(error), text)
    }

    /// Says it, and gives the exit status.
    pub(crate) fn tell(self) -> ExitCode {
        let status = match self {
            Self::Message(status, message) => {
                eprintln!("opossum: {message}");
                status
            }
            Self::Json(status, json) => {
                eprintln!("{json}");
                status
            }
            Self::Told(status) => status,
            Self::OutputClosed => return ExitCode::SUCCESS,
        };
        ExitCode::from(status as u8)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::Invalid(_) | StoreError::NotAStore(_) => Status::BadInput,
            StoreError::ConditionFailed { .. } => Status::ConditionFailed,
            StoreError::LockTimeout { .. } | StoreError::Cancelled => Status::LockTimeout,
            StoreError::Damaged { .. } => Status::Damaged,
            _ => Status::Io,
        };
        let next_step = match &error {
            // Without it no event can be read, so that nothing can be exported either.
            StoreError::Damaged { place, .. } if place.ends_with("store.json:1") => {
                ", or write it anew as docs/format.md says; the events are as they were"
            }
            StoreError::Damaged { .. } => {
                "; `opossum store restore` makes a whole store of a backup, `opossum store export \
                 --skip-damaged` saves what can be read"
            }
            _ => "",
        };
        Self::Message(status, format!("{error}{next_step}"))
    }
}

impl From<TillError> for Failure {
    fn from(error: TillError) -> Self {
        Self::Message(status_of(&error), error.message)
    }
}

fn status_of(error: &TillError) -> Status {
    match error.code {
        ErrorCode::Refused(_) | ErrorCode::Fault(Fault::NotFound) => Status::Refused,
        ErrorCode::Fault(Fault::BadRequest | Fault::NotAllowed | Fault::NotAStore) => {
            Status::BadInput
        }
        ErrorCode::Fault(Fault::Contended) => Status::ConditionFailed,
        ErrorCode::Fault(Fault::LockTimeout | Fault::Cancelled | Fault::TillInUse) => {
            Status::LockTimeout
        }
        ErrorCode::Fault(Fault::Damaged) => Status::Damaged,
        ErrorCode::Fault(Fault::ReadOnly | Fault::DiskFull | Fault::Io) => Status::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_advised_only_where_it_would_work() {
        let advises = |place: &str| {
            let error = StoreError::Damaged { place: place.into(), reason: "it is bad".into() };
            let Failure::Message(Status::Damaged, message) = error.into() else { return None };
            Some(message.contains("--skip-damaged"))
        };
        assert_eq!(advises("shop/events/0000000001.jsonl:7"), Some(true));
        assert_eq!(advises("shop/store.json:1"), Some(false));
    }
}
