//! The figures as JSON for scripts and as tables for people.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::{Map, Value, json};

use crate::engine::ENGINES;
use crate::run::{FLOOR, Figures};
use crate::workload::{Bar, Better, ROWS, Row};

/// How far behind a peer ours may be.
const BEHIND_A_PEER: f64 = 1.05;

const OURS: &str = "ours";

/// `{"rows":[{"name":…,"floor":…,"ours":…,…}]}`, with `null` where there is no figure. What was also
/// run at larger sizes follows as `"larger":[{"events":…,"rows":[…]}]`.
pub(crate) fn json(runs: &[Figures]) -> Value {
    let mut report = Map::new();
    if let Some((first, larger)) = runs.split_first() {
        report.insert("rows".into(), rows(first));
        if !larger.is_empty() {
            let larger =
                larger.iter().map(|run| json!({ "events": run.events, "rows": rows(run) }));
            report.insert("larger".into(), larger.collect());
        }
    }
    Value::Object(report)
}

fn rows(figures: &Figures) -> Value {
    let row = |row: &Row| {
        let mut cells = Map::new();
        cells.insert("name".into(), row.name.into());
        for column in columns() {
            cells.insert(column.into(), json!(figures.get(row.name, column).map(three_digits)));
        }
        Value::Object(cells)
    };
    ROWS.iter().filter(|row| is_measured(row, figures)).map(row).collect()
}

/// The figures of one size: each with its ratio to the floor where there is one, and what becomes
/// of ours.
pub(crate) fn table(figures: &Figures) -> String {
    let header = ["row"].into_iter().chain(columns()).chain(["best peer / ours", "bar", "met"]);
    let mut table = new_table(header);
    for row in ROWS.iter().filter(|row| is_measured(row, figures)) {
        let mut cells = vec![row.name.to_owned()];
        let floor = figures.get(row.name, FLOOR);
        for column in columns() {
            let figure = figures.get(row.name, column);
            cells.push(match (figure, floor) {
                (None, _) => String::new(),
                (Some(figure), Some(floor)) if column != FLOOR => {
                    format!("{} (×{:.2})", readable(figure), figure / floor)
                }
                (Some(figure), _) => readable(figure),
            });
        }
        let verdict = Verdict::of(row, figures);
        let ratio = verdict.to_best_peer.map(|ratio| format!("×{ratio:.2}"));
        cells.push(ratio.unwrap_or_default());
        cells.push(bar(row));
        cells.push(verdict.met.into());
        table.add_row(cells);
    }
    format!("{} events, median of {} rounds\n{table}", figures.events, figures.rounds)
}

/// By what factor each figure grows from the smallest size to each larger one.
pub(crate) fn growth(runs: &[Figures]) -> Option<String> {
    let (first, larger) = runs.split_first()?;
    let last = larger.last()?;
    let mut table = new_table(["row"].into_iter().chain(columns()));
    for row in ROWS.iter().filter(|row| is_measured(row, last)) {
        let mut cells = vec![row.name.to_owned()];
        for column in columns() {
            let factor = |run: &Figures| {
                let factor = run.get(row.name, column)? / first.get(row.name, column)?;
                Some(format!("×{factor:.2}"))
            };
            let factors: Vec<String> = larger.iter().filter_map(factor).collect();
            cells.push(factors.join(" "));
        }
        table.add_row(cells);
    }
    let sizes: Vec<String> = larger.iter().map(|run| run.events.to_string()).collect();
    Some(format!("From {} events to {}\n{table}", first.events, sizes.join(" and ")))
}

/// What becomes of ours in a row.
struct Verdict {
    /// The best peer's figure relative to ours.
    to_best_peer: Option<f64>,
    /// Empty where there is nothing to reach.
    met: &'static str,
}

impl Verdict {
    fn of(row: &Row, figures: &Figures) -> Self {
        let Some(ours) = figures.get(row.name, OURS) else {
            return Self { to_best_peer: None, met: "" };
        };
        let peers = ENGINES.iter().filter(|entry| entry.name != OURS);
        let peers = peers.filter_map(|entry| figures.get(row.name, entry.name));
        let best = match row.better {
            Better::Lower => peers.min_by(f64::total_cmp),
            Better::Higher => peers.max_by(f64::total_cmp),
        };
        let reaches = |goal: f64| match row.better {
            Better::Lower => ours <= goal,
            Better::Higher => ours >= goal,
        };
        let beside_peers = best.is_none_or(|best| match row.better {
            Better::Lower => reaches(best * BEHIND_A_PEER),
            Better::Higher => reaches(best / BEHIND_A_PEER),
        });
        let within_bar = match (row.bar, figures.get(row.name, FLOOR)) {
            (Some(Bar::Absolute(bar)), _) => Some(reaches(bar)),
            (Some(Bar::OfFloor(ratio)), Some(floor)) => Some(reaches(floor * ratio)),
            (Some(Bar::OfFloor(_)), None) | (None, _) => None,
            (Some(Bar::Peers), _) => Some(true),
        };
        let met = match (within_bar, beside_peers) {
            (None, _) => "",
            (Some(true), true) => "yes",
            (Some(true), false) => "behind a peer",
            (Some(false), _) => "no",
        };
        Self { to_best_peer: best.map(|best| best / ours), met }
    }
}

fn columns() -> impl Iterator<Item = &'static str> {
    [FLOOR].into_iter().chain(ENGINES.iter().map(|entry| entry.name))
}

fn is_measured(row: &Row, figures: &Figures) -> bool {
    columns().any(|column| figures.get(row.name, column).is_some())
}

fn bar(row: &Row) -> String {
    let sign = match row.better {
        Better::Lower => '≤',
        Better::Higher => '≥',
    };
    match row.bar {
        Some(Bar::Absolute(bar)) => format!("{sign} {}", readable(bar)),
        Some(Bar::OfFloor(ratio)) => format!("{sign} {ratio} × floor"),
        Some(Bar::Peers) => "peers".into(),
        None => String::new(),
    }
}

fn new_table<'a>(header: impl Iterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.collect::<Vec<_>>());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Three digits that count, with `k` and `M`.
fn readable(figure: f64) -> String {
    match figure.abs() {
        size if size >= 1e6 => format!("{:.2} M", figure / 1e6),
        size if size >= 1e4 => format!("{:.1} k", figure / 1e3),
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

fn three_digits(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}
