//! Standard output: JSON, one value to a line; tables where people asked for one.

use std::io::{self, BufWriter, StdoutLock, Write};

use comfy_table::{LineStyle, Table, presets};
use serde::Serialize;

use crate::failure::{Failure, Status};

/// Standard output, buffered. Dropped without [`Output::finish`], what is buffered may be lost.
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub(crate) fn open() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    /// Writes a value as one line of JSON.
    pub(crate) fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.0, value).map_err(|error| failed(&error.into()))?;
        self.text("\n")
    }

    /// Writes a text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.0.write_all(text.as_bytes()).map_err(|error| failed(&error))
    }

    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.0.flush().map_err(|error| failed(&error))
    }
}

/// Writes one value as a line of JSON.
pub(crate) fn print_json<T: Serialize + ?Sized>(value: &T) -> Result<(), Failure> {
    let mut output = Output::open();
    output.json(value)?;
    output.finish()
}

/// Writes a text as it is.
pub(crate) fn print_text(text: &str) -> Result<(), Failure> {
    let mut output = Output::open();
    output.text(text)?;
    output.finish()
}

/// A table with these columns, for people.
pub(crate) fn table<'c>(columns: impl IntoIterator<Item = &'c str>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()))
        .set_header(columns);
    table
}

fn failed(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => {
            let next_step = dcb::next_step(error);
            Failure::Message(Status::Io, format!("cannot write the output: {error}{next_step}"))
        }
    }
}
