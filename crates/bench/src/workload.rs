//! The rows of the benchmark: what each does to a store, and how it is timed.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::corpus::{self, Corpus, RARE_TYPE};
use crate::engine::{Condition, Criteria, Draft, Engine, Extent, Result, Tally};
use crate::floor::{Floor, RECORD_BYTES};

/// One figure of the report.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) work: Work,
    pub(crate) better: Better,
    /// What ours has to reach, besides being no more than 5 % behind any peer; `None` if the row
    /// is there for information only.
    pub(crate) bar: Option<Bar>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Lower,
    Higher,
}

#[derive(Clone, Copy)]
pub(crate) enum Bar {
    /// So many times the floor's figure.
    OfFloor(f64),
    Absolute(f64),
    /// The peers alone.
    Peers,
}

#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// One event, one thread.
    Append(Decision),
    /// So many threads, each with a tag of its own, on the condition that nothing came since.
    Conditional {
        threads: usize,
    },
    /// Commits of so many events, one thread.
    Batch {
        events: usize,
    },
    Read(Selection, Extent),
    /// Opening the closed store in a fresh process.
    Open,
    /// Memory that opening takes.
    Memory,
    /// Disk space for each event.
    Space,
}

/// What an append depends on.
#[derive(Clone, Copy)]
pub(crate) enum Decision {
    Nothing,
    /// No event with this tag after the last one seen.
    Unchanged,
    /// No event with a tag that is new.
    Unique,
    /// As `Unchanged`, after reading the 100 events that have the tag.
    ReadFirst,
}

/// Which events are read; the entity is another one each time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Selection {
    All,
    Entity,
    TypeOfEntity,
    RareType,
}

pub(crate) const ROWS: [Row; 16] = {
    use Bar::{Absolute, OfFloor, Peers};
    use Better::{Higher, Lower};
    use Selection::{All, Entity, RareType, TypeOfEntity};
    use Work::{Append, Batch, Conditional, Memory, Open, Read, Space};

    const fn row(name: &'static str, work: Work, better: Better, bar: Option<Bar>) -> Row {
        Row { name, work, better, bar }
    }
    let append_1 = Append(Decision::Nothing);
    let append_cond = Append(Decision::Unchanged);
    let append_unique = Append(Decision::Unique);
    let read_decide = Append(Decision::ReadFirst);
    let rare = Read(RareType, Extent::Every);
    [
        row("append_1_us", append_1, Lower, Some(OfFloor(1.2))),
        row("append_cond_us", append_cond, Lower, Some(OfFloor(1.25))),
        row("append_unique_us", append_unique, Lower, Some(OfFloor(1.25))),
        row("read100_decide_append_us", read_decide, Lower, Some(OfFloor(1.4))),
        row("cond_8_per_s", Conditional { threads: 8 }, Higher, Some(Peers)),
        row("cond_64_per_s", Conditional { threads: 64 }, Higher, Some(OfFloor(0.8))),
        row("batch_100_per_s", Batch { events: 100 }, Higher, Some(OfFloor(0.45))),
        row("tag_100_us", Read(Entity, Extent::Every), Lower, Some(Absolute(30.0))),
        row("type_tag_100_us", Read(TypeOfEntity, Extent::Every), Lower, Some(Absolute(15.0))),
        row("last_of_tag_us", Read(Entity, Extent::Last), Lower, Some(Absolute(2.0))),
        row("last_of_rare_type_us", Read(RareType, Extent::Last), Lower, Some(Absolute(2.0))),
        row("rare_type_100_us", rare, Lower, Some(Absolute(30.0))),
        row("read_all_per_s", Read(All, Extent::Every), Higher, Some(Absolute(12e6))),
        row("open_ms", Open, Lower, Some(Absolute(5.0))),
        row("rss_after_open_mb", Memory, Lower, Some(Absolute(20.0))),
        row("bytes_per_event", Space, Lower, None),
    ]
};

/// How long one engine works at one row in one round; at least one operation is done.
#[derive(Clone, Copy)]
pub(crate) struct Slices {
    pub(crate) latency: Duration,
    pub(crate) throughput: Duration,
}

/// Counts up over the whole run, so that no tag that is meant to be new was ever used before.
static FRESH: AtomicU64 = AtomicU64::new(0);

fn fresh() -> u64 {
    FRESH.fetch_add(1, Ordering::Relaxed)
}

