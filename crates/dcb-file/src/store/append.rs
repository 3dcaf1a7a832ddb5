//! Group commit: the appends that wait at the same moment share one write and one sync.
//!
//! There is no writer thread. The first append that finds nobody at work leads: it takes the
//! store's lock, writes whatever waits by then as one group, hands out the answers, and passes the
//! lead on to the first of those that have come meanwhile. A group starts only when the one before
//! is synced.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use dcb::{AppendOptions, Cancel, Event, Json, StoreError, TAGS_ADDED, recording_time};

use super::FileStore;
use crate::index::{Place, Search};
use crate::line::{CommitContext, Encoded, unwritable};
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
pub(super) struct Queue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// In the order in which they came.
    waiting: Vec<Arc<Request>>,
    /// Whether one of the waiting threads is writing, or has been asked to.
    has_leader: bool,
}

#[derive(Debug)]
struct Request {
    encoded: Encoded,
    /// What must not be found, and above which position.
    condition: Option<(Search, Option<u64>)>,
    /// What its lines say, if they add tags to past events.
    added: Vec<Json>,
    answer: Mutex<Option<Answer>>,
    /// Whether it is answered or asked to lead, so that its thread has something to do.
    is_called: AtomicBool,
    thread: Thread,
}

impl Request {
    fn answer(&self) -> MutexGuard<'_, Option<Answer>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self) {
        self.is_called.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a request. Who is first is called at once, to lead.
    fn push(&self, request: &Arc<Request>) {
        let mut state = self.state();
        state.waiting.push(Arc::clone(request));
        if !state.has_leader {
            state.has_leader = true;
            request.is_called.store(true, Ordering::Release);
        }
    }

    /// Takes a request out that nobody has taken or called.
    fn withdraw(&self, request: &Arc<Request>) -> bool {
        let mut state = self.state();
        let before = state.waiting.len();
        if !request.is_called.load(Ordering::Acquire) {
            state.waiting.retain(|other| !Arc::ptr_eq(other, request));
        }
        state.waiting.len() < before
    }
}

/// The leadership of the queue; passed on when it is dropped.
struct Lead<'q>(&'q Queue);

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        match state.waiting.first() {
            Some(next) => next.call(),
            None => state.has_leader = false,
        }
    }
}

/// The requests of a group. Should the thread that writes it panic, in a disk or a subscriber of its
/// caller's own making, the others are told instead of waiting for ever.
struct Taken<'s> {
    store: &'s FileStore,
    requests: Vec<Arc<Request>>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        self.store.log_mut().unstage();
        let reason = "a thread panicked while it was writing; open the store again";
        self.store.poison(reason.into());
        for request in &self.requests {
            *request.answer() = Some(Err(StoreError::ReadOnly { reason: reason.into() }));
            request.call();
        }
    }
}

/// A group on its way to the disk.
struct Group {
    bytes: Vec<u8>,
    /// Where it goes, once there is a commit in it.
    segment: Option<LastSegment>,
    context: CommitContext,
}

impl FileStore {
    /// Appends, alone or with whatever else waits.
    pub(super) fn append_in_group(&self, events: &[Event], options: &AppendOptions) -> Answer {
        let encoded = Encoded::new(events).map_err(|error| unwritable(&error))?;
        let condition = options.condition.as_ref();
        let condition = condition.map(|c| (Search::new(&c.fail_if_events_match), c.after));
        let adds_tags = events.first().is_some_and(|event| event.event_type == TAGS_ADDED);
        let lines = if adds_tags { events } else { &[] };
        self.check_writable()?;
        let request = Arc::new(Request {
            encoded,
            condition,
            added: lines.iter().map(|line| line.data.clone()).collect(),
            answer: Mutex::default(),
            is_called: AtomicBool::new(false),
            thread: thread::current(),
        });
        self.queue.push(&request);
        self.wait_for_call(&request, options.cancel.as_ref())?;
        if let Some(answer) = request.answer().take() {
            return answer;
        }
        let _lead = Lead(&self.queue);
        loop {
            let _lock = self.lock(options.cancel.as_ref()).inspect_err(|_| {
                self.queue.state().waiting.retain(|other| !Arc::ptr_eq(other, &request));
            })?;
            let group = std::mem::take(&mut self.queue.state().waiting);
            self.commit_group(group, &request);
            if let Some(answer) = request.answer().take() {
                return answer;
            }
        }
    }

