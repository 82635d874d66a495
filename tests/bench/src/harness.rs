//! Times many subjects in turns.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use crate::workload::Random;

/// A cached function under measurement.
#[derive(Debug)]
pub struct Subject<A> {
    /// The name in the table.
    pub name: &'static str,
    /// Which metrics it records.
    pub metrics: &'static str,
    /// Calls the function once per argument. Each subject has its own loop, so that the calls are direct.
    pub run: fn(&[A]) -> u64,
}

impl<A> Clone for Subject<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Subject<A> {}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Turns of each subject.
    pub rounds: usize,
    /// Timed calls per turn.
    pub calls: usize,
    /// How often a disturbed turn is repeated.
    pub repeats: usize,
}

/// Nanoseconds per call of one subject, by round.
#[derive(Clone, Debug, Default)]
pub struct Timings(Vec<f64>);

impl Timings {
    /// The median of the rounds.
    pub fn median(&self) -> f64 {
        median(self.0.clone())
    }

    /// The median of the ratios within each round.
    pub fn ratio(&self, other: &Self) -> f64 {
        let ratios = self
            .0
            .iter()
            .zip(&other.0)
            .map(|(ours, theirs)| ours / theirs);
        median(ratios.collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Times the subjects in turns: with one thread per stream of arguments, all threads at the same subject at once.
///
/// The order of the subjects changes from round to round. Before each turn a subject makes as many untimed calls, with
/// other arguments of the same stream, so that the processor's caches are as if it ran alone. A turn in which a thread
/// was taken off its processor is repeated; the second part of the result counts these.
pub fn time<A: Sync>(
    subjects: &[Subject<A>],
    streams: &[Vec<A>],
    effort: Effort,
) -> (Vec<Timings>, usize) {
    let stage = &Stage::new(streams.len());
    let threads: Vec<Vec<Timings>> = thread::scope(|scope| {
        let threads: Vec<_> = streams
            .iter()
            .map(|stream| scope.spawn(move || measure(subjects, stream, effort, stage)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a subject panicked"))
            .collect()
    });
    let mut timings = vec![Timings::default(); subjects.len()];
    for thread in threads {
        timings
            .iter_mut()
            .zip(thread)
            .for_each(|(sum, one)| sum.add(one, streams.len()));
    }
    (
        timings,
        stage.repeated.load(Ordering::Relaxed) / streams.len(),
    )
}

/// The processor's nanoseconds for each call of each subject, in turns of so many calls, each with an argument of its own.
pub fn processor_time<A>(subjects: &[Subject<A>], arguments: &[A], calls: usize) -> Vec<f64> {
    let mut sums = vec![0.0; subjects.len()];
    for turn in arguments.chunks_exact(calls) {
        for (subject, sum) in subjects.iter().zip(&mut sums) {
            let before = processor_nanos();
            black_box((subject.run)(turn));
            *sum += processor_nanos() - before;
        }
    }
    let each = |sum| sum / arguments.len() as f64;
    sums.into_iter().map(each).collect()
}

fn measure<A>(
    subjects: &[Subject<A>],
    stream: &[A],
    effort: Effort,
    stage: &Stage,
) -> Vec<Timings> {
    let mut timings = vec![Timings::default(); subjects.len()];
    let mut order: Vec<usize> = (0..subjects.len()).collect();
    let mut random = Random::new(1);
    let turns: Vec<&[A]> = stream.chunks_exact(effort.calls).collect();
    for round in 0..effort.rounds {
        random.shuffle(&mut order);
        for subject in &order {
            let (before, calls) = (turns[round % turns.len()], turns[(round + 1) % turns.len()]);
            let elapsed = stage.take_turn(subjects[*subject].run, before, calls, effort.repeats);
            timings[*subject].0.push(elapsed / effort.calls as f64);
        }
    }
    timings
}

impl Timings {
    /// Adds the share of one of so many threads.
    fn add(&mut self, one: Self, threads: usize) {
        self.0.resize(one.0.len(), 0.0);
        let shares = one.0.iter().map(|elapsed| elapsed / threads as f64);
        self.0
            .iter_mut()
            .zip(shares)
            .for_each(|(sum, share)| *sum += share);
    }
}

/// Synchronises the threads.
struct Stage {
    threads: usize,
    /// Total arrivals of threads at meetings.
    arrivals: AtomicUsize,
    disturbed: AtomicBool,
    repeated: AtomicUsize,
}

impl Stage {
    fn new(threads: usize) -> Self {
        Self {
            threads,
            arrivals: AtomicUsize::new(0),
            disturbed: AtomicBool::new(false),
            repeated: AtomicUsize::new(0),
        }
    }

    /// Runs the calls on all threads at once; returns the nanoseconds of this thread.
    fn take_turn<A>(
        &self,
        run: fn(&[A]) -> u64,
        before: &[A],
        calls: &[A],
        mut repeats: usize,
    ) -> f64 {
        loop {
            black_box(run(before));
            self.rendezvous(|| {});
            let (elapsed, disturbed) = stopwatch(|| black_box(run(calls)));
            self.disturbed.fetch_or(disturbed, Ordering::Relaxed);
            // The first one to finish goes on, so that the others do not run alone.
            self.rendezvous(|| {
                black_box(run(&calls[..calls.len() / 20]));
            });
            let disturbed = self.disturbed.load(Ordering::Relaxed);
            self.rendezvous(|| {});
            self.disturbed.store(false, Ordering::Relaxed);
            if !disturbed || repeats == 0 {
                return elapsed;
            }
            repeats -= 1;
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits for the other threads, calling `meanwhile`. Spins, because woken threads do not start together; for long
    /// only if there are too few processors.
    fn rendezvous(&self, meanwhile: impl Fn()) {
        let arrival = self.arrivals.fetch_add(1, Ordering::AcqRel);
        let complete = (arrival / self.threads + 1) * self.threads;
        let mut spins = 0;
        while self.arrivals.load(Ordering::Acquire) < complete {
            meanwhile();
            spin_loop();
            spins += 1;
            if spins > 100_000 {
                thread::yield_now();
            }
        }
    }
}

/// The nanoseconds of the work, and whether the thread was off its processor meanwhile.
fn stopwatch<R>(work: impl FnOnce() -> R) -> (f64, bool) {
    let busy = processor_nanos();
    let started = Instant::now();
    work();
    let elapsed = started.elapsed().as_nanos() as f64;
    (elapsed, processor_nanos() - busy < 0.95 * elapsed)
}

/// The processor time of this thread, in nanoseconds.
fn processor_nanos() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(run: fn(&[u64]) -> u64) -> Subject<u64> {
        Subject {
            name: "",
            metrics: "",
            run,
        }
    }

    #[test]
    fn each_thread_takes_each_turn_of_each_subject() {
        let subjects = [
            subject(|calls| calls.iter().sum()),
            subject(|calls| calls.len() as u64),
        ];
        let streams = [vec![1; 40], vec![2; 40]];
        let (timings, _) = time(
            &subjects,
            &streams,
            Effort {
                rounds: 5,
                calls: 20,
                repeats: 1,
            },
        );
        assert_eq!(
            timings
                .iter()
                .map(|timings| timings.0.len())
                .collect::<Vec<_>>(),
            [5, 5]
        );
        assert!(timings.iter().all(|timings| timings.median() > 0.0));
    }

    #[test]
    fn the_ratio_is_taken_round_by_round() {
        let (ours, theirs) = (
            Timings(vec![1.0, 20.0, 3.0]),
            Timings(vec![2.0, 40.0, 30.0]),
        );
        assert_eq!(ours.ratio(&theirs), 0.5);
        assert_eq!(ours.median(), 3.0);
    }

    #[test]
    fn threads_count_by_their_mean() {
        let mut sum = Timings::default();
        sum.add(Timings(vec![1.0, 2.0]), 2);
        sum.add(Timings(vec![3.0, 4.0]), 2);
        assert_eq!(sum.0, [2.0, 3.0]);
    }

    #[test]
    fn a_thread_that_sleeps_is_disturbed() {
        let (_, disturbed) =
            stopwatch(|| thread::park_timeout(std::time::Duration::from_millis(5)));
        assert!(disturbed);
    }
}
