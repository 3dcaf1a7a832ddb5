//! A till's lease: one process at a time is the host of a till.
//!
//! Receipt numbers and shifts would stand two hosts of one till, as they stand two of anything; the
//! cart would not, for each host would keep its own in the other's place. Programs that come and
//! go, such as `opossum till call`, take no lease.

use std::fs::{self, File, OpenOptions};
use std::path::Path;

use fs4::{FileExt, TryLockError};
use pos::TillId;

use crate::folder::file_of_till;
use crate::{Fault, TillError};

/// The right to be the host of a till. Dropping it, or the end of the process however it comes,
/// gives it back.
#[derive(Debug)]
pub struct Lease {
    _locked: File,
}

impl Lease {
    /// Takes the till's lease in the shop's folder, which is made if it is missing.
    ///
    /// [`Fault::TillInUse`] if another process holds it.
    pub fn take(data: &Path, till: &TillId) -> Result<Self, TillError> {
        let path = file_of_till(data, "tills", till, "lock");
        let failed = |error: std::io::Error| {
            let message = format!("the till's lock {} cannot be had: {error}", path.display());
            TillError::of_system(message, &error)
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        // The file is never removed: whoever holds a lock on a removed one would hold nothing.
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match FileExt::try_lock(&file) {
            Ok(()) => Ok(Self { _locked: file }),
            Err(TryLockError::WouldBlock) => Err(TillError::new(
                Fault::TillInUse,
                format!(
                    "Till {till} is open already. Go on there, or close it first; or start this \
                     one as another till."
                ),
            )),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    fn id(text: &str) -> TillId {
        TillId::new(text).unwrap()
    }

    #[test]
    fn a_till_has_one_host_at_a_time() {
        let data = tempfile::tempdir().unwrap();
        let take = |till| Lease::take(&data.path().join("shop"), &id(till));
        let first = take("T1").unwrap();
        let refused = take("T1").unwrap_err();
        assert_eq!(refused.code, ErrorCode::Fault(Fault::TillInUse));
        assert!(refused.message.starts_with("Till T1 is open already."), "{refused}");
        take("T2").unwrap();
        drop(first);
        take("T1").unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("tills"), "in the way").unwrap();
        let refused = Lease::take(data.path(), &id("T1")).unwrap_err();
        assert!(refused.message.contains("T1.lock"), "{refused}");
    }
}
