//! Tables as they come out of other people's programs: comma-separated, in whatever encoding, with
//! columns in any order.

use std::io::Read;

use csv::{ByteRecord, ReaderBuilder, Terminator};
use encoding_rs::WINDOWS_1252;
use serde::Serialize;

use crate::decimal::{quoted, quoted_up_to};
use crate::nearest::nearest;

/// A CSV file read row by row: `N` columns that must be there and `M` that may be.
pub(crate) struct Table<R, const N: usize, const M: usize> {
    reader: csv::Reader<R>,
    required: [usize; N],
    optional: [Option<usize>; M],
    width: usize,
    record: ByteRecord,
}

/// One record of a [`Table`]: its fields without the space around them.
#[derive(Debug)]
pub(crate) struct Row<const N: usize, const M: usize> {
    /// The physical line, from 1, on which the record starts.
    pub(crate) line: u64,
    /// The columns that must be there.
    pub(crate) required: [String; N],
    /// The columns that may be; empty where the file has no such column.
    pub(crate) optional: [String; M],
    /// Why the row cannot be used, if it ends before a column that every row must have.
    pub(crate) short: Option<String>,
}

/// A record that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// The physical line, from 1, on which the record starts.
    pub line: u64,
    /// What is wrong with it, in a sentence.
    pub reason: String,
}

/// Why a file cannot be read as the table it should be.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// There is no header.
    #[error("the file is empty; its first line must name the columns {}", .columns.join(", "))]
    Empty {
        /// The columns that must be there.
        columns: Vec<String>,
    },
    /// The header lacks columns.
    #[error("the file has no column {}; its first line is {}", .missing.join(", "), quoted_up_to(200, &.found.join(",")))]
    MissingColumns {
        /// The columns that must be there and are not.
        missing: Vec<String>,
        /// The columns that are there.
        found: Vec<String>,
    },
    /// The header has a column that means nothing.
    #[error("the file has a column {} that means nothing here{}; the columns are {}", quoted(.column), did_you_mean(.column, .known), .known.join(", "))]
    UnknownColumn {
        /// The column.
        column: String,
        /// The columns that mean something.
        known: Vec<String>,
    },
    /// The file could not be read to its end.
    #[error("the file cannot be read: {0}")]
    Io(#[source] std::io::Error),
}

fn did_you_mean(column: &str, known: &[String]) -> String {
    let nearest = nearest(column, known.iter().map(String::as_str));
    nearest.map(|nearest| format!(" (did you mean {nearest}?)")).unwrap_or_default()
}

impl From<csv::Error> for TableError {
    fn from(error: csv::Error) -> Self {
        // Records are flexible bytes, so that reading is all that can fail.
        Self::Io(error.into())
    }
}

impl<R: Read, const N: usize, const M: usize> Table<R, N, M> {
    /// Reads the header and finds the columns in it, in any order and case. A column of another
    /// name is refused: it may be a misspelt one, whose fields would be missed without a word.
    pub(crate) fn open(
        input: R,
        required: [&str; N],
        optional: [&str; M],
    ) -> Result<Self, TableError> {
        let (table, header) = Self::read_header(input, required, optional)?;
        let known = || required.iter().chain(&optional).copied();
        let is_known =
            |column: &str| column.is_empty() || known().any(|n| n.eq_ignore_ascii_case(column));
        match header.into_iter().find(|column| !is_known(column)) {
            Some(column) => {
                let known = known().map(str::to_owned).collect();
                Err(TableError::UnknownColumn { column, known })
            }
            None => Ok(table),
        }
    }

    /// The same of a table that has more columns than are looked at here.
    pub(crate) fn open_wider(
        input: R,
        required: [&str; N],
        optional: [&str; M],
    ) -> Result<Self, TableError> {
        Self::read_header(input, required, optional).map(|(table, _)| table)
    }

    fn read_header(
        input: R,
        required: [&str; N],
        optional: [&str; M],
    ) -> Result<(Self, Vec<String>), TableError> {
        // With `\n` alone as the end of a record the reader counts lines exactly; a `\r` before it
        // ends up in the last field and is trimmed off there.
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(input);
        let mut record = ByteRecord::new();
        while reader.read_byte_record(&mut record)? && is_blank(&record) {}
        let header: Vec<String> = record.iter().map(decoded).collect();
        if is_blank(&record) {
            let columns = required.map(str::to_owned).to_vec();
            return Err(TableError::Empty { columns });
        }
        let find = |name: &str| header.iter().position(|found| found.eq_ignore_ascii_case(name));
        let missing: Vec<String> =
            required.iter().filter(|n| find(n).is_none()).map(|n| (*n).to_owned()).collect();
        if !missing.is_empty() {
            return Err(TableError::MissingColumns { missing, found: header });
        }
        let table = Self {
            reader,
            required: required.map(|name| find(name).unwrap_or_default()),
            optional: optional.map(find),
            width: header.len(),
            record,
        };
        Ok((table, header))
    }

