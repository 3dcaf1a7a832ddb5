//! Group commit: the appends that wait at the same moment share one write and one sync.
//!
//! There is no writer thread. The first append that finds nobody at work leads: it takes the
//! store's lock, writes whatever waits by then as one group, and hands out the answers; meanwhile
//! the next group gathers. A group starts only when the one before is synced.

use std::ops::RangeInclusive;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use dcb::{
    AppendCondition, AppendOptions, Cancel, Event, StoreError, check_append, recording_time,
};

use super::FileStore;
use crate::line::{ChainHash, CommitContext, Encoded, unwritable};
use crate::log::{End, LastSegment};
use crate::watermark::Watermark;

/// The most bytes that one group writes; what is over waits for the next.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// How often a waiting append looks whether it was cancelled: a cancellation wakes nobody.
const CANCEL_POLL: Duration = Duration::from_millis(10);

/// The positions that an append got.
type Answer = Result<RangeInclusive<u64>, StoreError>;

/// The appends of this process that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they came.
    waiting: Vec<Arc<Request>>,
    /// Whether one of the waiting threads is writing.
    has_leader: bool,
}

#[derive(Debug)]
struct Request {
    encoded: Encoded,
    condition: Option<AppendCondition>,
    answer: Mutex<Option<Answer>>,
}

impl Request {
    fn answer(&self) -> MutexGuard<'_, Option<Answer>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request out; false if a leader has it already.
    fn withdraw(&self, request: &Arc<Request>) -> bool {
        let mut state = self.state();
        let before = state.waiting.len();
        state.waiting.retain(|other| !Arc::ptr_eq(other, request));
        state.waiting.len() < before
    }
}

/// A group on its way to the disk.
struct Writing {
    bytes: Vec<u8>,
    /// Where it goes, once there is a commit in it.
    segment: Option<LastSegment>,
    /// The position of the next event.
    next: u64,
    hash: ChainHash,
    last_time: DateTime<Utc>,
}

/// The leadership of the queue, given up when it is dropped.
struct Lead<'q>(&'q Queue);

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.0.state().has_leader = false;
        self.0.changed.notify_all();
    }
}

impl FileStore {
    /// Appends, alone or with whatever else waits.
    pub(super) fn append_in_group(&self, events: &[Event], options: &AppendOptions) -> Answer {
        check_append(events)?;
        let encoded = Encoded::new(events).map_err(|error| unwritable(&error))?;
        self.check_writable()?;
        let condition = options.condition.clone();
        let request = Arc::new(Request { encoded, condition, answer: Mutex::default() });
        self.queue.state().waiting.push(Arc::clone(&request));
        let cancel = options.cancel.as_ref();
        let started = Instant::now();
        loop {
            let lead = self.wait_for_turn(&request, started, cancel)?;
            if let Some(answer) = request.answer().take() {
                return answer;
            }
            let Some(_lead) = lead else { continue };
            let _lock = self.lock(cancel).inspect_err(|_| {
                self.queue.withdraw(&request);
            })?;
            let group = std::mem::take(&mut self.queue.state().waiting);
            self.commit_group(group);
        }
    }

