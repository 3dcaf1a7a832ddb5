//! Views that several threads look at while they follow the store.

use std::sync::{Arc, PoisonError, RwLock};

use dcb::{EventRef, EventStore, Followed, Projection, Query, StoreError};

/// A view of history, brought up to date whenever someone looks at it.
#[derive(Default)]
pub(crate) struct View<P> {
    followed: RwLock<Followed<Shared<P>>>,
}

impl<P: Projection + Clone> View<P> {
    /// The view as it is now, to keep without holding a lock: a command may wait for the store
    /// while others go on. Whoever keeps it for long makes the next event copy it; for a short look
    /// there is [`View::look`].
    pub(crate) fn now(&self, store: &dyn EventStore) -> Result<Arc<P>, StoreError> {
        self.caught_up(store, Arc::clone)
    }

    /// Looks at the view as it is now. Others may look too, but what is new waits until all have
    /// done so: look, don't linger.
    pub(crate) fn look<T>(
        &self,
        store: &dyn EventStore,
        look: impl FnOnce(&P) -> T,
    ) -> Result<T, StoreError> {
        self.caught_up(store, |view| look(view))
    }

    fn caught_up<T>(
        &self,
        store: &dyn EventStore,
        look: impl FnOnce(&Arc<P>) -> T,
    ) -> Result<T, StoreError> {
        // A view only takes in whole events, so a panic elsewhere leaves it usable.
        let read = || self.followed.read().unwrap_or_else(PoisonError::into_inner);
        let head = store.head()?;
        let followed = read();
        if followed.position() >= head {
            return Ok(look(&followed.view().0));
        }
        drop(followed);
        self.followed.write().unwrap_or_else(PoisonError::into_inner).catch_up(store)?;
        Ok(look(&read().view().0))
    }
}

/// A projection that is copied only if an event comes while someone still looks at it.
#[derive(Default)]
struct Shared<P>(Arc<P>);

impl<P> Clone for Shared<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: Projection + Clone> Projection for Shared<P> {
    fn query(&self) -> Query {
        self.0.query()
    }

    fn apply(&mut self, event: &EventRef<'_>) {
        Arc::make_mut(&mut self.0).apply(event);
    }
}

#[cfg(test)]
mod tests {
    use dcb::{Event, MemoryStore};

    use super::*;

    #[derive(Clone, Default)]
    struct Positions(Vec<u64>);

    impl Projection for Positions {
        fn query(&self) -> Query {
            Query::all()
        }

        fn apply(&mut self, event: &EventRef<'_>) {
            self.0.push(event.position);
        }
    }

    /// Counts how often it was copied.
    #[derive(Default)]
    struct Copies(usize);

    impl Clone for Copies {
        fn clone(&self) -> Self {
            Self(self.0 + 1)
        }
    }

    impl Projection for Copies {
        fn query(&self) -> Query {
            Query::all()
        }

        fn apply(&mut self, _event: &EventRef<'_>) {}
    }

    #[test]
    fn a_view_is_copied_only_if_an_event_comes_while_somebody_keeps_it() {
        let store = MemoryStore::new();
        let view = View::<Copies>::default();
        let append = || store.append(&[Event::builder("Sold").build().unwrap()], None).unwrap();
        let copies = || view.look(&store, |copies| copies.0).unwrap();
        for _ in 0..3 {
            append();
            assert_eq!(copies(), 0);
        }
        let kept = view.now(&store).unwrap();
        assert_eq!(copies(), 0);
        append();
        assert_eq!((copies(), kept.0), (1, 0));
    }

    #[test]
    fn who_looks_at_a_view_keeps_it_as_it_was() {
        let store = MemoryStore::new();
        let view = View::<Positions>::default();
        let append = || store.append(&[Event::builder("Sold").build().unwrap()], None).unwrap();
        append();
        let before = view.now(&store).unwrap();
        append();
        assert_eq!(view.now(&store).unwrap().0, [1, 2]);
        assert_eq!(before.0, [1]);
    }
}
