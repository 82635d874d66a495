//! Hits on a store, compared with the bare client, which reads and decodes the same bytes over the same kind of
//! connection.
//!
//! Stores can be selected by name on the command line; the report is then not kept.
#![allow(missing_docs)]

mod affinity;
mod compare;
mod mongo;
mod redis;
mod report;
mod s3;
mod sql;
mod value;
mod waiting;

use cachier_bench::case::Mode;
use cachier_bench::report::publish;

use self::affinity::Affinity;
use self::compare::{Effort, Row};

/// Measures the hits on a store; no rows if its server is not installed.
type Measure = fn(Effort) -> Vec<Row>;

const STORES: [(&str, Measure); 6] = [
    ("redis", redis::rows),
    ("sqlite", sql::sqlite),
    ("postgres", sql::postgres),
    ("mariadb", sql::mariadb),
    ("mongo", mongo::rows),
    ("s3", s3::rows),
];

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [role, url] = &arguments[..]
        && role == waiting::ROLE
    {
        return waiting::answer(url);
    }
    let mode = Mode::chosen();
    let effort = match mode {
        Mode::Full => Effort {
            rounds: 41,
            calls: 2_000,
            affinity: Affinity::choose(),
        },
        Mode::Quick => Effort {
            rounds: 5,
            calls: 200,
            affinity: Affinity::choose(),
        },
    };
    let is_named = |store: &str| arguments.iter().any(|argument| argument == store);
    let is_choice = STORES.iter().any(|(store, _)| is_named(store));
    let is_wanted = |store: &str| !is_choice || is_named(store);
    let hits = STORES.iter().filter(|(store, _)| is_wanted(store));
    let hits: Vec<_> = hits.flat_map(|(_, rows)| rows(effort)).collect();
    let waits = waiting::rows(is_wanted, effort);
    let keep = if is_choice { Mode::Quick } else { mode };
    publish("stores", &report::text(&hits, &waits), keep);
}
