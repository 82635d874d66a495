//! The program's output.

mod table;

use std::fmt::Write as _;
use std::time::Duration;

use cachier::{CacheMetrics, Stats};

use self::table::{Align, Table};
use crate::analysis::{Analysis, Misspelling, analyse};
use crate::request::Request;
use crate::spread::spread;

/// A file and its analysis.
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) analysis: Analysis,
    pub(crate) characteristic: Vec<String>,
}

/// Facts about this run.
pub(crate) struct Run {
    /// Whether the cache was empty.
    pub(crate) is_first: bool,
    pub(crate) took: Duration,
}

/// The whole output.
pub(crate) fn everything(request: &Request, reports: &[Report], run: &Run) -> String {
    let mut text = String::new();
    let folder = request.folder.canonicalize();
    let folder = folder.as_ref().unwrap_or(&request.folder).display();
    let _ = writeln!(text, "{} text files in {folder}\n", reports.len());
    text += &files(reports, if request.all { usize::MAX } else { MAX_SHOWN });
    text += &totals(reports);
    text += &where_from(&analyse::metrics().stats(), run);
    text += &statistics(&[analyse::metrics(), spread::metrics()]);
    text
}

/// The number of files shown without `--all`.
const MAX_SHOWN: usize = 15;

/// The files with the longest reading times.
fn files(reports: &[Report], shown: usize) -> String {
    let mut longest: Vec<_> = reports.iter().collect();
    longest.sort_by_key(|report| std::cmp::Reverse(report.analysis.words));
    let mut table = Table::new(&[
        ("file", Align::Left),
        ("lines", Align::Right),
        ("words", Align::Right),
        ("to read", Align::Right),
        ("sets it apart", Align::Left),
        ("misspelt?", Align::Left),
    ]);
    for report in longest.iter().take(shown) {
        table.row([
            report.name.clone(),
            report.analysis.lines.to_string(),
            report.analysis.words.to_string(),
            reading(report.analysis.reading_time),
            report.characteristic.join(", "),
            misspellings(&report.analysis.misspellings),
        ]);
    }
    let left_out = reports.len().saturating_sub(shown);
    let note = match left_out {
        0 => String::new(),
        _ => format!("… and {left_out} shorter ones; --all shows them\n"),
    };
    format!("{table}{note}\n")
}

fn misspellings(misspellings: &[Misspelling]) -> String {
    let first = misspellings
        .first()
        .map_or_else(String::new, |misspelling| {
            format!("{} (like {})", misspelling.word, misspelling.meant)
        });
    match misspellings.len() {
        0 | 1 => first,
        more => format!("{first} +{}", more - 1),
    }
}

fn totals(reports: &[Report]) -> String {
    let analyses = || reports.iter().map(|report| &report.analysis);
    let (lines, words): (usize, usize) = (
        analyses().map(|analysis| analysis.lines).sum(),
        analyses().map(|analysis| analysis.words).sum(),
    );
    let time = analyses().map(|analysis| analysis.reading_time).sum();
    format!(
        "Together {lines} lines, {words} words, {} to read.\n\n",
        reading(time)
    )
}

/// Says whether the analyses came from disk, and what time that saved.
fn where_from(stats: &Stats, run: &Run) -> String {
    let (hits, misses, took) = (stats.hits, stats.misses, run.took);
    let dir = analyse::cache_dir();
    let dir = dir.display();
    if stats.unavailable > 0 {
        return format!("THE CACHE COULD NOT BE USED:\n{}\n", health());
    }
    if stats.bypassed > 0 {
        return format!("CACHING IS DISABLED: everything was computed, in {took:.1?}.\n\n");
    }
    if run.is_first {
        return format!(
            "COMPUTED {misses} analyses in {took:.1?}; {hits} more were of equal texts. They are in {dir} now:\n\
             run this again to see them served from there.\n\n"
        );
    }
    format!(
        "SERVED FROM DISK: {hits} of {} analyses, from {dir}; {misses} computed.\n\
         This took {took:.1?} instead of about {:.1?}. --fresh forgets what is stored.\n\n",
        hits + misses,
        took + stats.time_saved.unwrap_or_default(),
    )
}

/// The backends' problems.
fn health() -> String {
    let lines = cachier::check()
        .into_iter()
        .map(|health| format!("  {health}\n"));
    lines.collect()
}

/// The metrics of the cached functions, one line each.
fn statistics(functions: &[&CacheMetrics]) -> String {
    let mut table = Table::new(&[
        ("function", Align::Left),
        ("backend", Align::Left),
        ("calls", Align::Right),
        ("hits", Align::Right),
        ("coalesced", Align::Right),
        ("misses", Align::Right),
        ("hit rate", Align::Right),
        ("hit p50", Align::Right),
        ("p90", Align::Right),
        ("p99", Align::Right),
        ("computing p50", Align::Right),
        ("time saved", Align::Right),
        ("entries", Align::Right),
        ("size", Align::Right),
    ]);
    for function in functions {
        let stats = function.stats();
        table.row([
            function.name().to_owned(),
            function.backend().to_owned(),
            stats.calls.to_string(),
            stats.hits.to_string(),
            stats.coalesced.to_string(),
            stats.misses.to_string(),
            figure(stats.hit_rate(), |rate| format!("{:.1} %", rate * 100.0)),
            figure(stats.hit_latency.p50(), time),
            figure(stats.hit_latency.p90(), time),
            figure(stats.hit_latency.p99(), time),
            figure(stats.compute.p50(), time),
            figure(stats.time_saved, time),
            figure(stats.entries, |entries| entries.to_string()),
            figure(stats.size_bytes, size),
        ]);
    }
    table.to_string()
}

/// An unknown figure is not zero.
fn figure<T>(figure: Option<T>, show: impl Fn(T) -> String) -> String {
    figure.map_or_else(|| "–".to_owned(), show)
}

fn time(duration: Duration) -> String {
    format!("{duration:.1?}")
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        _ => format!("{} KB", bytes / 1024),
    }
}

/// Hours, minutes and seconds, for people.
fn reading(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}
