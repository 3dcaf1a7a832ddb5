//! Waiting for events to come.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Wakes the threads of this process that wait for its own appends. Nobody wakes them for those of
/// others.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    waiting: Mutex<u32>,
    appended: Condvar,
}

impl Arrivals {
    /// Waits until something is appended, but no longer than `most`; not at all if by then
    /// `is_there` says that it has come.
    pub(super) fn wait(&self, most: Duration, is_there: impl FnOnce() -> bool) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked under the mutex, so that what is appended from here on is told.
        if is_there() {
            return;
        }
        *waiting += 1;
        let woken = self.appended.wait_timeout(waiting, most);
        *woken.unwrap_or_else(PoisonError::into_inner).0 -= 1;
    }

    /// Tells those who wait. To wake somebody is a call of the system, so nobody is woken in vain.
    pub(super) fn tell(&self) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if *waiting > 0 {
            self.appended.notify_all();
        }
    }
}
