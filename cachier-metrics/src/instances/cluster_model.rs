//! Processes that count, fork, pause, end and return: merging is right in whatever order their publications come in.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::cluster::Cluster;
use super::cluster_tests::{INTERVAL, SECOND, calls, hits};
use super::ledger::Ledger;
use super::publication::InstanceId;
use super::publisher::{Form, Publisher};
use super::sample::instance;

/// A process that counts and publishes.
struct Process {
    publisher: Publisher,
    counted: u64,
    /// By epoch and sequence number, what it had counted then.
    published: BTreeMap<(u32, u64), u64>,
    sequence: u64,
    is_running: bool,
}

impl Process {
    fn new(id: u128) -> Self {
        Self {
            publisher: Publisher::new(InstanceId(id), 0, INTERVAL),
            counted: 0,
            published: BTreeMap::new(),
            sequence: 0,
            is_running: true,
        }
    }

    fn publish(&mut self) -> (Form, Vec<u8>) {
        let figures = instance([calls(self.counted)]);
        let publication = self.publisher.publish(&figures, Duration::ZERO);
        self.sequence += 1;
        let (_, epoch) = self.publisher.epoch();
        self.published.insert((epoch, self.sequence), self.counted);
        publication
    }
}

/// What processes do, one step after another.
#[derive(Clone, Debug)]
enum Step {
    Count(usize, u64),
    /// Whether it learns that its publication is stored.
    Publish(usize, bool),
    Fork,
    Pause(usize),
    /// It is taken for ended if it is paused.
    Fold(usize),
    /// It goes on, and looks at the ledger first.
    Return(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let of = 0..100_usize;
    prop_oneof![
        6 => (of.clone(), 1..1000_u64).prop_map(|(of, count)| Step::Count(of, count)),
        6 => (of.clone(), prop::bool::weighted(0.9)).prop_map(|(of, known)| Step::Publish(of, known)),
        2 => Just(Step::Fork),
        1 => of.clone().prop_map(Step::Pause),
        1 => of.clone().prop_map(Step::Fold),
        1 => of.prop_map(Step::Return),
    ]
}

/// The messages of a run, and what all have counted as of their last publications.
struct Run {
    publications: Vec<Vec<u8>>,
    ledger: Ledger,
    truth: u64,
}

fn run(steps: &[Step]) -> Run {
    let mut processes: Vec<_> = (0..5).map(Process::new).collect();
    let (mut publications, mut ledger) = (Vec::new(), Ledger::default());
    for step in steps {
        let count = processes.len();
        let place = |of: usize| of % count;
        match *step {
            Step::Count(of, count) => {
                let process = &mut processes[place(of)];
                process.counted += if process.is_running { count } else { 0 };
            }
            Step::Publish(of, is_known) => {
                let process = &mut processes[place(of)];
                if process.is_running {
                    publications.push(process.publish().1);
                    if is_known {
                        process.publisher.confirm();
                    }
                }
            }
            // A child counts from zero, under an id of its own.
            Step::Fork => processes.push(Process::new(count as u128)),
            Step::Pause(of) => processes[place(of)].is_running = false,
            Step::Fold(of) => {
                let process = &processes[place(of)];
                let (instance, epoch) = process.publisher.epoch();
                let mut folder = Cluster::default();
                publications
                    .iter()
                    .for_each(|message| folder.add(message, 0).unwrap());
                let mut silent = folder.silent(1000 * SECOND, 3).into_iter();
                let found =
                    silent.find(|(found, _)| (found.instance, found.epoch) == (instance, epoch));
                if let (false, Some((tombstone, figures))) = (process.is_running, found) {
                    ledger.fold(tombstone, &figures);
                    ledger.revision += 1;
                }
            }
            Step::Return(of) => {
                let process = &mut processes[place(of)];
                let (instance, epoch) = process.publisher.epoch();
                if let Some(tombstone) = ledger.tombstone(instance, epoch) {
                    process.publisher.fold(tombstone, 0, Duration::ZERO);
                }
                process.is_running = true;
            }
        }
    }
    let last = processes
        .iter()
        .filter_map(|process| process.published.values().max());
    let truth = last.sum();
    Run {
        publications,
        ledger,
        truth,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn publications_in_any_order_give_the_truth(
        steps in prop::collection::vec(step(), 0..300),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..100),
        backwards in any::<bool>(),
    ) {
        let Run { mut publications, ledger, truth } = run(&steps);
        // Some come twice, long before or after their time.
        if !publications.is_empty() {
            for place in &order {
                let (from, to) = (place.index(publications.len()), place.index(7) * 31 % publications.len());
                publications.push(publications[from].clone());
                publications.swap(from, to);
            }
        }
        if backwards {
            publications.reverse();
        }
        let half = publications.len() / 2;
        let mut cluster = Cluster::default();
        publications[..half].iter().for_each(|message| cluster.add(message, 0).unwrap());
        let early = cluster.clone();
        cluster.add_ledger(&ledger.write()).unwrap();
        cluster.add_ledger(&Ledger::default().write()).unwrap();
        publications[half..].iter().for_each(|message| cluster.add(message, 0).unwrap());
        let merged = cluster.merge(0);
        prop_assert_eq!(hits(&merged), truth);
        prop_assert!(hits(&early.merge(0)) <= truth);
        // Once more changes nothing.
        publications.iter().for_each(|message| cluster.add(message, 0).unwrap());
        prop_assert_eq!(cluster.merge(0).figures, merged.figures);
    }
}

/// A hundred instances that start, fork, pause, end and return, in one run.
#[test]
fn a_hundred_instances_give_the_truth() {
    let mut steps = Vec::new();
    for round in 0..30_usize {
        for of in 0..100 {
            steps.push(Step::Fork);
            steps.push(Step::Count(of * 7 + round, 3 + of as u64));
            steps.push(Step::Publish(of * 7 + round, of % 9 > 0));
        }
        steps.extend([
            Step::Pause(round * 3),
            Step::Fold(round * 3),
            Step::Return(round * 2),
        ]);
        steps.truncate(steps.len().min(1500));
    }
    let Run {
        publications,
        ledger,
        truth,
    } = run(&steps);
    let mut cluster = Cluster::default();
    for message in publications.iter().rev().chain(&publications) {
        cluster.add(message, 0).unwrap();
    }
    cluster.add_ledger(&ledger.write()).unwrap();
    assert_eq!(hits(&cluster.merge(0)), truth);
    assert!(ledger.ended_instances > 3, "{}", ledger.ended_instances);
}
