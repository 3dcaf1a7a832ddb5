//! `opossum`: the tools of the event store, and a till at the command line.
//!
//! JSON goes to standard output, messages to standard error; the exit status tells scripts what
//! happened (see [`failure`]).

mod failure;
mod output;
mod report;
mod serve;
mod shop;
mod store;
mod till;
mod ui;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// An offline point of sale and the event store under it.
///
/// Exit status: 0 done; 1 refused by a rule, or not found; 2 bad usage or input; 3 append condition
/// failed; 4 lock timeout; 5 damaged data; 6 I/O error or full disk.
#[derive(Parser)]
#[command(name = "opossum", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Look into an event store, append to it, check it
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Sell, import, replay and report at a till of a shop
    Till(till::TillArguments),
    /// Open a till of a shop for the browsers of this machine
    ///
    /// Prints the address to open, and serves it until it is ended.
    Serve(serve::ServeArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Store(command) => store::run(command),
        Command::Till(arguments) => till::run(arguments),
        Command::Serve(arguments) => serve::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

/// What a command comes to.
type Outcome = Result<(), Failure>;