    /// Waits until the request is answered or called to lead.
    fn wait_for_call(
        &self,
        request: &Arc<Request>,
        cancel: Option<&Cancel>,
    ) -> Result<(), StoreError> {
        let started = Instant::now();
        while !request.is_called.load(Ordering::Acquire) {
            match cancel {
                Some(_) => thread::park_timeout(CANCEL_POLL),
                None => thread::park_timeout(self.options.lock_timeout),
            }
            // What a leader has taken is written in any case; its answer is waited for.
            if let Err(error) = self.give_up_waiting(started, cancel)
                && self.queue.withdraw(request)
            {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Writes a group, under the lock, and answers every request in it. What does not fit goes back
    /// to the front of the queue.
    fn commit_group(&self, requests: Vec<Arc<Request>>, own: &Arc<Request>) {
        let mut answers = Vec::with_capacity(requests.len());
        let mut taken = Taken { store: self, requests };
        let written = self.write_group(&taken.requests, &mut answers);
        let requests = std::mem::take(&mut taken.requests);
        if let Err(error) = &written {
            self.log_mut().unstage();
            answers.clear();
            answers.extend(requests.iter().map(|_| Err(same_for_another(error))));
        }
        // They are answered in their order, as far as the group went.
        let mut requests = requests.into_iter();
        for (answer, request) in answers.into_iter().zip(requests.by_ref()) {
            *request.answer() = Some(answer);
            if !Arc::ptr_eq(&request, own) {
                request.call();
            }
        }
        self.queue.state().waiting.splice(0..0, requests);
        match written {
            Ok(()) => self.index_what_grew(),
            Err(error) => *own.answer() = Some(Err(error)),
        }
    }

    /// Decides, encodes and stages requests in their order, as many as fit into one write, and
    /// writes them. The answers hold once this returns well.
    fn write_group(
        &self,
        requests: &[Arc<Request>],
        answers: &mut Vec<Answer>,
    ) -> Result<(), StoreError> {
        let _span = tracing::debug_span!("append", waiting = requests.len()).entered();
        let mut mark = self.catch_up_as_writer()?;
        // Only who holds the lock moves the end of the log, so it stays where it is now.
        let end = self.log().end();
        let mut group = Group {
            bytes: Vec::with_capacity(requests.iter().map(|r| r.encoded.size()).sum()),
            segment: None,
            context: CommitContext {
                next: end.head + 1,
                group: end.head + 1,
                hash: end.hash,
                now: recording_time(),
                last_time: end.last_time,
            },
        };
        for request in requests {
            if let Some(conflict) = self.conflict(request) {
                answers.push(Err(StoreError::ConditionFailed { conflict }));
                continue;
            }
            let len = request.encoded.size();
            let segment = match &group.segment {
                None => {
                    self.settle_flush(&end, &mut mark)?;
                    group.segment.insert(self.segment_for(&end, len as u64, &mark)?)
                }
                Some(segment) => {
                    let offset = segment.end + group.bytes.len() as u64;
                    if !self.fits(offset, len as u64) || group.bytes.len() + len > GROUP_BYTES {
                        break;
                    }
                    segment
                }
            };
            let (first, base) = (group.context.next, segment.end);
            let mut log = self.log_mut();
            request.encoded.commit(
                &mut group.context,
                &mut group.bytes,
                |position, at, name, tags| {
                    let (offset, end) = (base + at.start as u64, base + at.end as u64);
                    log.stage(name, tags.iter(), Place { offset, end, position });
                },
            );
            for (position, data) in (first..).zip(&request.added) {
                log.stage_added(position, data.as_str());
            }
            answers.push(Ok(first..=group.context.next - 1));
        }
        let conflicts = answers.iter().filter(|answer| answer.is_err()).count() as u64;
        self.tally.refused(conflicts);
        // An index that turned out to be garbage was made again from the log while it was asked, and
        // where that is damaged it has not told all.
        self.check_writable()?;
        if let Some(segment) = &group.segment {
            self.write_and_publish(&group, segment, &mark)?;
            let (events, bytes) = (group.context.next - 1 - end.head, group.bytes.len() as u64);
            let commits = answers.len() as u64 - conflicts;
            self.tally.wrote(commits, events, bytes);
            tracing::debug!(commits, conflicts, events, bytes, "a group was written");
        }
        Ok(())
    }

    /// What makes a request's condition fail, durable or staged: the first event that matches, or,
    /// if its decision was read before tags were last added to past events, what added them.
    fn conflict(&self, request: &Request) -> Option<u64> {
        let (search, after) = request.condition.as_ref()?;
        let log = self.log();
        let found =
            log.first_match(search, after.map_or(0, |after| after.saturating_add(1)), u64::MAX);
        let tags_added =
            after.filter(|after| *after < log.tags_added_at()).map(|_| log.tags_added_at());
        found.into_iter().chain(tags_added).min()
    }

    fn write_and_publish(
        &self,
        group: &Group,
        segment: &LastSegment,
        mark: &Watermark,
    ) -> Result<(), StoreError> {
        let new_end = segment.end + group.bytes.len() as u64;
        self.make_room(segment, new_end, mark)?;
        self.write(segment, &group.bytes, mark)?;
        let CommitContext { next, hash, last_time, .. } = group.context;
        let (head, segment) = (next - 1, LastSegment { end: new_end, ..segment.clone() });
        let (first, end) = (segment.first, segment.end);
        // The group is durable. It is published before the watermark tells of it: a thread that came
        // to know of it from there would read it from the file and index it beside what is staged.
        self.log_mut().publish(&End { head, hash, last_time, segment: Some(segment) });
        // If other processes cannot be told, the next writer finds it all the same.
        let _ =
            self.write_watermark(&Watermark { head, segment: first, end, writing: false, ..*mark });
        self.ledger_is_behind.store(true, Ordering::Release);
        self.arrivals.tell();
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
        StoreError::NotAStore(why) => StoreError::NotAStore(why.clone()),
        StoreError::ReadOnly { reason } => StoreError::ReadOnly { reason: reason.clone() },
        other => StoreError::ReadOnly { reason: other.to_string() },
    }
}