    /// Waits until the request is answered, or nobody leads and this thread may.
    fn wait_for_turn(
        &self,
        request: &Arc<Request>,
        started: Instant,
        cancel: Option<&Cancel>,
    ) -> Result<Option<Lead<'_>>, StoreError> {
        let mut state = self.queue.state();
        loop {
            if request.answer().is_some() {
                return Ok(None);
            }
            if !state.has_leader {
                state.has_leader = true;
                return Ok(Some(Lead(&self.queue)));
            }
            let waited = self.queue.changed.wait_timeout(state, CANCEL_POLL);
            state = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
            // What a leader has taken is written in any case; its answer is waited for.
            if let Err(error) = self.give_up_waiting(started, cancel) {
                drop(state);
                if self.queue.withdraw(request) {
                    return Err(error);
                }
                state = self.queue.state();
            }
        }
    }

    /// Writes a group, under the lock, and answers every request in it. What does not fit goes back
    /// to the front of the queue.
    fn commit_group(&self, group: Vec<Arc<Request>>) {
        let mut staged = Vec::with_capacity(group.len());
        let written = self.write_group(&group, &mut staged);
        if let Err(error) = &written {
            self.log_mut().unstage();
            staged.clear();
            for request in &group {
                request.answer().get_or_insert_with(|| Err(same_for_another(error)));
            }
        }
        for (request, answer) in staged {
            *request.answer() = Some(answer);
        }
        let left = group.into_iter().filter(|request| request.answer().is_none());
        self.queue.state().waiting.splice(0..0, left);
    }

    /// Decides, encodes and stages as many requests as fit into one write, and writes them. The
    /// answers in `staged` hold once this returns well.
    fn write_group<'g>(
        &self,
        group: &'g [Arc<Request>],
        staged: &mut Vec<(&'g Request, Answer)>,
    ) -> Result<(), StoreError> {
        let mut mark = self.catch_up_as_writer()?;
        // Only who holds the lock moves the end of the log, so it stays where it is now.
        let end = self.log().end();
        let mut writing = Writing {
            bytes: Vec::new(),
            segment: None,
            next: end.head + 1,
            hash: end.hash,
            last_time: end.last_time,
        };
        for request in group {
            if let Some(conflict) = self.conflict(request) {
                let failed = Err(StoreError::ConditionFailed { conflict });
                staged.push((request, failed));
                continue;
            }
            let commit = request.encoded.commit(&CommitContext {
                first: writing.next,
                group: end.head + 1,
                previous: writing.hash,
                now: recording_time(),
                last_time: writing.last_time,
            });
            let len = commit.bytes.len();
            let segment = match &writing.segment {
                None => {
                    self.settle_flush(&end, &mut mark)?;
                    self.segment_for(&end, len as u64)?
                }
                Some(segment) => {
                    let offset = segment.end + writing.bytes.len() as u64;
                    if !self.fits(offset, len as u64) || writing.bytes.len() + len > GROUP_BYTES {
                        break;
                    }
                    segment.clone()
                }
            };
            let first = writing.next;
            writing.next += request.encoded.len();
            (writing.hash, writing.last_time) = (commit.hash, commit.last_time);
            self.log_mut().stage(segment.end + writing.bytes.len() as u64, &commit.bytes);
            writing.bytes.extend_from_slice(&commit.bytes);
            writing.segment = Some(segment);
            staged.push((request, Ok(first..=writing.next - 1)));
        }
        self.write_and_publish(&writing, &mark)
    }

    /// The first event, durable or staged, that a request must not find.
    fn conflict(&self, request: &Request) -> Option<u64> {
        let condition = request.condition.as_ref()?;
        let after = condition.after.unwrap_or(0);
        self.log().first_match_after(&condition.fail_if_events_match, after)
    }

    fn write_and_publish(&self, writing: &Writing, mark: &Watermark) -> Result<(), StoreError> {
        let Some(segment) = &writing.segment else { return Ok(()) };
        let new_end = segment.end + writing.bytes.len() as u64;
        self.make_room(segment, new_end)?;
        self.write(segment, &writing.bytes, mark)?;
        let head = writing.next - 1;
        self.log_mut().publish(&End {
            head,
            hash: writing.hash,
            last_time: writing.last_time,
            segment: Some(LastSegment { end: new_end, ..segment.clone() }),
        });
        // The group is durable. If readers cannot be told, the next writer finds it all the same.
        let _ = self.write_watermark(&Watermark {
            head,
            segment: segment.first,
            end: new_end,
            writing: false,
            ..*mark
        });
        *self.ledger_is_behind.lock().unwrap_or_else(PoisonError::into_inner) = true;
        Ok(())
    }
}

/// The error of a group, for each append in it.
fn same_for_another(error: &StoreError) -> StoreError {
    match error {
        StoreError::Io { action, source } => StoreError::Io {
            action: action.clone(),
            source: std::io::Error::new(source.kind(), source.to_string()),
        },
        StoreError::Damaged { place, reason } => {
            StoreError::Damaged { place: place.clone(), reason: reason.clone() }
        }
        other => StoreError::ReadOnly { reason: other.to_string() },
    }
}
