//! Subscriptions: events as they come, for readers that don't want to miss any.

use std::time::{Duration, Instant};

use crate::{Cancel, EventStore, Events, Query, ReadOptions, SequencedEvent, StoreError};

/// How long a waiting subscription may take to notice that it was cancelled: nobody wakes it.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// The events that match a query, those that are there and then those that come: each once, in
/// order, when it is durable, whichever thread or process appended it.
///
/// As an iterator it blocks until the next event comes, and ends when it is cancelled or after an
/// error. It holds no lock and no thread, so it may be dropped at any time; to go on later, keep the
/// position of the last event and subscribe from the one behind it.
///
/// ```
/// use dcb::{Cancel, Event, EventStore, MemoryStore, Query, Subscription};
///
/// let (store, cancel) = (MemoryStore::new(), Cancel::default());
/// let sold = Query::types(["ProductSold"]).unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         for sale in Subscription::new(&store, sold, 0).until(&cancel) {
///             assert_eq!(sale.unwrap().event.event_type, "ProductSold");
///             cancel.cancel();
///         }
///     });
///     store.append(&[Event::builder("ProductSold").build().unwrap()], None).unwrap();
/// });
/// ```
pub struct Subscription<'s, S: ?Sized> {
    store: &'s S,
    query: Query,
    /// The first position that was not looked at yet.
    next: u64,
    /// What is left of the read under way.
    events: Option<Events<'s>>,
    cancel: Cancel,
    has_failed: bool,
}

impl<'s, S: EventStore + ?Sized> Subscription<'s, S> {
    /// Subscribes to what matches `query` at `from` or a higher position.
    pub fn new(store: &'s S, query: Query, from: u64) -> Self {
        let cancel = Cancel::default();
        Self { store, query, next: from, events: None, cancel, has_failed: false }
    }

    /// Ends it when `cancel` says so, also while it waits.
    pub fn until(self, cancel: &Cancel) -> Self {
        Self { cancel: cancel.clone(), ..self }
    }

    /// The next event; `None` if none comes within `timeout`, or when it is cancelled. After an
    /// error the same event is tried again.
    pub fn next_within(&mut self, timeout: Duration) -> Result<Option<SequencedEvent>, StoreError> {
        let started = Instant::now();
        while !self.cancel.is_cancelled() {
            if let Some(event) = self.next_there_is()? {
                return Ok(Some(event));
            }
            loop {
                let left = timeout.saturating_sub(started.elapsed());
                if self.store.wait_for(self.next, left.min(CANCEL_POLL))?.is_some() {
                    break;
                }
                if left.is_zero() || self.cancel.is_cancelled() {
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    /// The next event that is there already.
    fn next_there_is(&mut self) -> Result<Option<SequencedEvent>, StoreError> {
        if self.events.is_none() {
            self.events = Some(self.store.read(&self.query, ReadOptions::from(self.next))?);
        }
        let Some(events) = &mut self.events else { return Ok(None) };
        match events.next() {
            Some(Ok(event)) => {
                self.next = event.position + 1;
                Ok(Some(event))
            }
            Some(Err(error)) => {
                self.events = None;
                Err(error)
            }
            None => {
                self.next = self.next.max(events.head() + 1);
                self.events = None;
                Ok(None)
            }
        }
    }
}

impl<S: EventStore + ?Sized> Iterator for Subscription<'_, S> {
    type Item = Result<SequencedEvent, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.has_failed && !self.cancel.is_cancelled() {
            match self.next_within(Duration::MAX) {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => {}
                Err(error) => {
                    self.has_failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::CountingStore;
    use crate::{Event, MemoryStore};

    #[test]
    fn a_subscription_that_waits_asks_seldom_and_reads_only_what_is_new() {
        let store = CountingStore::default();
        store.append(&[Event::builder("Other").build().unwrap()], None).unwrap();
        let sold = Query::types(["Sold"]).unwrap();
        let mut sales = Subscription::new(&store, sold, 0);
        assert_eq!(sales.next_within(Duration::from_millis(200)).unwrap(), None);
        assert!(store.asked() <= 8, "{}", store.asked());
    }

    #[test]
    fn who_subscribes_behind_the_last_event_gets_only_later_ones() {
        let store = MemoryStore::new();
        let sold = || Event::builder("Sold").build().unwrap();
        store.append(&[sold(), sold()], None).unwrap();
        let positions: Vec<u64> = Subscription::new(&store, Query::all(), 2)
            .map(|event| event.unwrap().position)
            .inspect(|position| {
                if *position < 4 {
                    store.append(&[sold()], None).unwrap();
                }
            })
            .take(3)
            .collect();
        assert_eq!(positions, [2, 3, 4]);
    }
}
