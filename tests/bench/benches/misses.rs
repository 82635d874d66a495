//! The cost of misses: one after another, where everything is evicted again, and when many ask for one key.
#![allow(missing_docs)]

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use cached::macros::cached;
use cachier::cachier;
use cachier_bench::case::Mode;
use cachier_bench::harness::{Effort, Subject, Timings, processor_time, time};
use cachier_bench::machine;
use cachier_bench::report::{Verdict, publish, verdicts};
use cachier_bench::workload::shuffled;
use quick_cache::sync::Cache as QuickCache;

fn main() {
    let mode = Mode::chosen();
    let effort = match mode {
        Mode::Full => Effort {
            rounds: 49,
            calls: 20_000,
            repeats: 0,
        },
        Mode::Quick => Effort {
            rounds: 2,
            calls: 1_000,
            repeats: 0,
        },
    };
    let calls = effort.calls * (effort.rounds + 1);
    let texts: &'static [String] = (0..calls)
        .map(|n| format!("{n:016}"))
        .collect::<Vec<_>>()
        .leak();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let figures = [
        Figures::of_misses(
            "miss, `u64 → u64`",
            &numbers(),
            &(0..calls as u64).collect::<Vec<_>>(),
            effort,
        ),
        Figures::of_misses("miss, `String → String`", &words(), &texts, effort),
        Figures::of_churn("churn, one thread", &[uniform(calls, 0)], effort),
        Figures::of_churn(
            "churn, two threads",
            &[uniform(calls, 1), uniform(calls, 2)],
            effort,
        ),
    ];
    publish("misses", &report(&figures), mode);
}

/// Nanoseconds per call, ours first, then the peer that it is compared with.
struct Figures {
    title: &'static str,
    rows: Vec<(&'static str, f64)>,
}

impl Figures {
    /// The processor's time for each of many misses, with what it takes to grow.
    fn of_misses<A>(
        title: &'static str,
        subjects: &[Subject<A>],
        arguments: &[A],
        effort: Effort,
    ) -> Self {
        let times = processor_time(subjects, arguments, effort.calls);
        Self::new(title, subjects, times)
    }

    /// The time that passes for each call.
    fn of_churn(title: &'static str, streams: &[Vec<u64>], effort: Effort) -> Self {
        let (timings, _) = time(&churn(), streams, effort);
        Self::new(title, &churn(), timings.iter().map(Timings::median))
    }

    fn new<A>(
        title: &'static str,
        subjects: &[Subject<A>],
        times: impl IntoIterator<Item = f64>,
    ) -> Self {
        let names = subjects.iter().map(|subject| subject.name);
        Self {
            title,
            rows: names.zip(times).collect(),
        }
    }

    fn time_of(&self, subject: &str) -> f64 {
        let row = self.rows.iter().find(|(name, _)| *name == subject);
        row.map_or(f64::NAN, |(_, time)| *time)
    }

