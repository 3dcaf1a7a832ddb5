//! UmaDB's storage engine under the writer thread that UmaDB's server runs it with: it commits
//! together what waits. Mapped reads and a page cache are off by default and nearly three times as
//! fast. It has no index of types.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};
use umadb_core::db::UmaDb;
use umadb_core::mvcc::{Mvcc, StorageOptions};
use umadb_core::pager::ReadMethod;
use umadb_core::writer_thread_blocking::writer_thread_blocking;
use umadb_core::writer_thread_request::WriterThreadRequest;
use umadb_dcb::{
    DcbAppendCondition, DcbEvent, DcbEventStoreSync, DcbQuery, DcbQueryItem, DcbSequencedEvent,
};

use crate::engine::{Condition, Criteria, Draft, Engine, Extent, Result, Tally};

/// A read collects its events before it yields the first; reading everything goes in pages.
const PAGE: u32 = 1000;

const CACHE_MB: usize = 256;

/// How many requests may wait, and how many events the writer takes into one commit.
const QUEUE: usize = 10_000;
const COMMIT_EVENTS: usize = 10_000;

struct Uma {
    store: UmaDb,
    requests: mpsc::Sender<WriterThreadRequest>,
    writer: Option<JoinHandle<()>>,
}

pub(crate) fn open(dir: &Path) -> Result<Box<dyn Engine>> {
    std::fs::create_dir_all(dir)?;
    let options = StorageOptions::default().read_method(ReadMethod::Mmap);
    let options = options.page_cache_max_mb(CACHE_MB);
    let mvcc = Arc::new(Mvcc::new(false, options.db_path(dir))?);
    let store = UmaDb::from_arc(Arc::clone(&mvcc));
    let (requests, waiting) = mpsc::channel(QUEUE);
    let (head, _) = watch::channel(store.head()?);
    let writer = std::thread::Builder::new()
        .name("umadb-writer".into())
        .spawn(move || writer_thread_blocking(mvcc, waiting, head, COMMIT_EVENTS))?;
    Ok(Box::new(Uma { store, requests, writer: Some(writer) }))
}

impl Drop for Uma {
    fn drop(&mut self) {
        let told = self.requests.blocking_send(WriterThreadRequest::Shutdown);
        if let (Ok(()), Some(writer)) = (told, self.writer.take()) {
            // Its panic, if it had one, has been printed.
            let _ = writer.join();
        }
    }
}

impl Engine for Uma {
    fn append(&self, drafts: &[Draft], condition: Option<Condition<'_>>) -> Result<u64> {
        let condition = condition.map(|Condition { fail_if, after }| DcbAppendCondition {
            fail_if_events_match: query(fail_if),
            after: (after > 0).then_some(after),
        });
        let (response_tx, response) = oneshot::channel();
        let request = WriterThreadRequest::Append {
            events: drafts.iter().map(event).collect(),
            condition,
            tracking_info: None,
            response_tx,
            cancel: None,
        };
        self.requests.blocking_send(request).map_err(|_| "the writer has ended")?;
        Ok(response.blocking_recv()??)
    }

    fn read(&self, criteria: Criteria<'_>, extent: Extent, tally: &mut Tally) -> Result<u64> {
        let mut add = |event: &DcbSequencedEvent| {
            let DcbSequencedEvent { position, event, .. } = event;
            let tags = event.tags.iter().map(String::as_str);
            tally.add(*position, &event.event_type, tags, &event.data);
        };
        let head = self.store.head()?.unwrap_or_default();
        match (criteria, extent) {
            (Criteria::All, Extent::Every) => {
                let mut from = 1;
                while from <= head {
                    let mut page = self.store.read(None, Some(from), false, Some(PAGE))?;
                    let events = page.next_batch()?;
                    let Some(last) = events.last() else { break };
                    from = last.position + 1;
                    events.iter().for_each(&mut add);
                }
            }
            (_, Extent::Every) => {
                let mut found = self.store.read(Some(query(criteria)), None, false, None)?;
                found.next_batch()?.iter().for_each(&mut add);
            }
            (_, Extent::Last) => {
                let mut found = self.store.read(Some(query(criteria)), None, true, Some(1))?;
                found.next_batch()?.iter().for_each(&mut add);
            }
        }
        Ok(head)
    }
}

fn event(draft: &Draft) -> DcbEvent {
    DcbEvent {
        event_type: draft.event_type.into(),
        tags: draft.tags.to_vec(),
        data: draft.data.as_bytes().to_vec(),
        ..DcbEvent::default()
    }
}

fn query(criteria: Criteria<'_>) -> DcbQuery {
    let (event_type, tag) = criteria.parts();
    if event_type.is_none() && tag.is_none() {
        return DcbQuery::new();
    }
    DcbQuery::new().item(DcbQueryItem::new().types(event_type).tags(tag))
}
