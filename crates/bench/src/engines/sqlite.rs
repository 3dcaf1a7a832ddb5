//! SQLite in WAL mode with `synchronous = FULL`: a table of events, an index by type, and a table of
//! tags clustered by tag that repeats the type, so that type and tag are answered without the event.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::engine::{Condition, Criteria, Draft, Engine, Extent, Result, Tally};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA cache_size = -65536;
    PRAGMA mmap_size = 2147418112;
    CREATE TABLE IF NOT EXISTS event (
        position INTEGER PRIMARY KEY, type TEXT NOT NULL, tags TEXT NOT NULL, data TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS event_type ON event (type);
    CREATE TABLE IF NOT EXISTS tag (
        tag TEXT NOT NULL, position INTEGER NOT NULL, type TEXT NOT NULL,
        PRIMARY KEY (tag, position)) WITHOUT ROWID;";

/// One connection for everything. A second one for reads would not wait for commits, but would drop
/// its cache and its mapping after each of them, which here costs far more than it gains.
struct Sqlite(Mutex<Connection>);

pub(crate) fn open(dir: &Path) -> Result<Box<dyn Engine>> {
    std::fs::create_dir_all(dir)?;
    let connection = Connection::open(dir.join("events.sqlite"))?;
    connection.execute_batch(SCHEMA)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(Box::new(Sqlite(Mutex::new(connection))))
}

impl Engine for Sqlite {
    fn append(&self, drafts: &[Draft], condition: Option<Condition<'_>>) -> Result<u64> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(Condition { fail_if, after }) = condition {
            let (from, bound) = source(fail_if);
            let sql = format!("SELECT position FROM {from} AND position > ?3 LIMIT 1");
            let conflict: Option<i64> = transaction
                .prepare_cached(&sql)?
                .query_row((bound.0, bound.1, after.cast_signed()), |row| row.get(0))
                .optional()?;
            if let Some(conflict) = conflict {
                return Err(format!("the condition failed at position {conflict}").into());
            }
        }
        let mut position = 0;
        {
            let mut insert_event = transaction
                .prepare_cached("INSERT INTO event (type, tags, data) VALUES (?1, ?2, ?3)")?;
            let mut insert_tag = transaction
                .prepare_cached("INSERT INTO tag (tag, position, type) VALUES (?1, ?2, ?3)")?;
            for Draft { event_type, tags, data } in drafts {
                position = insert_event.insert((event_type, tags.join("\n"), data))?;
                for tag in tags {
                    insert_tag.execute((tag, position, event_type))?;
                }
            }
        }
        transaction.commit()?;
        Ok(position.cast_unsigned())
    }

    fn read(&self, criteria: Criteria<'_>, extent: Extent, tally: &mut Tally) -> Result<u64> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One transaction, so that the head and the events are of one moment.
        let transaction = connection.transaction()?;
        let head: Option<i64> = transaction
            .prepare_cached("SELECT max(position) FROM event")?
            .query_row([], |row| row.get(0))?;
        let (from, bound) = source(criteria);
        let order = match extent {
            Extent::Every => "position",
            Extent::Last => "position DESC LIMIT 1",
        };
        let sql = match criteria {
            Criteria::All | Criteria::Type(_) => {
                format!("SELECT position, type, tags, data FROM {from} ORDER BY {order}")
            }
            Criteria::Tag(_) | Criteria::TypeAndTag(..) => format!(
                "SELECT position, event.type, tags, data FROM (
                    SELECT position FROM {from} ORDER BY {order}
                 ) CROSS JOIN event USING (position)"
            ),
        };
        let mut statement = transaction.prepare_cached(&sql)?;
        let mut rows = statement.query((bound.0, bound.1))?;
        while let Some(row) = rows.next()? {
            let position: i64 = row.get(0)?;
            let event_type = row.get_ref(1)?.as_str()?;
            let tags = row.get_ref(2)?.as_str()?.split('\n');
            tally.add(position.cast_unsigned(), event_type, tags, row.get_ref(3)?.as_bytes()?);
        }
        Ok(head.unwrap_or_default().cast_unsigned())
    }
}

/// The table and the filter that answer some criteria, and the filter's two values (`?1` and `?2`).
fn source<'a>(criteria: Criteria<'a>) -> (&'static str, (Option<&'a str>, Option<&'a str>)) {
    let parts = criteria.parts();
    let filter = match parts {
        (None, None) => "event WHERE ?1 IS NULL AND ?2 IS NULL",
        (Some(_), None) => "event WHERE type = ?1 AND ?2 IS NULL",
        (None, Some(_)) => "tag WHERE tag = ?2 AND ?1 IS NULL",
        (Some(_), Some(_)) => "tag WHERE tag = ?2 AND type = ?1",
    };
    (filter, parts)
}