/// The row's figure for the bare disk, where it has one.
pub(crate) fn measure_floor(work: Work, floor: &Floor, slices: Slices) -> Result<Option<f64>> {
    let record = [b'x'; RECORD_BYTES];
    Ok(match work {
        Work::Append(_) => {
            Some(latency_us(slices.latency, || (), |()| floor.write(black_box(&record)))?)
        }
        Work::Conditional { threads } => Some(throughput(slices.throughput, threads, |_| {
            move || floor.write(black_box(&record)).map(|()| 1)
        })?),
        Work::Batch { events } => {
            let batch = vec![b'x'; events * RECORD_BYTES];
            let events = events as u64;
            Some(throughput(slices.throughput, 1, |_| {
                let batch = &batch;
                move || floor.write(black_box(batch)).map(|()| events)
            })?)
        }
        Work::Read(..) | Work::Open | Work::Memory | Work::Space => None,
    })
}

/// The row's figure for an open store. `Open`, `Memory` and `Space` are about a closed one, and
/// have none here.
pub(crate) fn measure(
    work: Work,
    engine: &dyn Engine,
    corpus: Corpus,
    slices: Slices,
) -> Result<Option<f64>> {
    Ok(match work {
        Work::Append(decision) => Some(append(decision, engine, corpus, slices.latency)?),
        Work::Conditional { threads } => Some(throughput(slices.throughput, threads, |_| {
            let draft = fresh_draft();
            let mut after = 0;
            move || {
                let [tag, _] = &draft.tags;
                let condition = Condition { fail_if: Criteria::Tag(tag), after };
                after = engine.append(std::slice::from_ref(&draft), Some(condition))?;
                Ok(1)
            }
        })?),
        Work::Batch { events } => {
            let batch: Vec<Draft> = (0..events).map(|_| known_draft()).collect();
            Some(throughput(slices.throughput, 1, |_| {
                let batch = &batch;
                move || engine.append(batch, None).map(|_| batch.len() as u64)
            })?)
        }
        Work::Read(Selection::All, extent) => {
            Some(throughput(slices.throughput, 1, |_| move || read(engine, Criteria::All, extent))?)
        }
        Work::Read(selection, extent) => {
            let prepare = || Wanted::of(selection, corpus, Turn::Readers);
            let read = |wanted: Wanted| read(engine, wanted.criteria(), extent);
            Some(latency_us(slices.latency, prepare, read)?)
        }
        Work::Open | Work::Memory | Work::Space => None,
    })
}

/// What every read of the benchmark must yield on a freshly filled store.
pub(crate) struct Expected {
    events: u64,
    reads: Vec<(Wanted, Extent, Tally)>,
}

impl Expected {
    pub(crate) fn of(corpus: Corpus) -> Self {
        use Selection::{All, Entity, RareType, TypeOfEntity};
        let mut reads: Vec<_> = [All, Entity, TypeOfEntity, RareType]
            .into_iter()
            .flat_map(|selection| [(selection, Extent::Every), (selection, Extent::Last)])
            .map(|(selection, extent)| {
                (Wanted::of(selection, corpus, Turn::Readers), extent, Tally::default())
            })
            .collect();
        for (draft, position) in corpus.drafts().zip(1..) {
            for (wanted, extent, tally) in &mut reads {
                if wanted.criteria().matches(&draft) {
                    if *extent == Extent::Last {
                        *tally = Tally::default();
                    }
                    let tags = draft.tags.iter().map(String::as_str);
                    tally.add(position, draft.event_type, tags, draft.data.as_bytes());
                }
            }
        }
        Self { events: corpus.events, reads }
    }

    /// The error tells the first read that yields anything else, or the condition that let an event
    /// pass.
    pub(crate) fn check(&self, engine: &dyn Engine) -> Result<()> {
        for (wanted, extent, expected) in &self.reads {
            let mut read = Tally::default();
            let head = engine.read(wanted.criteria(), *extent, &mut read)?;
            if read != *expected || head != self.events {
                let (selection, events) = (wanted.selection, self.events);
                return Err(format!(
                    "a read of {selection:?} ({extent:?}) yielded {read:?} at head {head}, \
                     not {expected:?} at head {events}"
                )
                .into());
            }
            let broken = Condition { fail_if: wanted.criteria(), after: 0 };
            if engine.append(&[fresh_draft()], Some(broken)).is_ok() {
                return Err(
                    format!("a condition on {:?} let an event pass", wanted.selection).into()
                );
            }
        }
        Ok(())
    }
}