    /// The next record; blank lines are none.
    pub(crate) fn next(&mut self) -> Result<Option<Row<N, M>>, TableError> {
        let mut line;
        loop {
            line = self.reader.position().line();
            if !self.reader.read_byte_record(&mut self.record)? {
                return Ok(None);
            }
            if !is_blank(&self.record) {
                break;
            }
        }
        // The reader skips empty lines by itself. Then only counting back from the record's end
        // tells where it starts: over its own line breaks and the one that ends it.
        let breaks = self.record.as_slice().iter().filter(|&&byte| byte == b'\n').count();
        let breaks = u64::try_from(breaks).unwrap_or(u64::MAX).saturating_add(1);
        line = line.max(self.reader.position().line().saturating_sub(breaks));

        let field = |column: usize| self.record.get(column).map(decoded).unwrap_or_default();
        // What may be left out of a table may also be left off at the end of a record.
        let is_short = self.required.iter().any(|column| *column >= self.record.len());
        let short = is_short.then(|| {
            format!(
                "the record has {} fields where the header has {}",
                self.record.len(),
                self.width
            )
        });
        Ok(Some(Row {
            line,
            required: self.required.map(field),
            optional: self.optional.map(|column| column.map(field).unwrap_or_default()),
            short,
        }))
    }
}

/// A line with nothing but space on it is no record.
fn is_blank(record: &ByteRecord) -> bool {
    record.len() <= 1 && record.as_slice().trim_ascii().is_empty()
}

/// What is not UTF-8 is read as Windows-1252, which never fails.
fn decoded(field: &[u8]) -> String {
    let text = match std::str::from_utf8(field) {
        Ok(text) => text.into(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(field).0,
    };
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Vec<(u64, [String; 2], [String; 1], bool)> {
        let mut table = Table::open_wider(text, ["a", "b"], ["c"]).unwrap();
        let mut rows = Vec::new();
        while let Some(row) = table.next().unwrap() {
            rows.push((row.line, row.required, row.optional, row.short.is_some()));
        }
        rows
    }

    fn row(line: u64, [a, b, c]: [&str; 3]) -> (u64, [String; 2], [String; 1], bool) {
        (line, [a.into(), b.into()], [c.into()], false)
    }

    #[test]
    fn columns_are_found_by_name_in_any_order_and_case() {
        assert_eq!(rows(b"x,B, A ,c\n0,2,1,3\n"), [row(2, ["1", "2", "3"])]);
        assert_eq!(rows(b"A,B\n1,2\n"), [row(2, ["1", "2", ""])]);
        assert_eq!(rows(b"\xEF\xBB\xBFa,b\n1,2"), [row(2, ["1", "2", ""])]);
    }

    #[test]
    fn a_record_is_told_by_the_line_it_starts_on() {
        let expected = [
            row(2, ["1", "x", ""]),
            row(4, ["2", "two\nlines", ""]),
            row(7, ["3", "y", ""]),
            row(9, ["4", "z", ""]),
        ];
        let text = "a,b\n1,x\n\n2,\"two\nlines\"\n\n3,y\n \n4,z\n";
        assert_eq!(rows(text.as_bytes()), expected);
        assert_eq!(rows(text.trim_end().as_bytes()), expected);
        let mut windows = expected.clone();
        windows[1].1[1] = "two\r\nlines".into();
        assert_eq!(rows(text.replace('\n', "\r\n").as_bytes()), windows);
    }

    #[test]
    fn quotes_and_commas_inside_a_field_belong_to_it() {
        assert_eq!(
            rows(b"a,b,c\r\n\"1,5\",5\" PLATE,\"say \"\"hi\"\"\"\r\n"),
            [row(2, ["1,5", "5\" PLATE", "say \"hi\""])]
        );
    }

    #[test]
    fn a_field_that_is_not_utf_8_is_read_as_windows_1252() {
        assert_eq!(
            rows(b"a,b\n\xA3 5,\xC2\xA3 5\n\x80,\x81\n"),
            [row(2, ["£ 5", "£ 5", ""]), row(3, ["€", "\u{81}", ""])]
        );
    }

    #[test]
    fn a_record_that_breaks_off_is_told() {
        assert_eq!(rows(b"c,a,b\n3,1\n"), [(2, ["1".into(), String::new()], ["3".into()], true)]);
        assert_eq!(rows(b"a,b,c\n1,2\n"), [row(2, ["1", "2", ""])]);
        assert_eq!(rows(b"a,b\n1,2,3,4\n"), [row(2, ["1", "2", ""])]);
    }

    #[test]
    fn missing_columns_are_named() {
        let error = |text: &'static str| {
            Table::open(text.as_bytes(), ["a", "b"], []).err().unwrap().to_string()
        };
        assert_eq!(error("b;c\n"), "the file has no column a, b; its first line is \"b;c\"");
        assert_eq!(error("x,b\n"), "the file has no column a; its first line is \"x,b\"");
        assert_eq!(error("\n"), "the file is empty; its first line must name the columns a, b");
        assert_eq!(error(""), "the file is empty; its first line must name the columns a, b");
    }

    #[test]
    fn a_column_that_means_nothing_is_refused_with_the_one_that_may_be_meant() {
        let error = |text: &'static str| {
            let table = Table::open(text.as_bytes(), ["sku"], ["tax_rate"]);
            table.err().map(|error| error.to_string())
        };
        assert_eq!(
            error("sku,Tax Rate\n").unwrap(),
            "the file has a column \"Tax Rate\" that means nothing here (did you mean tax_rate?); \
             the columns are sku, tax_rate"
        );
        assert_eq!(
            error("colour,sku\n").unwrap(),
            "the file has a column \"colour\" that means nothing here; the columns are sku, tax_rate"
        );
        assert_eq!(error("TAX_RATE, sku ,,\n"), None, "a column without a name says nothing");
    }
}
