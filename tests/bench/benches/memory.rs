//! The heap that an entry takes, and what is left of it when the cache is cleared, by a counting allocator.
//!
//! Each subject fills a cache of its own in a process of its own.
#![allow(missing_docs)]
#![expect(clippy::print_stdout, reason = "a child process tells its figures so")]

use std::env;
use std::fmt::Write;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use allocation_counter::measure;
use cachier_bench::case::Mode;
use cachier_bench::machine;
use cachier_bench::report::{Verdict, publish, verdicts};

/// In this program's child: the number of the subject, and of entries.
const SUBJECT_VARIABLE: &str = "CACHIER_BENCH_FILLED";

const MILLION: u64 = 1_000_000;

fn main() {
    if let Ok(what) = env::var(SUBJECT_VARIABLE) {
        return fill(&what);
    }
    let mode = Mode::chosen();
    let sizes: &[u64] = match mode {
        Mode::Full => &[1_000, 100_000, MILLION, 10 * MILLION],
        Mode::Quick => &[1_000],
    };
    let rows: Vec<Row> = (0..SUBJECTS.len())
        .map(|subject| Row::measure(subject, sizes))
        .collect();
    publish("memory", &report(&rows, sizes), mode);
}

/// One kind of entry in one library.
struct Subject {
    entries: &'static str,
    library: &'static str,
    /// Looks up so many numbers in an empty cache.
    fill: fn(u64),
    clear: fn(),
}

/// Bytes for each entry before and after clearing, by the number of entries.
struct Row {
    subject: &'static Subject,
    bytes: Vec<(u64, [f64; 2])>,
}

impl Row {
    fn measure(number: usize, sizes: &[u64]) -> Self {
        let bytes = sizes.iter().map(|entries| {
            let output = Command::new(env::current_exe().expect("this program has a path"))
                .env(SUBJECT_VARIABLE, format!("{number} {entries}"))
                .output()
                .expect("this program runs");
            let text = String::from_utf8_lossy(&output.stdout);
            let mut words = text.split_whitespace().map(str::parse);
            let mut next = || match words.next() {
                Some(Ok(bytes)) => bytes,
                _ => panic!("the child says {output:?}"),
            };
            (*entries, [next(), next()])
        });
        Self {
            subject: &SUBJECTS[number],
            bytes: bytes.collect(),
        }
    }

    fn at(&self, entries: u64) -> Option<[f64; 2]> {
        let (_, bytes) = self.bytes.iter().find(|(size, _)| *size == entries)?;
        Some(*bytes)
    }
}

/// The child: fills one cache, clears it, and tells the bytes for each entry.
fn fill(what: &str) {
    let mut numbers = what.split(' ').map(str::parse::<u64>);
    let mut next = || match numbers.next() {
        Some(Ok(number)) => number,
        _ => panic!("{what} are no two numbers"),
    };
    let (subject, entries) = (&SUBJECTS[next() as usize], next());
    CAPACITY.store(entries as usize * 11 / 10, Ordering::Relaxed);
    // One-time setup of a process or thread does not count.
    (subject.fill)(1);
    (subject.clear)();
    let before = measure(|| (subject.fill)(entries)).bytes_current;
    let after = before + measure(subject.clear).bytes_current;
    let each = |bytes: i64| bytes as f64 / entries as f64;
    println!("{} {}", each(before), each(after));
}

fn report(rows: &[Row], sizes: &[u64]) -> String {
    let mut text = format!(
        "# What an entry takes of the heap\n\nWritten by `cargo bench -p cachier-bench --bench memory` on {}. Bytes for each \
         entry, and after clearing\nthe cache. Texts have 16 bytes; a `Vec<u8>` has 96. Metrics are off.\n\n",
        machine::describe()
    );
    text.push_str(&verdicts(&limits(rows)));
    text.push_str("\n| entries | library |");
    sizes.iter().for_each(|size| {
        let _ = write!(text, " {size} | cleared |");
    });
    text.push_str(&format!("\n|---|---|{}\n", "--:|--:|".repeat(sizes.len())));
    for Row { subject, bytes } in rows {
        let _ = write!(text, "| {} | {} |", subject.entries, subject.library);
        for (_, [before, after]) in bytes {
            let _ = write!(text, " {before:.1} | {after:.1} |");
        }
        text.push('\n');
    }
    text
}

