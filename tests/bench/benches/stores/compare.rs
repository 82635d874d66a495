//! Ours and the bare client, timed in turns.

use std::hint::black_box;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};

use crate::affinity::Affinity;
use crate::value::{COMPUTED, KEYS, Report};

#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// Turns of each.
    pub(crate) rounds: usize,
    /// Calls per turn.
    pub(crate) calls: usize,
    pub(crate) affinity: Affinity,
}

/// One comparison, with its limit.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) at_most: f64,
    pub(crate) compared: Compared,
}

/// Nanoseconds per call of ours and of theirs, and the median of the ratios.
pub(crate) struct Compared {
    pub(crate) ours: f64,
    pub(crate) theirs: f64,
    pub(crate) ratio: f64,
}

impl Effort {
    /// Fewer calls, for slow stores.
    pub(crate) fn fewer(self, times: usize) -> Self {
        Self {
            calls: self.calls / times,
            ..self
        }
    }
}

/// Times both in turns, passing the number of calls.
///
/// # Panics
/// If ours computes after the first turn: then it was not hits that were measured.
pub(crate) fn compare(
    effort: Effort,
    mut ours: impl FnMut(usize),
    mut theirs: impl FnMut(usize),
) -> Compared {
    let mut timings = Vec::new();
    ours(effort.calls);
    theirs(effort.calls);
    let computed = COMPUTED.load(Ordering::Relaxed);
    effort.affinity.timed(|| {
        for round in 0..effort.rounds {
            let (a, b) = if round % 2 == 0 {
                (
                    time(&mut ours, effort.calls),
                    time(&mut theirs, effort.calls),
                )
            } else {
                let b = time(&mut theirs, effort.calls);
                (time(&mut ours, effort.calls), b)
            };
            timings.push((a, b, a / b));
        }
    });
    assert_eq!(
        COMPUTED.load(Ordering::Relaxed),
        computed,
        "not all calls were hits"
    );
    let middle = |part: fn(&(f64, f64, f64)) -> f64| {
        let mut parts: Vec<f64> = timings.iter().map(part).collect();
        parts.sort_by(f64::total_cmp);
        parts[parts.len() / 2]
    };
    Compared {
        ours: middle(|timing| timing.0),
        theirs: middle(|timing| timing.1),
        ratio: middle(|timing| timing.2),
    }
}

fn time(run: &mut impl FnMut(usize), calls: usize) -> f64 {
    let started = Instant::now();
    run(calls);
    started.elapsed().as_nanos() as f64 / calls as f64
}

/// On one task: `ours` is the cached function, `theirs` reads the bytes.
pub(crate) fn one_task(
    runtime: &Runtime,
    effort: Effort,
    ours: impl AsyncFn(u64) -> Report,
    mut theirs: impl AsyncFnMut(u64) -> Vec<u8>,
) -> Compared {
    compare(
        effort,
        |calls| {
            runtime.block_on(async {
                for id in keys(calls) {
                    black_box(ours(id).await);
                }
            });
        },
        |calls| {
            runtime.block_on(async {
                for id in keys(calls) {
                    black_box(Report::decoded(&theirs(id).await));
                }
            });
        },
    )
}

/// On one thread: `ours` is the cached function, `theirs` reads the bytes.
pub(crate) fn one_thread(
    effort: Effort,
    ours: impl Fn(u64) -> Report,
    mut theirs: impl FnMut(u64) -> Vec<u8>,
) -> Compared {
    compare(
        effort,
        |calls| {
            for id in keys(calls) {
                black_box(ours(id));
            }
        },
        |calls| {
            for id in keys(calls) {
                black_box(Report::decoded(&theirs(id)));
            }
        },
    )
}

/// Arguments for this many calls.
pub(crate) fn keys(calls: usize) -> impl Iterator<Item = u64> {
    (0..calls as u64).map(|call| call % KEYS)
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be had")
}
