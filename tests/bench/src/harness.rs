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
    /// As the table calls it.
    pub name: &'static str,
    /// What it counts and measures meanwhile.
    pub metrics: &'static str,
    /// Calls the function once for each argument, in a loop of its own so that nothing stands between the calls.
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
    /// Timed calls in a turn.
    pub calls: usize,
    /// How often a turn in which a thread was taken off its processor is repeated.
    pub repeats: usize,
}

/// Nanoseconds for each call of one subject, round by round.
#[derive(Clone, Debug, Default)]
pub struct Timings(Vec<f64>);

impl Timings {
    /// The middle one of the rounds.
    pub fn median(&self) -> f64 {
        median(self.0.clone())
    }

    /// The middle one of the ratios that the rounds give, each by itself.
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

/// Times the subjects in turns: on one thread for each stream of arguments, all threads at the same subject at once.
///
/// In each round the subjects come in another order. Before each turn a subject makes as many calls untimed, others of the
/// same stream, so that the processor's caches hold what they would hold if it were alone. A turn in which a thread was taken off its processor is
/// repeated; how often that happened is the second part of the result.
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

/// Where the threads meet.
struct Stage {
    threads: usize,
    /// How often a thread has come to a meeting.
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

    /// Runs the calls on all threads at once; nanoseconds that this one took.
    fn take_turn<A>(
        &self,
        run: fn(&[A]) -> u64,
        before: &[A],
        calls: &[A],
        mut repeats: usize,
    ) -> f64 {
        loop {
            black_box(run(before));
            self.meet(|| {});
            let (elapsed, disturbed) = stopwatch(|| black_box(run(calls)));
            self.disturbed.fetch_or(disturbed, Ordering::Relaxed);
            // Who is first goes on, so that the others are not measured alone.
            self.meet(|| {
                black_box(run(&calls[..calls.len() / 20]));
            });
            let disturbed = self.disturbed.load(Ordering::Relaxed);
            self.meet(|| {});
            self.disturbed.store(false, Ordering::Relaxed);
            if !disturbed || repeats == 0 {
                return elapsed;
            }
            repeats -= 1;
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits for the other threads, doing something meanwhile. Spins, as threads that are woken do not start together;
    /// for long only where there are not enough processors.
    fn meet(&self, meanwhile: impl Fn()) {
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

/// Nanoseconds that the work took, and whether the thread was off its processor for some of them.
fn stopwatch<R>(work: impl FnOnce() -> R) -> (f64, bool) {
    let busy = processor_nanos();
    let started = Instant::now();
    work();
    let elapsed = started.elapsed().as_nanos() as f64;
    (elapsed, processor_nanos() - busy < 0.95 * elapsed)
}

/// The time that this thread has been on a processor, in nanoseconds.
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