    fn verdict(&self, at_most: f64) -> Verdict {
        let [(ours, our_time), (theirs, their_time), ..] = self.rows[..] else {
            panic!("there are two subjects at least");
        };
        Verdict {
            what: format!("{}: {ours} : {theirs}", self.title),
            at_most,
            measured: our_time / their_time,
        }
    }
}

fn report(figures: &[Figures; 4]) -> String {
    let [numbers, words, _, churn] = figures;
    let mut text = format!(
        "# What a miss costs\n\nWritten by `cargo bench -p cachier-bench --bench misses` on {}. A churn has a capacity of \
         {CAPACITY} and\n{KEYS} keys of the same probability. Metrics are off. Misses alone are processor time, with the growth to all keys.\n\n",
        machine::describe()
    );
    text.push_str(&verdicts(&[
        numbers.verdict(2.0),
        words.verdict(1.3),
        churn.verdict(0.8),
    ]));
    let _ = writeln!(
        text,
        "\n`#[cached]` keeps no key from being computed twice at once. quick_cache does, and takes {:.1} times as long as that for \
         a miss\n`u64 → u64`.",
        numbers.time_of("quick_cache") / numbers.time_of("cached, `#[cached]`")
    );
    text.push_str("\n| | subject | ns for each call |\n|---|---|--:|\n");
    for Figures { title, rows } in figures {
        for (name, time) in rows {
            let _ = writeln!(text, "| {title} | {name} | {time:.0} |");
        }
    }
    let _ = writeln!(
        text,
        "\n{CALLERS} threads that ask for one key at once have its value {:.0} µs after it is computed (once).",
        stampede().as_nanos() as f64 / 1000.0
    );
    text
}

const CAPACITY: usize = 1_000;
const KEYS: usize = 10_000;
const CALLERS: usize = 64;

/// Each key as often as the others, in no order.
fn uniform(calls: usize, stream: usize) -> Vec<u64> {
    let rounds = calls.div_ceil(KEYS);
    let order: Vec<u64> = shuffled(KEYS).into_iter().map(|key| key as u64).collect();
    (0..rounds)
        .flat_map(|round| {
            let first = (round * 7_919 + stream * 3_571) % KEYS;
            let step = [1, 3, 7, 9, 11, 13][(round + stream) % 6];
            let order = &order;
            (0..KEYS).map(move |n| order[(first + step * n) % KEYS])
        })
        .take(calls)
        .collect()
}

/// A subject with a loop of its own, so that its calls are direct.
macro_rules! subject {
    ($name:literal, |$argument:ident| $call:expr) => {
        Subject {
            name: $name,
            metrics: "off",
            run: |arguments| arguments.iter().fold(0, |sum, &$argument| sum ^ $call),
        }
    };
}

fn numbers() -> [Subject<u64>; 4] {
    [
        subject!("**cachier**", |n| number(n)),
        subject!("cached, `#[cached]`", |n| peer_number(n)),
        subject!("quick_cache", |n| quick_number(n)),
        subject!("moka", |n| moka_number(n)),
    ]
}

fn words() -> [Subject<&'static str>; 2] {
    [
        subject!("**cachier**", |text| word(text).len() as u64),
        subject!("cached, `#[cached]`", |text| peer_word(text).len() as u64),
    ]
}

fn churn() -> [Subject<u64>; 4] {
    [
        subject!("**cachier**", |n| few(n)),
        subject!("cached, `#[cached(max_size)]`", |n| peer_few(n)),
        subject!("quick_cache", |n| quick_few(n)),
        subject!("moka", |n| moka_few(n)),
    ]
}

#[cachier(backend = "memory")]
fn number(n: u64) -> u64 {
    n
}

#[cached]
fn peer_number(n: u64) -> u64 {
    n
}

#[cachier(backend = "memory")]
fn word(text: &str) -> String {
    text.to_owned()
}

#[cached]
fn peer_word(text: &str) -> String {
    text.to_owned()
}

#[cachier(backend = "memory", capacity = 1_000)]
fn few(n: u64) -> u64 {
    n
}

#[cached(max_size = 1_000)]
fn peer_few(n: u64) -> u64 {
    n
}

/// A function around a cache of another library.
macro_rules! around {
    ($quick:ident, $moka:ident, $capacity:expr) => {
        fn $quick(n: u64) -> u64 {
            static CACHE: LazyLock<QuickCache<u64, u64>> =
                LazyLock::new(|| QuickCache::new($capacity));
            let Ok(value) = CACHE.get_or_insert_with(&n, || Ok::<_, Infallible>(n));
            value
        }

        fn $moka(n: u64) -> u64 {
            static CACHE: LazyLock<moka::sync::Cache<u64, u64>> =
                LazyLock::new(|| moka::sync::Cache::new($capacity as u64));
            CACHE.get_with(n, || n)
        }
    };
}

around!(quick_number, moka_number, 1_000_000);
around!(quick_few, moka_few, CAPACITY);

static RUNS: AtomicU64 = AtomicU64::new(0);

#[cachier(backend = "memory")]
fn awaited(round: u64) -> u64 {
    RUNS.fetch_add(1, Ordering::Relaxed);
    thread::sleep(COMPUTING);
    round
}

const COMPUTING: Duration = Duration::from_millis(20);

/// How long after the computation the last of many callers has the value: the median of some rounds.
fn stampede() -> Duration {
    const ROUNDS: u64 = 11;
    let mut times: Vec<Duration> = (0..ROUNDS).map(one_stampede).collect();
    times.sort();
    assert_eq!(
        RUNS.load(Ordering::Relaxed),
        ROUNDS,
        "each key is computed once"
    );
    times[times.len() / 2]
}

fn one_stampede(round: u64) -> Duration {
    let ready = Barrier::new(CALLERS);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| {
                    ready.wait();
                    let started = Instant::now();
                    assert_eq!(awaited(round), round);
                    started.elapsed()
                })
            })
            .collect();
        let times = callers.into_iter().map(|caller| match caller.join() {
            Ok(time) => time,
            Err(_) => panic!("a caller panicked"),
        });
        times.max().unwrap_or_default().saturating_sub(COMPUTING)
    })
}
