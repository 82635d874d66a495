//! One kind of call, with all subjects that support it.

use std::env;

use crate::harness::{Effort, Subject, Timings, time};
use crate::subjects;
use crate::workload::zipf;

/// Subjects with the same arguments.
#[derive(Debug)]
pub struct Case<A> {
    /// The title in the report.
    pub title: &'static str,
    /// All arguments.
    pub keys: Vec<A>,
    /// Timed calls per turn: fewer for slow subjects.
    pub calls: usize,
    /// The subject that the others are compared with.
    pub reference: &'static str,
    /// The functions.
    pub subjects: Vec<Subject<A>>,
}

/// How thoroughly to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Enough for reliable figures.
    Full,
    /// Just enough to see that everything runs.
    Quick,
}

/// The results of a case.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The title in the report.
    pub title: &'static str,
    /// The subject that the others are compared with.
    pub reference: &'static str,
    /// Subject by subject.
    pub rows: Vec<Row>,
    /// Turns repeated because of a disturbance.
    pub repeated: usize,
    /// Turns in total.
    pub turns: usize,
}

/// The results of a subject.
#[derive(Clone, Debug)]
pub struct Row {
    /// The subject.
    pub name: &'static str,
    /// Which metrics it records.
    pub metrics: &'static str,
    /// With one thread and with two at once, per call of each thread.
    pub timings: [Timings; 2],
}

/// The number of concurrent callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// One.
    One,
    /// Two, each with its own stream of arguments.
    Two,
}

impl Mode {
    /// By `CACHIER_BENCH=quick` or the argument `--quick`.
    pub fn chosen() -> Self {
        let asked = env::var("CACHIER_BENCH").is_ok_and(|value| value == "quick");
        if asked || env::args().any(|argument| argument == "--quick") {
            Self::Quick
        } else {
            Self::Full
        }
    }

    fn effort(self, calls: usize) -> Effort {
        match self {
            Self::Full => Effort {
                rounds: 101,
                calls,
                repeats: 5,
            },
            Self::Quick => Effort {
                rounds: 2,
                calls: calls / 20,
                repeats: 0,
            },
        }
    }
}

impl<A: Copy + Send + Sync> Case<A> {
    /// Fills all caches and times the hits.
    ///
    /// # Panics
    /// If a subject computes during the measurement: then it was not hits that were measured.
    pub fn measure(&self, mode: Mode) -> Measured {
        let effort = mode.effort(self.calls);
        for subject in &self.subjects {
            (subject.run)(&self.keys);
        }
        let computed = subjects::computed();
        let (one, repeated_one) = time(&self.subjects, &self.streams(1, effort), effort);
        let (two, repeated_two) = time(&self.subjects, &self.streams(2, effort), effort);
        assert_eq!(
            subjects::computed(),
            computed,
            "{}: not all calls were hits",
            self.title
        );
        let timings = one.into_iter().zip(two).map(|(one, two)| [one, two]);
        let rows = self.subjects.iter().zip(timings);
        Measured {
            title: self.title,
            reference: self.reference,
            rows: rows
                .map(|(subject, timings)| Row::new(subject, timings))
                .collect(),
            repeated: repeated_one + repeated_two,
            turns: 2 * effort.rounds * self.subjects.len(),
        }
    }

    /// Ten turns of arguments for each thread.
    fn streams(&self, threads: u64, effort: Effort) -> Vec<Vec<A>> {
        let keys = |stream| zipf(self.keys.len(), 10 * effort.calls, stream).into_iter();
        (0..threads)
            .map(|stream| keys(stream).map(|key| self.keys[key]).collect())
            .collect()
    }
}

impl Row {
    fn new<A>(subject: &Subject<A>, timings: [Timings; 2]) -> Self {
        Self {
            name: subject.name,
            metrics: subject.metrics,
            timings,
        }
    }

    /// The timings with this many threads.
    pub fn timings(&self, threads: Threads) -> &Timings {
        &self.timings[threads as usize]
    }
}

impl Measured {
    /// The row of this subject with these metrics.
    ///
    /// # Panics
    /// If there is none.
    pub fn row(&self, name: &str, metrics: &str) -> &Row {
        let mut rows = self.rows.iter();
        let row = rows.find(|row| row.name == name && row.metrics == metrics);
        row.unwrap_or_else(|| {
            panic!(
                "{}: no subject is called {name}, metrics {metrics}",
                self.title
            )
        })
    }
}
