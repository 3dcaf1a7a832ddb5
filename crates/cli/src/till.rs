//! `opossum till`: a till of a shop, without a window.

use std::fs::File;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand, value_parser};
use dcb::EventStore;
use pos::BasisPoints;
use serde_json::json;
use till::replay::{Progress, ReplayOptions, replay, replay_till};
use till::{OPERATIONS, Operation, ProductImport, SystemClock, Till};

use crate::Outcome;
use crate::failure::Failure;
use crate::output::{Output, print_json, print_text};
use crate::report::{self, ReportArguments};
use crate::shop::AtShop;
use crate::store::Flush;

#[derive(Args)]
pub(crate) struct TillArguments {
    #[command(flatten)]
    at: AtShop,
    #[command(subcommand)]
    command: TillCommand,
}

#[derive(Subcommand)]
enum TillCommand {
    /// Make the shop a demo shop: catalogue, stock, limits, customers, staff
    Demo,
    /// Take in products from a table
    #[command(subcommand)]
    Import(ImportCommand),
    /// Carry out historic invoices through the real commands
    ///
    /// The file has the columns of the "Online Retail" data set: InvoiceNo, StockCode, Description,
    /// Quantity, InvoiceDate, UnitPrice, CustomerID. Replaying it again adds nothing. The last line
    /// printed is a JSON object that counts what was done and names the records that were left out.
    Replay {
        /// The invoices, as CSV
        file: PathBuf,
        /// Whether each act waits until it is safe from a power cut
        #[arg(long, value_enum, default_value = "on")]
        flush: Flush,
        /// The tax rate of products that are new to the shop, in basis points: 2000 is 20 %
        #[arg(long, value_name = "BP", default_value_t = 0, value_parser = value_parser!(u32).range(0..=10_000))]
        tax_rate: u32,
    },
    /// Print a report
    Report(ReportArguments),
    /// Call any command or query by name
    Call {
        /// Name every command and query with the shape of its JSON
        #[arg(long)]
        list: bool,
        /// Print them as a TypeScript file
        #[arg(long)]
        types: bool,
        /// Its name
        #[arg(required_unless_present_any = ["list", "types"])]
        name: Option<String>,
        /// Its input; a command needs a "requestId", a UUID that is new for each act
        json: Option<String>,
    },
}

#[derive(Subcommand)]
enum ImportCommand {
    /// Add the products of a table: sku, name, price and if known category, cost, tax_rate, barcode
    ///
    /// Products that the shop has already stay as they are.
    Products {
        /// The products, as CSV
        file: PathBuf,
    },
}

pub(crate) fn run(arguments: TillArguments) -> Outcome {
    if let TillCommand::Call { list: true, .. } = arguments.command {
        return list_operations();
    }
    if let TillCommand::Call { types: true, .. } = arguments.command {
        return print_text(&till::typescript());
    }
    if let TillCommand::Report(ReportArguments { list: true, .. }) = arguments.command {
        return report::list();
    }
    match &arguments.command {
        TillCommand::Demo => {
            let till = arguments.at.till(Some(Flush::On))?;
            print_json(&till::demo::demo(&till)?)
        }
        TillCommand::Import(ImportCommand::Products { file }) => {
            let till = arguments.at.till(Some(Flush::On))?;
            import_products(&till, file)
        }
        TillCommand::Replay { file, flush, tax_rate } => {
            let options = ReplayOptions { tax_rate: BasisPoints::new(*tax_rate) };
            let file = open_file(file)?;
            let store = Arc::new(arguments.at.store(Some(*flush))?);
            let till = replay_till(Arc::clone(&store) as _, SystemClock);
            let outcome = replay_invoices(&till, file, options);
            store.sync()?;
            if let (Ok(()), Some(counters)) = (&outcome, store.counters())
                && counters.commits > 0
            {
                eprintln!("opossum: the store wrote {counters}");
            }
            outcome
        }
        TillCommand::Report(report) => report::run(&arguments.at.till(None)?, report),
        TillCommand::Call { name, json, .. } => {
            let name = name.as_deref().unwrap_or_default();
            let operation = Operation::find(name).map_err(|error| Failure::json(&error))?;
            let till = arguments.at.till(None)?;
            let answer = operation.run(&till, json.as_deref().unwrap_or_default());
            print_json(&answer.map_err(|error| Failure::json(&error))?)
        }
    }
}

fn open_file(path: &Path) -> Result<File, Failure> {
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            Err(Failure::bad_input(format!("{} is a folder; name a CSV file", path.display())))
        }
        _ => Ok(file),
    }
}

fn import_products(till: &Till, file: &Path) -> Outcome {
    let import = ProductImport::read(till, open_file(file)?)?;
    import.run(till)?;
    print_json(&json!({
        "lines": import.lines,
        "added": import.products.len(),
        "existing": import.existing,
        "rejected": import.rejected,
    }))
}

fn replay_invoices(till: &Till, file: File, options: ReplayOptions) -> Outcome {
    let show = stderr().is_terminal();
    let mut shown = Instant::now();
    let progress = |Progress { done, total }| {
        if show && (done == total || shown.elapsed() > Duration::from_millis(100)) {
            shown = Instant::now();
            eprint!("\r{done} of {total} invoices");
        }
    };
    let outcome = replay(till, file, options, progress);
    if show {
        eprintln!();
    }
    match outcome {
        Ok(summary) => print_json(&summary),
        Err(interrupted) => {
            print_json(&interrupted.summary)?;
            Err(interrupted.error.into())
        }
    }
}

fn list_operations() -> Outcome {
    let mut output = Output::open();
    for operation in OPERATIONS {
        output.json(&operation.describe())?;
    }
    output.finish()
}
