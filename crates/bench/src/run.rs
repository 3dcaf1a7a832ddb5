//! One run at one size: fill the stores, close and open them, then rounds in which every engine has
//! its turn at every row.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::corpus::Corpus;
use crate::engine::{Draft, Engine, Entry, Result};
use crate::floor::Floor;
use crate::workload::{self, Expected, Row, Slices, Work, median};

/// The column of the bare disk.
pub(crate) const FLOOR: &str = "floor";

/// How many events a commit has while a store is filled.
const FILL_COMMIT: usize = 5000;

/// A store that took longer to open is not opened again.
const SLOW_TO_OPEN: Duration = Duration::from_secs(1);

/// What is to be run.
pub(crate) struct Plan {
    pub(crate) engines: Vec<Entry>,
    pub(crate) floor: bool,
    pub(crate) rows: Vec<Row>,
    pub(crate) slices: Slices,
    pub(crate) most_rounds: usize,
    /// No round is begun that would end later than this after the begin of the run, except the
    /// first.
    pub(crate) budget: Duration,
    /// Where the stores are made, on the disk to be measured.
    pub(crate) dir: PathBuf,
}

/// The figures of one run, each the median of its rounds.
pub(crate) struct Figures {
    pub(crate) events: u64,
    pub(crate) rounds: usize,
    by_cell: BTreeMap<(&'static str, &'static str), f64>,
}

impl Figures {
    /// The figure of a row for an engine or [`FLOOR`]; `None` where there is no such thing.
    pub(crate) fn get(&self, row: &str, engine: &str) -> Option<f64> {
        self.by_cell.get(&(row, engine)).copied()
    }
}

/// Every measurement of every round.
#[derive(Default)]
struct Samples(BTreeMap<(&'static str, &'static str), Vec<f64>>);

impl Samples {
    fn add(&mut self, row: &Row, engine: &'static str, figure: Option<f64>) {
        if let Some(figure) = figure {
            self.0.entry((row.name, engine)).or_default().push(figure);
        }
    }
}

impl Plan {
    /// Runs everything on stores of this size, in a folder that is removed afterwards.
    pub(crate) fn run(&self, corpus: Corpus) -> Result<Figures> {
        let begin = Instant::now();
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(&self.dir)?;
        let path = |name: &str| folder.path().join(name);
        self.fill(corpus, folder.path())?;
        eprintln!("{} events: filled after {:.1?}", corpus.events, begin.elapsed());

        let mut samples = Samples::default();
        self.measure_closed(corpus, folder.path(), &mut samples)?;

        let mut subjects = Vec::new();
        if self.floor {
            subjects.push((FLOOR, Subject::Floor(Floor::new(&path(FLOOR))?)));
        }
        let expected = Expected::of(corpus);
        for Entry { name, open } in &self.engines {
            let engine = open(&path(name))?;
            expected.check(&*engine).map_err(|error| format!("{name}: {error}"))?;
            subjects.push((*name, Subject::Store(engine)));
        }
        eprintln!("{} events: reads checked after {:.1?}", corpus.events, begin.elapsed());

        let mut rounds = 0;
        let mut longest = Duration::ZERO;
        while rounds < self.most_rounds && (rounds == 0 || begin.elapsed() + longest < self.budget)
        {
            let round = Instant::now();
            self.round(rounds, corpus, &subjects, &mut samples)?;
            longest = longest.max(round.elapsed());
            rounds += 1;
        }
        eprintln!("{} events: {rounds} rounds after {:.1?}", corpus.events, begin.elapsed());

        let cell = |(key, mut samples): (_, Vec<f64>)| (key, median(&mut samples));
        let by_cell = samples.0.into_iter().map(cell).collect();
        Ok(Figures { events: corpus.events, rounds, by_cell })
    }

