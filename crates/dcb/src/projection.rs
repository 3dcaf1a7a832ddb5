//! Views: what history looks like to a reader who follows it.

use crate::{EventRef, EventStore, Query, ReadOptions, StoreError};

/// A view of history that is brought up to date event by event.
pub trait Projection {
    /// Which events the view is made of.
    fn query(&self) -> Query;

    /// Takes in the next of them. An odd event is skipped, never a panic.
    fn apply(&mut self, event: &EventRef<'_>);
}

/// A [`Projection`] in memory and how far it has followed its store. It follows one store only.
#[derive(Debug, Default)]
pub struct Followed<P> {
    /// The view that has seen nothing.
    origin: P,
    view: P,
    position: u64,
    /// How often tags had been added to the history that the view has seen.
    tag_epoch: u64,
}

impl<P: Projection + Clone> Followed<P> {
    /// A view that has seen nothing yet.
    pub fn new(view: P) -> Self {
        Self { origin: view.clone(), view, position: 0, tag_epoch: 0 }
    }

    /// Takes in what is new in the store, and returns the view as it is then. When tags were added
    /// to past events since (see [`Maintenance`](crate::Maintenance)), these may belong to the view
    /// now, and it is made again from the start.
    pub fn catch_up(&mut self, store: &(impl EventStore + ?Sized)) -> Result<&P, StoreError> {
        let mut events = loop {
            let tag_epoch = store.tag_epoch();
            if self.tag_epoch != tag_epoch {
                let origin = self.origin.clone();
                *self = Self { view: origin.clone(), origin, position: 0, tag_epoch };
            }
            let from = ReadOptions::from(self.position + 1);
            let events = store.read(&self.view.query(), from)?;
            // With the read it comes to light that others have added tags.
            if store.tag_epoch() == tag_epoch {
                break events;
            }
        };
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
    use crate::{Event, Maintenance, MemoryStore, Tag};

    #[derive(Clone, Default)]
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

    #[derive(Clone, Default)]
    struct AboutAnn(Vec<u64>);

    impl Projection for AboutAnn {
        fn query(&self) -> Query {
            Query::tagged(["Sold"], &"customer:ann".parse().unwrap())
        }

        fn apply(&mut self, event: &EventRef<'_>) {
            self.0.push(event.position);
        }
    }

    #[test]
    fn a_followed_view_also_has_past_events_that_got_its_tag_since() {
        let store = MemoryStore::new();
        let (anonymous, anns) = (Event::builder("Sold"), Event::builder("Sold"));
        let anns = anns.tag("customer", "ann").build().unwrap();
        store.append(&[anonymous.build().unwrap(), anns], None).unwrap();
        let mut about_ann = Followed::new(AboutAnn::default());
        assert_eq!(about_ann.catch_up(&store).unwrap().0, [2]);
        let ann: Tag = "customer:ann".parse().unwrap();
        store.add_tags("Sold", &mut |_| vec![ann.clone()]).unwrap();
        assert_eq!(about_ann.catch_up(&store).unwrap().0, [1, 2]);
    }
}
