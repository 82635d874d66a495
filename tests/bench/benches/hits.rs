//! Nanoseconds per hit, compared with the peers and checked against limits.
#![allow(missing_docs)]

use std::fmt::Write;

use cachier_bench::case::{Measured, Mode, Threads};
use cachier_bench::report::{Verdict, publish, table, verdicts};
use cachier_bench::subjects::files::BY_HAND;
use cachier_bench::subjects::sizes::PLAIN_MAP;
use cachier_bench::subjects::{asynchronous, files, numbers, pairs, sizes, words};
use cachier_bench::{machine, workload};

fn main() {
    let mode = Mode::chosen();
    let load = machine::load();
    let results = Results {
        unbounded: numbers::unbounded().measure(mode),
        bounded: numbers::bounded().measure(mode),
        aging: numbers::aging().measure(mode),
        both: numbers::bounded_and_aging().measure(mode),
        words: words::unbounded().measure(mode),
        pairs: pairs::unbounded().measure(mode),
        asynchronous: asynchronous::unbounded().measure(mode),
        files: files::reports().measure(mode),
        thousand: sizes::thousand().measure(mode),
        million: sizes::million().measure(mode),
    };
    publish("hits", &report(&results, load), mode);
}

struct Results {
    unbounded: Measured,
    bounded: Measured,
    aging: Measured,
    both: Measured,
    words: Measured,
    pairs: Measured,
    asynchronous: Measured,
    files: Measured,
    thousand: Measured,
    million: Measured,
}

fn report(results: &Results, load: Option<f64>) -> String {
    let mut text = String::from("# What a hit costs\n\n");
    text.push_str(&setting(load));
    text.push_str("\n## Limits\n\n");
    text.push_str(&verdicts(&limits(results)));
    text.push_str(&floors(results));
    text.push_str("\n## Figures\n");
    for case in [
        &results.unbounded,
        &results.bounded,
        &results.aging,
        &results.both,
        &results.words,
        &results.pairs,
        &results.asynchronous,
        &results.files,
        &results.thousand,
        &results.million,
    ] {
        text.push_str(&table(case));
    }
    text
}

fn setting(load: Option<f64>) -> String {
    let mut text = format!(
        "Written by `cargo bench -p cachier-bench --bench hits` on {}, thin LTO, one codegen unit.\n\
         {} resident keys asked for by a seeded Zipf stream of skew {}; the subjects of a table run in turns, in one\n\
         process, in an order that changes from round to round. Medians of 101 rounds; ratios are medians of the ratios of\n\
         the single rounds. With two threads, nanoseconds for each call of each thread.\n\n\
         Ours count every outcome exactly at every rate; the rate is the share of calls that are timed. `hits`: the peer\n\
         counts hits and misses; `none`: it counts nothing. Peers: cached 4.1, memoize 0.6, moka 0.12, quick_cache 0.7,\n\
         hitbox-fn 0.2.\n\n",
        machine::describe(),
        workload::KEYS,
        workload::SKEW,
    );
    for (what, nanos) in machine::primitives() {
        let _ = write!(text, "{what}: {nanos:.1} ns; ");
    }
    let loads = load.zip(machine::load());
    if let Some((before, after)) = loads {
        let _ = write!(text, "load of the machine: {before} before, {after} after.");
    }
    text + "\n"
}

/// Identifies a row of a case: name and metrics.
type Row = (&'static str, &'static str);

const DEFAULT: Row = ("**cachier**", "default");
const DEFAULT_CAPACITY: Row = ("**cachier**, `capacity`", "default");
const DEFAULT_STALE_AFTER: Row = ("**cachier**, `stale_after`", "default");
const TENTH: Row = ("**cachier**", "rate 0.1");
const CACHED: Row = ("cached, `#[cached]`", "hits");
const CAPACITY: Row = ("**cachier**, `capacity`", "rate 0.1");
const MAX_SIZE: Row = ("cached, `#[cached(max_size)]`", "hits");
const STALE_AFTER: Row = ("**cachier**, `stale_after`", "rate 0.1");
const STALE_AFTER_OFF: Row = ("**cachier**, `stale_after`", "off");
const TTL: Row = ("cached, `#[cached(ttl_secs)]`", "hits");
const HITBOX: Row = ("hitbox-fn on moka, bounded", "none");
const RATE_0: Row = ("**cachier**", "rate 0");
const RATE_1: Row = ("**cachier**", "rate 1.0");
const OFF: Row = ("**cachier**", "off");
const GENERIC: Row = ("**cachier**, 20th of a generic function", "off");
const IN_FILES: Row = ("**cachier**, `backend = \"file\"`", "off");
const READ_BY_HAND: Row = (BY_HAND, "none");

/// A limit on the ratio of two rows of a case.
struct Limit<'a>(&'static str, &'a Measured, Threads, Row, Row, f64);

