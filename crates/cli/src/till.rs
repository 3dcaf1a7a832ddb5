//! `opossum till`: a till of a shop, without a window.

use std::fs::File;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand, ValueEnum, value_parser};
use dcb::EventStore;
use pos::{BasisPoints, Command, ConfigureShop};
use serde::Serialize;
use serde_json::json;
use till::replay::{Progress, ReplayOptions, replay, replay_till};
use till::{Access, Description, OPERATIONS, Operation, ProductImport, SystemClock, Till};

use crate::Outcome;
use crate::failure::{Failure, Status};
use crate::output::{Output, print_json, print_text, table};
use crate::report::{self, ReportArguments};
use crate::shop::{AtShop, closed};
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
    /// printed is a JSON object that counts what was done, and says of each record that was left out
    /// which line and why; the exit status is 0 then too.
    Replay {
        /// The invoices, as CSV
        file: PathBuf,
        /// Whether each act waits until it is safe from a power cut
        #[arg(long, value_enum, default_value = "on")]
        flush: Flush,
        /// The tax rate of products that are new to the shop, in basis points: 2000 is 20 %
        #[arg(long, value_name = "BP", default_value_t = 0, value_parser = value_parser!(u32).range(0..=10_000))]
        tax_rate: u32,
        /// Tell on standard error what the store wrote, synced and waited for
        #[arg(long)]
        verbose: bool,
    },
    /// Print a report
    Report(ReportArguments),
    /// Call any command or query by name
    Call {
        /// Name every command and query, or tell what goes into the one that is named and comes out
        #[arg(long)]
        list: bool,
        /// How --list prints: for people, or a line of JSON for each
        #[arg(long, value_enum, default_value = "table", requires = "list")]
        format: ListFormat,
        /// Print the types of all of them as a TypeScript file
        #[arg(long, conflicts_with = "list")]
        types: bool,
        /// Its name
        #[arg(required_unless_present_any = ["list", "types"])]
        name: Option<String>,
        /// Its input; a command needs a "requestId", a UUID that is new for each act
        json: Option<String>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum ListFormat {
    Table,
    Json,
}

#[derive(Subcommand)]
enum ImportCommand {
    /// Add the products of a table
    ///
    /// Its first line names the columns, in any order: sku, name, price, and if wanted category,
    /// cost, tax_rate, barcode. Prices and costs are written in the shop's currency (12.50), tax
    /// rates in percent (20 or 17.5; none is 0); a barcode is a GTIN with its check digit:
    ///
    ///     sku,name,price,category,cost,tax_rate,barcode
    ///     MUG-1,Blue Mug,12.50,Kitchen,4.20,20,4006381333931
    ///     TEA-1,Green Tea,3.20,Grocery,,,
    ///
    /// A column of another name is refused before anything is added. Products that the shop has
    /// already stay as they are. Prints what was added, what was there, and of each record that
    /// cannot be used which line and why; if there is one the exit status is 1, and the others are
    /// added.
    #[command(verbatim_doc_comment)]
    Products {
        /// The products, as CSV
        file: PathBuf,
    },
}

pub(crate) fn run(arguments: TillArguments) -> Outcome {
    if let TillCommand::Call { list: true, format, name, .. } = &arguments.command {
        return match name {
            Some(name) => describe_operation(name, *format),
            None => list_operations(*format),
        };
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
        TillCommand::Replay { file, flush, tax_rate, verbose } => {
            let options = ReplayOptions { tax_rate: BasisPoints::new(*tax_rate) };
            let file = open_file(file)?;
            let store = Arc::new(arguments.at.store(Some(*flush))?);
            let till =
                replay_till(Arc::clone(&store) as _, SystemClock::beside(Arc::clone(&store) as _));
            let outcome = telling_new_settings(&till, || replay_invoices(&till, file, options));
            let outcome = closed(&store, outcome);
            if let Some(counters) = store.counters().filter(|_| *verbose) {
                eprintln!("opossum: the store wrote {counters}");
            }
            outcome
        }
        TillCommand::Report(report) => report::run(&arguments.at.till(None)?, report),
        TillCommand::Call { name, json, .. } => {
            let operation = find(name.as_deref().unwrap_or_default())?;
            // A shop begins with its settings.
            let make_if_missing = (operation.name == ConfigureShop::NAME).then_some(Flush::On);
            let till = arguments.at.till(make_if_missing)?;
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
    telling_new_settings(till, || Ok(import.run(till)?))?;
    print_json(&json!({
        "lines": import.lines,
        "added": import.products.len(),
        "existing": import.existing,
        "rejected": import.rejected,
    }))?;
    match import.rejected.len() {
        0 => Ok(()),
        bad => {
            let message = format!(
                "{bad} of {} records cannot be used, and the others are in; \"rejected\" says which \
                 line and why. Mend those and import the file again",
                import.lines
            );
            Err(Failure::Message(Status::Refused, message))
        }
    }
}

/// Says it if this work gave the shop its settings: nobody chose them.
fn telling_new_settings(till: &Till, work: impl FnOnce() -> Outcome) -> Outcome {
    let had_settings = till.settings()?.is_some();
    let outcome = work();
    if let Some(shop) = till.settings()?.filter(|_| !had_settings) {
        eprintln!(
            "opossum: the shop is new, and got the settings of nobody's choice: it is called {:?}, \
             and trades in {} on days of {}, with tax in its prices. `opossum till call \
             configure_shop` changes them, the currency only until a shift is opened",
            shop.name,
            shop.currency,
            String::from(shop.zone),
        );
    }
    outcome
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
        Ok(summary) => {
            print_json(&summary)?;
            if !summary.rejected.is_empty() {
                let (bad, lines) = (summary.rejected.len(), summary.lines);
                eprintln!(
                    "opossum: {bad} of {lines} records were left out; \"rejected\" says which and why"
                );
            }
            Ok(())
        }
        Err(interrupted) => {
            // A file that is no table of invoices was not begun.
            if interrupted.summary.lines > 0 {
                print_json(&interrupted.summary)?;
            }
            Err(interrupted.error.into())
        }
    }
}

fn find(name: &str) -> Result<&'static Operation, Failure> {
    Operation::find(name).map_err(|error| Failure::json(&error))
}

fn list_operations(format: ListFormat) -> Outcome {
    let mut output = Output::open();
    match format {
        ListFormat::Table => {
            let mut table = table(["name", "kind", "what it is for"]);
            for Operation { name, kind, summary, .. } in OPERATIONS {
                table.add_row([name, &*word(kind), summary]);
            }
            output.text(&format!("{table}\n"))?;
        }
        ListFormat::Json => {
            OPERATIONS.iter().try_for_each(|operation| output.json(&operation.describe()))?;
        }
    }
    output.finish()
}

fn describe_operation(name: &str, format: ListFormat) -> Outcome {
    let described = find(name)?.describe();
    if let ListFormat::Json = format {
        return print_json(&described);
    }
    let Description { name, kind, access, summary, input, output, types } = described;
    let kind = word(&kind);
    let who = match access {
        Access::Anyone => "anyone".into(),
        Access::SignedIn => "whoever is at the till".into(),
        Access::Permitted(permission) => {
            format!("who may {}", word(&permission).replace('_', " "))
        }
    };
    print_text(&format!(
        "{name}: {summary}\n\nkind    {kind}\nfor     {who}\ninput   {input}\noutput  {output}\n\n\
         {types}\n"
    ))
}

/// How something is called in JSON.
fn word(name: &impl Serialize) -> String {
    let word = serde_json::to_value(name).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}