fn limits(rows: &[Row]) -> Vec<Verdict> {
    let bytes = |entries, library, size| {
        let is_it = |row: &&Row| (row.subject.entries, row.subject.library) == (entries, library);
        rows.iter().find(is_it)?.at(size)
    };
    let beside_cached = |kind: &'static str, size, at_most| {
        let ([ours, _], [theirs, _]) = (bytes(kind, OURS, size)?, bytes(kind, CACHED, size)?);
        Some(Verdict {
            what: format!("{size} × {kind} : `#[cached]`"),
            at_most,
            measured: ours / theirs,
        })
    };
    let cleared = |kind: &'static str| {
        let [before, after] = bytes(kind, OURS, MILLION)?;
        Some(Verdict {
            what: format!("{MILLION} × {kind}, cleared : before"),
            at_most: 0.05,
            measured: after / before,
        })
    };
    let limits = [
        beside_cached(NUMBERS, MILLION, 1.4),
        beside_cached(NUMBERS, 10 * MILLION, 1.3),
        beside_cached(TEXTS, MILLION, 1.1),
        cleared(NUMBERS),
        cleared(TEXTS),
    ];
    limits.into_iter().flatten().collect()
}

const NUMBERS: &str = "`u64 → u64`";
const TEXTS: &str = "`String → String`";
const LISTS: &str = "`String → Arc<Vec<u8>>`";

const OURS: &str = "**cachier**";
const CACHED: &str = "cached, `#[cached]`";

/// For a cache that has to know, with room for all.
static CAPACITY: AtomicUsize = AtomicUsize::new(0);

/// The subjects for each kind of entry, whose functions take this argument.
macro_rules! subjects {
    ($($kind:ident: $module:ident |$n:ident| $argument:expr),*) => {
        [$(
            Subject {
                entries: $kind,
                library: OURS,
                fill: |n| (0..n).for_each(|$n| drop($module::ours($argument))),
                clear: || drop($module::ours::clear_cache()),
            },
            Subject {
                entries: $kind,
                library: CACHED,
                fill: |n| (0..n).for_each(|$n| drop($module::peer($argument))),
                clear: || cached::Cached::cache_clear(&mut *$module::PEER.write()),
            },
            Subject {
                entries: $kind,
                library: "quick_cache",
                fill: |n| (0..n).for_each(|$n| $module::quick($argument)),
                clear: || $module::QUICK.clear(),
            },
            Subject {
                entries: $kind,
                library: "moka",
                fill: |n| (0..n).for_each(|$n| $module::moka($argument)),
                clear: || {
                    $module::MOKA.invalidate_all();
                    $module::MOKA.run_pending_tasks();
                },
            },
        )*]
    };
}

static SUBJECTS: [Subject; 12] = subjects! {
    NUMBERS: numbers |n| n,
    TEXTS: texts |n| &text(n),
    LISTS: lists |n| &text(n)
};

fn text(n: u64) -> String {
    format!("{n:016}")
}

/// The functions and caches for one kind of entry.
macro_rules! kind {
    ($module:ident, $key:ty: ($argument:ident: $($borrowed:tt)+) -> $value:ty $body:block) => {
        mod $module {
            use std::sync::LazyLock;

            use cached::macros::cached;
            use cachier::cachier;
            use moka::sync::Cache;

            use super::*;

            type Value = $value;

            #[cachier(backend = "memory")]
            pub(crate) fn ours($argument: $($borrowed)+) -> Value $body

            #[cached]
            pub(crate) fn peer($argument: $($borrowed)+) -> Value $body

            pub(crate) static QUICK: LazyLock<quick_cache::sync::Cache<$key, Value>> =
                LazyLock::new(|| {
                    quick_cache::sync::Cache::new(CAPACITY.load(Ordering::Relaxed))
                });

            pub(crate) fn quick($argument: $($borrowed)+) {
                QUICK.insert($argument.to_owned(), $body);
            }

            pub(crate) static MOKA: LazyLock<Cache<$key, Value>> =
                LazyLock::new(|| Cache::builder().build());

            pub(crate) fn moka($argument: $($borrowed)+) {
                MOKA.insert($argument.to_owned(), $body);
            }
        }
    };
}

kind! { numbers, u64: (n: u64) -> u64 { n } }
kind! { texts, String: (text: &str) -> String { text.to_owned() } }
kind! { lists, String: (text: &str) -> Arc<Vec<u8>> { Arc::new(text.as_bytes().repeat(6)) } }
