//! A side-by-side benchmark: `dcb-file`, the stores one could have taken instead, and the bare disk.
//!
//! ```text
//! cargo run --release -p bench -- --quick          about 45 s, 200,000 events
//! cargo run --release -p bench                     also 1 and 10 million events; takes long
//! cargo run --release -p bench -- --quick --only tag_100_us,append_1_us --engines ours,floor
//! ```
//!
//! `docs/benchmarks.md` tells how it measures and what is held fair. It runs on Unix.
//!
//! # How to read it
//!
//! Only ratios taken in one run count: the disk of a shared machine is twice as fast in the next
//! minute. `_us` is the median time of an operation in microseconds, `_per_s` events per second over
//! a whole slice of time, pauses included; each figure is the median over the rounds, and `×` is the
//! ratio to the floor. A bar is met when ours is within it and at most 5 % behind the best peer.
//!
//! | row | what is done |
//! |---|---|
//! | `append_1_us` | one event |
//! | `append_cond_us` | one event, if nothing with its tag came since the head |
//! | `append_unique_us` | one event, if nothing has its tag, which is new |
//! | `read100_decide_append_us` | read the 100 events of a tag, append one if that still holds |
//! | `cond_8_per_s`, `cond_64_per_s` | so many threads, each as `append_cond_us` |
//! | `batch_100_per_s` | commits of 100 events |
//! | `tag_100_us` | the 100 events of a tag, spread over the whole store |
//! | `type_tag_100_us` | those of one type among the 100 events of a tag: about 20 |
//! | `last_of_tag_us`, `last_of_rare_type_us` | the newest event of a tag, of a rare type |
//! | `rare_type_100_us` | all events of a type of which the store has 100 |
//! | `read_all_per_s` | every event |
//! | `open_ms`, `rss_after_open_mb` | open after a clean close, in a fresh process, and the memory that takes |
//! | `bytes_per_event` | disk space after a clean close |

mod corpus;
mod engine;
mod engines;
mod floor;
mod report;
mod run;
mod workload;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use rustix::stdio;

use corpus::Corpus;
use engine::{ENGINES, Entry, Result};
use run::{FLOOR, Opened, Plan};
use workload::{ROWS, Row, Slices};

/// Measure the event store beside its peers and the bare disk.
#[derive(Parser)]
#[command(name = "bench", max_term_width = 100)]
struct Arguments {
    /// Stop within 50 s: 200,000 events only
    #[arg(long)]
    quick: bool,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    /// Fill the stores with so many events, instead of the usual sizes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1000..))]
    events: Option<u64>,
    /// Measure these rows only
    #[arg(long, value_name = "ROW", value_delimiter = ',', value_parser = ROWS.map(|row| row.name))]
    only: Vec<String>,
    /// Measure these engines only
    #[arg(long, value_name = "ENGINE", value_delimiter = ',', value_parser = engine_names())]
    engines: Vec<String>,
    /// Make the stores in this folder, on the disk to be measured
    #[arg(long, default_value = "target")]
    dir: PathBuf,
    /// Open the store of this engine in `--dir`, and tell what that took
    #[arg(long, hide = true)]
    open: Option<String>,
}

fn engine_names() -> clap::builder::PossibleValuesParser {
    std::iter::once(FLOOR).chain(ENGINES.iter().map(|entry| entry.name)).collect::<Vec<_>>().into()
}

fn main() -> ExitCode {
    match own_stdout().and_then(|stdout| run(&Arguments::parse(), stdout)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, mut stdout: File) -> Result<()> {
    if let Some(name) = &arguments.open {
        let entry = ENGINES.iter().find(|entry| entry.name == name).ok_or("no such engine")?;
        writeln!(stdout, "{}", Opened::here(entry, &arguments.dir)?)?;
        return Ok(());
    }
    std::fs::create_dir_all(&arguments.dir)?;
    let chosen = |name: &str, among: &[String]| among.is_empty() || among.iter().any(|n| n == name);
    let plan = Plan {
        engines: ENGINES
            .into_iter()
            .filter(|e| chosen(e.name, &arguments.engines))
            .collect::<Vec<Entry>>(),
        floor: chosen(FLOOR, &arguments.engines),
        rows: ROWS
            .into_iter()
            .filter(|row| chosen(row.name, &arguments.only))
            .collect::<Vec<Row>>(),
        slices: match arguments.quick {
            true => {
                Slices { latency: Duration::from_millis(25), throughput: Duration::from_millis(60) }
            }
            false => Slices {
                latency: Duration::from_millis(100),
                throughput: Duration::from_millis(250),
            },
        },
        most_rounds: if arguments.quick { 7 } else { 9 },
        budget: if arguments.quick { Duration::from_secs(45) } else { Duration::MAX },
        dir: arguments.dir.clone(),
    };
    let sizes = match (arguments.events, arguments.quick) {
        (Some(events), _) => vec![events],
        (None, true) => vec![200_000],
        (None, false) => vec![200_000, 1_000_000, 10_000_000],
    };
    let mut runs = Vec::new();
    for events in sizes {
        let figures = plan.run(Corpus { events })?;
        if !arguments.json {
            writeln!(stdout, "{}\n", report::table(&figures))?;
        }
        runs.push(figures);
    }
    match (arguments.json, report::growth(&runs)) {
        (true, _) => writeln!(stdout, "{}", report::json(&runs))?,
        (false, Some(growth)) => writeln!(stdout, "{growth}")?,
        (false, None) => {}
    }
    Ok(())
}

/// Standard output for the report alone: what the engines print themselves (UmaDB greets) goes to
/// standard error from here on.
fn own_stdout() -> Result<File> {
    let stdout = rustix::io::dup(stdio::stdout())?;
    stdio::dup2_stdout(stdio::stderr())?;
    Ok(File::from(stdout))
}