    /// Fills every store, two at a time, and closes them.
    fn fill(&self, corpus: Corpus, folder: &Path) -> Result<()> {
        let next = AtomicUsize::new(0);
        let work = || -> Result<()> {
            while let Some(Entry { name, open }) =
                self.engines.get(next.fetch_add(1, Ordering::Relaxed))
            {
                let begin = Instant::now();
                let engine = open(&folder.join(name))?;
                let mut drafts = corpus.drafts();
                loop {
                    let commit: Vec<Draft> = drafts.by_ref().take(FILL_COMMIT).collect();
                    if commit.is_empty() {
                        break;
                    }
                    engine.append(&commit, None).map_err(|error| format!("{name}: {error}"))?;
                }
                drop(engine);
                eprintln!("{name}: filled in {:.1?}", begin.elapsed());
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(work);
            work()?;
            other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// The rows about a closed store: disk space, and opening it in a fresh process, three times
    /// unless it is slow.
    fn measure_closed(&self, corpus: Corpus, folder: &Path, samples: &mut Samples) -> Result<()> {
        let row = |wanted: fn(&Work) -> bool| self.rows.iter().find(|row| wanted(&row.work));
        if let Some(row) = row(|work| matches!(work, Work::Space)) {
            for Entry { name, .. } in &self.engines {
                let bytes = disk_bytes(&folder.join(name))?;
                samples.add(row, name, Some(bytes as f64 / corpus.events as f64));
            }
        }
        let open = row(|work| matches!(work, Work::Open));
        let memory = row(|work| matches!(work, Work::Memory));
        if open.is_none() && memory.is_none() {
            return Ok(());
        }
        for Entry { name, .. } in &self.engines {
            let begin = Instant::now();
            for turn in 0..3 {
                if turn > 0 && begin.elapsed() > SLOW_TO_OPEN {
                    break;
                }
                let opened = Opened::in_child(name, &folder.join(name))?;
                if let Some(row) = open {
                    samples.add(row, name, Some(opened.ms));
                }
                if let Some(row) = memory {
                    samples.add(row, name, opened.rss_mb);
                }
            }
        }
        Ok(())
    }

    /// One turn for each at every row; who begins changes from round to round.
    fn round(
        &self,
        number: usize,
        corpus: Corpus,
        subjects: &[(&'static str, Subject)],
        samples: &mut Samples,
    ) -> Result<()> {
        let (late, early) = subjects.split_at(number % subjects.len().max(1));
        for row in &self.rows {
            for (name, subject) in early.iter().chain(late) {
                let figure = match subject {
                    Subject::Floor(floor) => workload::measure_floor(row.work, floor, self.slices),
                    Subject::Store(engine) => {
                        workload::measure(row.work, &**engine, corpus, self.slices)
                    }
                };
                let figure = figure.map_err(|error| format!("{name}, {}: {error}", row.name))?;
                samples.add(row, name, figure);
            }
        }
        Ok(())
    }
}

/// What is measured.
enum Subject {
    Floor(Floor),
    Store(Box<dyn Engine>),
}

/// What opening a store took in a process that had done nothing else.
pub(crate) struct Opened {
    ms: f64,
    /// How much the resident memory grew; `None` where the system does not tell.
    rss_mb: Option<f64>,
}

impl Opened {
    /// Opens a store in this very process and tells what it took, as the line that
    /// [`Opened::in_child`] reads.
    pub(crate) fn here(entry: &Entry, dir: &Path) -> Result<String> {
        let before = resident_mb();
        let begin = Instant::now();
        let engine = (entry.open)(dir)?;
        let ms = begin.elapsed().as_secs_f64() * 1e3;
        let rss_mb = resident_mb().zip(before).map(|(after, before)| after - before);
        drop(engine);
        Ok(json!({ "ms": ms, "rss_mb": rss_mb }).to_string())
    }

    fn in_child(name: &str, dir: &Path) -> Result<Self> {
        let output = Command::new(std::env::current_exe()?)
            .args(["--open", name])
            .arg("--dir")
            .arg(dir)
            .output()?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("{name} could not be opened again: {reason}").into());
        }
        let told: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let ms = told.get("ms").and_then(serde_json::Value::as_f64);
        let rss_mb = told.get("rss_mb").and_then(serde_json::Value::as_f64);
        Ok(Self { ms: ms.ok_or("no time was told")?, rss_mb })
    }
}

/// The resident memory of this process, where `/proc` tells it.
fn resident_mb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

/// The disk space that the files in a folder take, at any depth.
fn disk_bytes(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += match metadata.is_dir() {
            true => disk_bytes(&entry.path())?,
            false => allocated(&metadata),
        };
    }
    Ok(bytes)
}

#[cfg(unix)]
fn allocated(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}
