//! `opossum till report`: the shop's reports as a table, JSON or CSV.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use comfy_table::CellAlignment;
use pos::{BusinessDay, Currency, SalesBy, SalesReport, SalesRow};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};
use till::Till;
use till::queries::ReportSales;

use crate::Outcome;
use crate::failure::{Failure, Status};
use crate::output::{Output, print_json, table};

#[derive(Args)]
pub(crate) struct ReportArguments {
    /// Name every report
    #[arg(long)]
    pub(crate) list: bool,
    /// Which report
    #[arg(required_unless_present = "list", value_enum)]
    name: Option<ReportName>,
    /// What the rows stand for
    #[arg(long, value_name = "KEY", default_value = "day", value_parser = key())]
    by: SalesBy,
    /// The first business day that counts: 2010-12-01
    #[arg(long, value_name = "DAY", value_parser = day)]
    from: Option<BusinessDay>,
    /// The last business day that counts
    #[arg(long, value_name = "DAY", value_parser = day)]
    to: Option<BusinessDay>,
    /// How it is printed: as a table for people, or for programs, with money in minor units,
    /// quantities in thousandths, and keys alone, without the names of what they stand for
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum ReportName {
    /// What was sold and refunded
    Sales,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

/// What the rows of a report may stand for, in the words of the UI's JSON.
const KEYS: [&str; 9] =
    ["day", "hour", "product", "category", "customer", "cashier", "till", "tender", "tax"];

fn key() -> impl TypedValueParser<Value = SalesBy> {
    PossibleValuesParser::new(KEYS).try_map(|word| {
        let word: StrDeserializer<'_, ValueError> = word.as_str().into_deserializer();
        SalesBy::deserialize(word)
    })
}

fn day(text: &str) -> Result<BusinessDay, &'static str> {
    text.parse().map_err(|_| "this is no day; write it as 2010-12-01")
}

/// Names every report.
pub(crate) fn list() -> Outcome {
    print_json(&serde_json::json!([{
        "name": "sales",
        "summary": "What was sold and refunded",
        "by": KEYS,
    }]))
}

pub(crate) fn run(till: &Till, arguments: &ReportArguments) -> Outcome {
    let ReportArguments { by, from, to, .. } = *arguments;
    let question = ReportSales { by, from, to };
    let report = till.ask(&question)?;
    match arguments.format {
        Format::Json => print_json(&report),
        Format::Csv => print_csv(&report),
        Format::Table => {
            let currency = till.settings().map_err(Failure::from)?.map(|shop| shop.currency);
            let name = |row: &SalesRow| question.name_of(&row.key, till);
            let names = report.rows.iter().map(name).collect::<Result<Vec<_>, _>>()?;
            print_table(&report, &names, currency)
        }
    }
}

const COLUMNS: [&str; 7] = ["key", "receipts", "items", "gross", "refunds", "net", "tax"];

fn print_csv(report: &SalesReport) -> Outcome {
    let text = csv(report).map_err(|error| Failure::Message(Status::Io, error.to_string()))?;
    let mut output = Output::open();
    output.text(&text)?;
    output.finish()
}

/// The rows under their columns, which are named also where there is no row.
fn csv(report: &SalesReport) -> Result<String, csv::Error> {
    let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    csv.write_record(COLUMNS)?;
    report.rows.iter().try_for_each(|row| csv.serialize(row))?;
    let bytes = csv.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The rows with their names beside their keys, if any has one.
fn print_table(
    report: &SalesReport,
    names: &[Option<String>],
    currency: Option<Currency>,
) -> Outcome {
    let has_names = names.iter().any(Option::is_some);
    let cells = |row: &SalesRow, key: &str, name: Option<&str>| -> Vec<String> {
        let money = |amount| currency.map_or_else(String::new, |currency| currency.format(amount));
        let figures = [
            row.receipts.to_string(),
            row.items.to_string(),
            money(row.gross),
            money(row.refunds),
            money(row.net),
            money(row.tax),
        ];
        let name = has_names.then(|| name.unwrap_or_default().to_owned());
        [key.to_owned()].into_iter().chain(name).chain(figures).collect()
    };
    let [key, figures @ ..] = COLUMNS;
    let name = has_names.then_some("name");
    let mut table = table([key].into_iter().chain(name).chain(figures));
    for (row, name) in report.rows.iter().zip(names) {
        table.add_row(cells(row, &row.key, name.as_deref()));
    }
    table.add_row(cells(&report.total, "total", None));
    for column in table.column_iter_mut().skip(1 + usize::from(has_names)) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut output = Output::open();
    output.text(&format!("{table}\n"))?;
    output.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_names_its_columns_once_however_many_rows_follow() {
        let head = "key,receipts,items,gross,refunds,net,tax\n";
        let row = SalesRow { key: "2026-03-02".into(), receipts: 2, ..SalesRow::default() };
        let (none, two) = (
            SalesReport::default(),
            SalesReport { rows: vec![row.clone(), row], ..SalesReport::default() },
        );
        assert_eq!(csv(&none).unwrap(), head);
        let line = "2026-03-02,2,0,0,0,0,0\n";
        assert_eq!(csv(&two).unwrap(), format!("{head}{line}{line}"));
    }
}