#[rustfmt::skip]
fn limits(results: &Results) -> Vec<Verdict> {
    use Threads::{One, Two};
    let Results { unbounded, bounded, aging, words, asynchronous, files, .. } = results;
    let limits = [
        Limit("`u64` unbounded, metrics by default : `#[cached]`", unbounded, One, DEFAULT, CACHED, 0.92),
        Limit("the same, two threads", unbounded, Two, DEFAULT, CACHED, 0.38),
        Limit("metrics by default : off", unbounded, One, DEFAULT, OFF, 1.12),
        Limit("rate 1.0 : off", unbounded, One, RATE_1, OFF, 4.3),
        Limit("`u64` bounded, metrics by default : `#[cached(max_size)]`", bounded, One, DEFAULT_CAPACITY, MAX_SIZE, 0.42),
        Limit("the same, two threads", bounded, Two, DEFAULT_CAPACITY, MAX_SIZE, 0.17),
        Limit("`u64` with `stale_after`, metrics by default : `#[cached(ttl_secs)]`", aging, One, DEFAULT_STALE_AFTER, TTL, 0.43),
        Limit("`&str`, metrics by default : `#[cached]`", words, One, DEFAULT, CACHED, 0.63),
        Limit("async `u64`, metrics by default : async `#[cached]`", asynchronous, One, DEFAULT, CACHED, 0.15),
        Limit("`u64` unbounded, rate 0.1 : `#[cached]`", unbounded, One, TENTH, CACHED, 1.0),
        Limit("the same, two threads", unbounded, Two, TENTH, CACHED, 0.45),
        Limit("`u64` bounded, rate 0.1 : `#[cached(max_size)]`", bounded, One, CAPACITY, MAX_SIZE, 0.85),
        Limit("the same, two threads", bounded, Two, CAPACITY, MAX_SIZE, 0.6),
        Limit("`u64` with `stale_after`, rate 0.1 : `#[cached(ttl_secs)]`", aging, One, STALE_AFTER, TTL, 0.45),
        Limit("`&str`, rate 0.1 : `#[cached]`", words, One, TENTH, CACHED, 0.75),
        Limit("async `u64`, rate 0.1 : async `#[cached]`", asynchronous, One, TENTH, CACHED, 0.2),
        Limit("async `u64`, rate 0.1 : hitbox-fn", asynchronous, One, TENTH, HITBOX, 0.02),
        Limit("rate 0 : metrics off", unbounded, One, RATE_0, OFF, 1.15),
        Limit("the 20th instantiation of a generic function : a plain function", unbounded, One, GENERIC, OFF, 1.4),
        Limit("file hit, metrics off : the same file read and decoded by hand", files, One, IN_FILES, READ_BY_HAND, 1.3),
    ];
    let growth = [OFF, DEFAULT, TENTH].map(|row| growth(&results.thousand, &results.million, row));
    limits.iter().map(verdict).chain(growth).collect()
}

fn verdict(limit: &Limit) -> Verdict {
    let &Limit(what, case, threads, (ours, metrics), (peer, counts), at_most) = limit;
    let (ours, peer) = (case.row(ours, metrics), case.row(peer, counts));
    Verdict {
        what: what.to_owned(),
        at_most,
        measured: ours.timings(threads).ratio(peer.timings(threads)),
    }
}

/// A lower bound for hits timed at a rate of 0.1: as if metrics cost nothing but reading the clock.
fn floors(results: &Results) -> String {
    use Threads::{One, Two};
    const RATE: f64 = 0.1;
    let readings = machine::two_readings();
    let mut text = format!(
        "\n### Floors of limits that are missed\n\n\
         A timed hit reads the clock twice, which takes {readings:.1} ns. If metrics cost nothing but these readings, the ratios at\n\
         rate 0.1 would be, as medians divided:\n\n\
         | metrics off, and a tenth of two readings : peer | |\n|---|--:|\n"
    );
    let Results {
        unbounded,
        aging,
        asynchronous,
        ..
    } = results;
    let rows = [
        ("`u64` unbounded : `#[cached]`", unbounded, One, OFF, CACHED),
        ("the same, two threads", unbounded, Two, OFF, CACHED),
        (
            "`u64` with `stale_after` : `#[cached(ttl_secs)]`",
            aging,
            One,
            STALE_AFTER_OFF,
            TTL,
        ),
        (
            "async `u64` : async `#[cached]`",
            asynchronous,
            One,
            OFF,
            CACHED,
        ),
    ];
    for (what, case, threads, (ours, metrics), (peer, counts)) in rows {
        let median = |name, metrics| case.row(name, metrics).timings(threads).median();
        let least = (median(ours, metrics) + RATE * readings) / median(peer, counts);
        let _ = writeln!(text, "| {what} | {least:.2} |");
    }
    text
}

/// How much more a hit costs with a million entries than with a thousand, less the processor cache misses that a plain
/// map has too.
fn growth(thousand: &Measured, million: &Measured, (name, metrics): Row) -> Verdict {
    let median =
        |case: &Measured, name, metrics| case.row(name, metrics).timings(Threads::One).median();
    let misses = median(million, PLAIN_MAP, "none") - median(thousand, PLAIN_MAP, "none");
    let ours = |case| median(case, name, metrics);
    Verdict {
        what: format!("1,000,000 entries, {metrics}, less the misses of a plain map : 1,000"),
        at_most: 1.3,
        measured: (ours(million) - misses) / ours(thousand),
    }
}