fn append(decision: Decision, engine: &dyn Engine, corpus: Corpus, slice: Duration) -> Result<f64> {
    let one = std::slice::from_ref::<Draft>;
    match decision {
        Decision::Nothing => {
            latency_us(slice, known_draft, |draft| engine.append(one(&draft), None).map(drop))
        }
        Decision::Unchanged => {
            let mut last = engine.read(Criteria::All, Extent::Last, &mut Tally::default())?;
            latency_us(slice, known_draft, |draft| {
                let [tag, _] = &draft.tags;
                let condition = Condition { fail_if: Criteria::Tag(tag), after: last };
                last = engine.append(one(&draft), Some(condition))?;
                Ok(())
            })
        }
        Decision::Unique => latency_us(slice, fresh_draft, |draft| {
            let [tag, _] = &draft.tags;
            let condition = Condition { fail_if: Criteria::Tag(tag), after: 0 };
            engine.append(one(&draft), Some(condition)).map(drop)
        }),
        Decision::ReadFirst => latency_us(
            slice,
            || {
                let wanted = Wanted::of(Selection::Entity, corpus, Turn::Writers);
                let mut draft = fresh_draft();
                draft.tags[0].clone_from(&wanted.tag);
                (wanted, draft)
            },
            |(wanted, draft)| {
                let mut tally = Tally::default();
                let after = engine.read(wanted.criteria(), Extent::Every, &mut tally)?;
                black_box(tally);
                let condition = Condition { fail_if: wanted.criteria(), after };
                engine.append(one(&draft), Some(condition)).map(drop)
            },
        ),
    }
}

fn read(engine: &dyn Engine, criteria: Criteria<'_>, extent: Extent) -> Result<u64> {
    let mut tally = Tally::default();
    engine.read(criteria, extent, &mut tally)?;
    let tally = black_box(tally);
    if tally.events == 0 {
        return Err("a read found nothing".into());
    }
    Ok(tally.events)
}

/// An event whose tag about a thousandth of all appended events have.
fn known_draft() -> Draft {
    new_draft(fresh() % 1000)
}

/// An event whose tag no other event has.
fn fresh_draft() -> Draft {
    new_draft(1000 + fresh())
}

/// An event of an entity that the corpus does not have.
fn new_draft(number: u64) -> Draft {
    let (entity, other) = (format!("product:new-{number}"), format!("till:{}", number % 50));
    corpus::draft(corpus::common_type(number), entity, other, number)
}

/// Whose entity it is: what is read in one row must not grow by the appends of another.
#[derive(Clone, Copy)]
enum Turn {
    Readers = 0,
    Writers = 1,
}

struct Wanted {
    selection: Selection,
    event_type: &'static str,
    tag: String,
}

impl Wanted {
    fn of(selection: Selection, corpus: Corpus, turn: Turn) -> Self {
        let entity = fastrand::u64(0..corpus.entities() / 2) * 2 + turn as u64;
        let event_type = match selection {
            Selection::RareType => RARE_TYPE,
            Selection::All | Selection::Entity | Selection::TypeOfEntity => {
                corpus::common_type(entity)
            }
        };
        Self { selection, event_type, tag: corpus::entity_tag(entity) }
    }

    fn criteria(&self) -> Criteria<'_> {
        match self.selection {
            Selection::All => Criteria::All,
            Selection::Entity => Criteria::Tag(&self.tag),
            Selection::TypeOfEntity => Criteria::TypeAndTag(self.event_type, &self.tag),
            Selection::RareType => Criteria::Type(self.event_type),
        }
    }
}

/// The median time of one operation, in microseconds; what prepares it is not timed.
fn latency_us<T, R>(
    slice: Duration,
    mut prepare: impl FnMut() -> T,
    mut operation: impl FnMut(T) -> Result<R>,
) -> Result<f64> {
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || begin.elapsed() < slice {
        let prepared = prepare();
        let start = Instant::now();
        operation(prepared)?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(&mut times))
}

/// Events per second over all threads. Each operation returns how many events it was about.
fn throughput<O: FnMut() -> Result<u64>>(
    slice: Duration,
    threads: usize,
    worker: impl Fn(usize) -> O + Sync,
) -> Result<f64> {
    let barrier = Barrier::new(threads);
    let work = |thread: usize| -> Result<(u64, Instant, Instant)> {
        let mut operation = worker(thread);
        barrier.wait();
        let begin = Instant::now();
        let mut events = 0;
        while events == 0 || begin.elapsed() < slice {
            events += operation()?;
        }
        Ok((events, begin, Instant::now()))
    };
    let outcomes: Vec<Result<(u64, Instant, Instant)>> = std::thread::scope(|scope| {
        let spawn = |thread| scope.spawn(move || work(thread));
        let handles: Vec<_> = (0..threads).map(spawn).collect();
        let join = |handle: std::thread::ScopedJoinHandle<'_, _>| {
            handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        handles.into_iter().map(join).collect()
    });
    let outcomes = outcomes.into_iter().collect::<Result<Vec<_>>>()?;
    let events: u64 = outcomes.iter().map(|(events, ..)| events).sum();
    let begin = outcomes.iter().map(|(_, begin, _)| *begin).min();
    let end = outcomes.iter().map(|(.., end)| *end).max();
    let (Some(begin), Some(end)) = (begin, end) else { return Err("no thread worked".into()) };
    Ok(events as f64 / (end - begin).as_secs_f64())
}

/// The middle of the values; of an even number of them, the lower of the two. 0 if there are none.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}
