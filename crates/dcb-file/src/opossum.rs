//! Moving to and from Opossum, this store's predecessor, and its port opossum-js: one JSON file for
//! each event. `docs/opossum.md` is the specification.
//!
//! Nothing is lost on either way. What one side cannot express is kept by the other: a tag that is
//! none here is encoded ([`tag`]), and metadata that would not come out as it came in is kept as
//! text ([`envelope`]).

mod envelope;
mod export;
mod import;
mod tag;

pub use export::{Exported, export};
pub use import::{BadFile, ImportError, Imported, import};

/// Which of the two wrote a folder, or is to read it. They differ in names; an event file says the
/// same in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// opossum-js, as its documentation shows it.
    #[default]
    Js,
    /// Opossum for .NET, as its source writes it.
    DotNet,
}

impl Layout {
    fn event_file(self, position: u64) -> String {
        match self {
            Self::Js => format!("{position:09}.json"),
            Self::DotNet => format!("{position:010}.json"),
        }
    }

    fn ledger_file(self) -> &'static str {
        match self {
            Self::Js => "ledger.json",
            Self::DotNet => ".ledger",
        }
    }

    fn ledger(self, head: u64) -> String {
        match self {
            Self::Js => format!("{{\"lastSequencePosition\":{head},\"eventCount\":{head}}}"),
            Self::DotNet => format!("{{\"LastSequencePosition\":{head},\"EventCount\":{head}}}"),
        }
    }

    fn types_folder(self) -> &'static str {
        match self {
            Self::Js => "indices/event-types",
            Self::DotNet => "Indices/EventType",
        }
    }

    fn tags_folder(self) -> &'static str {
        match self {
            Self::Js => "indices/tags",
            Self::DotNet => "Indices/Tags",
        }
    }

    /// Where all positions are listed; Opossum for .NET has no such index.
    fn positions_folder(self) -> Option<&'static str> {
        match self {
            Self::Js => Some("indices/positions"),
            Self::DotNet => None,
        }
    }

    fn index(self, positions: &[u64]) -> String {
        let field = match self {
            Self::Js => "positions",
            Self::DotNet => "Positions",
        };
        let positions: Vec<String> = positions.iter().map(u64::to_string).collect();
        format!("{{\"{field}\":[{}]}}", positions.join(","))
    }
}
