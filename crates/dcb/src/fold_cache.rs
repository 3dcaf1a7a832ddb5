//! The fold cache: what decisions have folded, kept so that the next reads only what is new.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::mem::size_of;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Query;

/// What a part of a decision model has folded, without its type.
pub(crate) type AnyState = Arc<dyn Any + Send + Sync>;

/// A part's state, and the position up to which it has seen history.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    pub(crate) head: u64,
    pub(crate) state: AnyState,
}

/// What makes two folds the same fold: whatever differs here is never mixed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoldKey {
    pub(crate) name: FoldName,
    pub(crate) query: Query,
    pub(crate) last_only: bool,
    pub(crate) state_type: TypeId,
    /// Tags that were added to history change what a query finds in it.
    pub(crate) tag_epoch: u64,
}

/// By name and parameters only: they nearly always tell folds apart, and a query is long.
impl Hash for FoldKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// What a projection says about its fold, besides its query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FoldName {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    pub(crate) parameters: String,
}

/// What the decisions on one store have folded, kept in memory.
///
/// With it a decision reads only what was appended since it, or another with the same question, was
/// last asked: the hundred-thousandth sale of a product costs what the first did. Only projections
/// that are [named](crate::DecisionProjection::named) are kept. Threads share it.
///
/// It belongs to one opened store, which hands it out as [`EventStore::folds`](crate::EventStore::folds)
/// and clears it whenever what was read from it may no longer be what it holds.
///
/// Its size is bounded: when it has grown too large, the half that was not used for longest goes. A
/// state counts with its own size, not with what it points to, so a named projection's state must
/// not grow with history.
#[derive(Debug)]
pub struct FoldCache {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<FoldKey, Entry>,
    bytes: usize,
    /// Counts uses, to tell which entry was used last.
    uses: u64,
    /// How often it was cleared.
    generation: u64,
}

#[derive(Debug)]
struct Entry {
    fold: Fold,
    bytes: usize,
    used: u64,
}

impl Default for FoldCache {
    /// At most 16 MiB: some 40,000 folds.
    fn default() -> Self {
        Self::new(16 * 1024 * 1024)
    }
}

impl FoldCache {
    /// An empty cache of at most about so many bytes; with 0 it keeps nothing.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: Mutex::default() }
    }

    /// Forgets everything, also what decisions under way are about to keep. A store calls it when
    /// it was recovered, restored or poisoned.
    pub fn clear(&self) {
        let mut kept = self.kept();
        *kept = Kept { generation: kept.generation + 1, ..Kept::default() };
    }

    /// What a decision does with the cache, from before it reads history.
    pub(crate) fn visit(&self) -> Visit<'_> {
        Visit { cache: self, generation: self.kept().generation }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here can panic half-way, and nothing of others runs under the lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A decision's dealings with the cache.
pub(crate) struct Visit<'c> {
    cache: &'c FoldCache,
    /// That of the cache when the visit began.
    generation: u64,
}

impl Visit<'_> {
    pub(crate) fn recall(&self, key: &FoldKey) -> Option<Fold> {
        let mut kept = self.cache.kept();
        kept.uses += 1;
        let now = kept.uses;
        let entry = kept.entries.get_mut(key)?;
        entry.used = now;
        Some(entry.fold.clone())
    }

    /// Keeps a fold, unless the cache was cleared meanwhile or has one that saw more.
    pub(crate) fn keep(&self, key: FoldKey, fold: Fold) {
        let mut kept = self.cache.kept();
        let is_old = |known: &Entry| known.fold.head >= fold.head;
        if kept.generation != self.generation || kept.entries.get(&key).is_some_and(is_old) {
            return;
        }
        kept.uses += 1;
        let bytes = key.bytes() + size_of::<Entry>() + size_of_val(&*fold.state);
        let entry = Entry { fold, bytes, used: kept.uses };
        kept.bytes += bytes;
        if let Some(replaced) = kept.entries.insert(key, entry) {
            kept.bytes -= replaced.bytes;
        }
        while kept.bytes > self.cache.bytes_max {
            kept.drop_older_half();
        }
    }
}

impl Kept {
    /// Many go at once, so that looking for the oldest costs each decision next to nothing.
    fn drop_older_half(&mut self) {
        let mut used: Vec<u64> = self.entries.values().map(|entry| entry.used).collect();
        let middle = used.len() / 2;
        let (_, &mut median, _) = used.select_nth_unstable(middle);
        self.entries.retain(|_, entry| entry.used > median);
        self.bytes = self.entries.values().map(|entry| entry.bytes).sum();
    }
}

impl FoldKey {
    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        let items = self.query.items().unwrap_or_default();
        let texts = items.iter().flat_map(|item| {
            let tags = item.tags().iter().map(|tag| tag.as_str().len());
            item.types().iter().map(String::len).chain(tags).map(|len| len + size_of::<String>())
        });
        size_of::<Self>() + self.name.parameters.len() + texts.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parameters: usize) -> FoldKey {
        FoldKey {
            name: FoldName { name: "count", version: 1, parameters: parameters.to_string() },
            query: Query::all(),
            last_only: false,
            state_type: TypeId::of::<u64>(),
            tag_epoch: 0,
        }
    }

    fn fold(head: u64) -> Fold {
        Fold { head, state: Arc::new(head) }
    }

    #[test]
    fn it_never_outgrows_its_bound_and_keeps_what_is_used() {
        let cache = FoldCache::new(20_000);
        let visit = cache.visit();
        visit.keep(key(0), fold(1));
        for n in 1..10_000 {
            visit.keep(key(n), fold(1));
            assert!(cache.kept().bytes <= 20_000);
            assert!(visit.recall(&key(0)).is_some(), "the one in use was dropped at {n}");
        }
        assert!(visit.recall(&key(9_999)).is_some() && visit.recall(&key(1)).is_none());
        let kept = cache.kept();
        assert_eq!(kept.bytes, kept.entries.values().map(|entry| entry.bytes).sum::<usize>());
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let cache = FoldCache::new(0);
        cache.visit().keep(key(0), fold(1));
        assert!(cache.visit().recall(&key(0)).is_none());
    }

    #[test]
    fn who_saw_less_replaces_nothing() {
        let cache = FoldCache::default();
        cache.visit().keep(key(0), fold(7));
        cache.visit().keep(key(0), fold(5));
        assert_eq!(cache.visit().recall(&key(0)).unwrap().head, 7);
    }

    #[test]
    fn what_was_read_before_it_was_cleared_is_not_kept() {
        let cache = FoldCache::default();
        let visit = cache.visit();
        cache.clear();
        visit.keep(key(0), fold(7));
        assert!(cache.visit().recall(&key(0)).is_none());
        cache.visit().keep(key(0), fold(7));
        assert!(cache.visit().recall(&key(0)).is_some());
    }
}
