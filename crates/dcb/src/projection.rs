//! Views: what history looks like to a reader who follows it.

use crate::{EventRef, EventStore, Query, ReadOptions, StoreError};

/// A view of history that is brought up to date event by event.
pub trait Projection {
    /// Which events the view is made of.
    fn query(&self) -> Query;

    /// Takes in the next of them. An odd event is skipped, never a panic.
    fn apply(&mut self, event: &EventRef<'_>);
}

/// A [`Projection`] in memory and how far it has followed its store.
#[derive(Debug, Default)]
pub struct Followed<P> {
    view: P,
    position: u64,
}

impl<P: Projection> Followed<P> {
    /// A view that has seen nothing yet.
    pub fn new(view: P) -> Self {
        Self { view, position: 0 }
    }

    /// Takes in what is new in the store, and returns the view as it is then.
    pub fn catch_up(&mut self, store: &(impl EventStore + ?Sized)) -> Result<&P, StoreError> {
        let from = ReadOptions::from(self.position + 1);
        let mut events = store.read(&self.view.query(), from)?;
        let head = events.head();
        while let Some(event) = events.next_ref()? {
            self.view.apply(&event);
            // Progress is kept with each event: a failure half-way takes nothing in twice.
            self.position = event.position;
        }
        self.position = self.position.max(head);
        Ok(&self.view)
    }

    /// The view as it was when it last caught up.
    pub fn view(&self) -> &P {
        &self.view
    }

    /// The position up to which the view has followed.
    pub fn position(&self) -> u64 {
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, MemoryStore};

    #[derive(Default)]
    struct Sold(Vec<u64>);

    impl Projection for Sold {
        fn query(&self) -> Query {
            Query::types(["Sold"]).unwrap()
        }

        fn apply(&mut self, event: &EventRef<'_>) {
            self.0.push(event.position);
        }
    }

    #[test]
    fn a_followed_view_takes_in_each_event_once() {
        let store = MemoryStore::new();
        let append = |event_type: &str| {
            store.append(&[Event::builder(event_type).build().unwrap()], None).unwrap();
        };
        let mut sold = Followed::new(Sold::default());
        append("Sold");
        append("Counted");
        assert_eq!(sold.catch_up(&store).unwrap().0, [1]);
        assert_eq!(sold.position(), 2);
        append("Sold");
        assert_eq!(sold.catch_up(&store).unwrap().0, [1, 3]);
        assert_eq!(sold.catch_up(&store).unwrap().0, [1, 3]);
    }
}
