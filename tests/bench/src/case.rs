//! One kind of call, with all subjects that can make it.

use std::env;

use crate::harness::{Effort, Subject, Timings, time};
use crate::subjects;
use crate::workload::zipf;

/// Subjects that are given the same arguments.
#[derive(Debug)]
pub struct Case<A> {
    /// As the report calls it.
    pub title: &'static str,
    /// All arguments there are.
    pub keys: Vec<A>,
    /// Timed calls in a turn: fewer for slow subjects.
    pub calls: usize,
    /// The name of the subject that the others are compared with.
    pub reference: &'static str,
    /// The functions.
    pub subjects: Vec<Subject<A>>,
}

/// How much time there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Enough for figures to rely on.
    Full,
    /// Just enough to see that everything runs.
    Quick,
}

/// What a case came to.
#[derive(Clone, Debug)]
pub struct Measured {
    /// As the report calls it.
    pub title: &'static str,
    /// The name of the subject that the others are compared with.
    pub reference: &'static str,
    /// Subject by subject.
    pub rows: Vec<Row>,
    /// How many turns were repeated because of a disturbance.
    pub repeated: usize,
    /// How many turns there were.
    pub turns: usize,
}

/// What one subject came to.
#[derive(Clone, Debug)]
pub struct Row {
    /// The subject.
    pub name: &'static str,
    /// What it counts and measures meanwhile.
    pub metrics: &'static str,
    /// With one thread and with two at once, for each call of each thread.
    pub timings: [Timings; 2],
}

/// How many threads call at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// One alone.
    One,
    /// Two, each on a stream of its own.
    Two,
}

impl Mode {
    /// As `CACHIER_BENCH=quick` or the argument `--quick` asks for.
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
    /// When a subject computes during the measurement: then it was not hits that were measured.
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

    /// With so many threads.
    pub fn timings(&self, threads: Threads) -> &Timings {
        &self.timings[threads as usize]
    }
}

impl Measured {
    /// The row of this subject with these metrics.
    ///
    /// # Panics
    /// When there is none.
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
