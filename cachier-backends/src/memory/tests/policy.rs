//! The policy against a naive one, and its purpose.

use std::collections::{HashMap, HashSet, VecDeque};

use proptest::prelude::*;

use super::super::policy::{Arrival, Policy};

/// The same rules with plain queues. Hashes are small enough not to collide in the ghost queue.
#[derive(Default)]
struct Naive {
    small: VecDeque<u32>,
    main: VecDeque<u32>,
    hashes: HashMap<u32, u32>,
    ghost: HashSet<u32>,
}

impl Naive {
    fn enter(&mut self, id: u32, hash: u32, again: bool) {
        self.hashes.insert(id, hash);
        let known = self.ghost.remove(&hash);
        match known || again {
            true => self.main.push_back(id),
            false => self.small.push_back(id),
        }
    }

    fn remove(&mut self, id: u32) {
        self.small.retain(|other| *other != id);
        self.main.retain(|other| *other != id);
    }

    fn evict(&mut self, uses: &mut HashMap<u32, u8>) -> Option<u32> {
        let total = self.small.len() + self.main.len();
        if total == 0 {
            return None;
        }
        let from_small = self.small.len() * 20 >= total;
        let queue = if from_small {
            &mut self.small
        } else {
            &mut self.main
        };
        let id = queue.pop_front().unwrap();
        let left = uses.entry(id).or_default();
        if *left > 0 {
            *left -= 1;
            self.main.push_back(id);
            return self.evict(uses);
        }
        if from_small {
            self.ghost.insert(self.hashes[&id]);
        }
        Some(id)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Enter { id: u32, hash: u32 },
    Remove(u32),
    Renew(u32),
    Use(u32),
    Evict,
}

fn step() -> impl Strategy<Value = Step> {
    let id = || 0..24u32;
    prop_oneof![
        4 => (id(), 1..32u32).prop_map(|(id, hash)| Step::Enter { id, hash }),
        1 => id().prop_map(Step::Remove),
        1 => id().prop_map(Step::Renew),
        4 => id().prop_map(Step::Use),
        2 => Just(Step::Evict),
    ]
}

proptest! {
    #[test]
    fn the_policy_does_what_plain_queues_would_do(steps in prop::collection::vec(step(), 1..400)) {
        let (mut policy, mut naive) = (with_room_for_ghosts(32), Naive::default());
        let mut present: HashMap<u32, u32> = HashMap::new();
        let mut uses: HashMap<u32, u8> = HashMap::new();
        for step in steps {
            match step {
                Step::Enter { id, hash } if !present.contains_key(&id) => {
                    present.insert(id, hash);
                    uses.insert(id, 0);
                    policy.enter(id, hash, Arrival::New);
                    naive.enter(id, hash, false);
                }
                Step::Remove(id) if present.remove(&id).is_some() => {
                    policy.remove(id);
                    naive.remove(id);
                }
                Step::Renew(id) if present.contains_key(&id) => {
                    policy.remove(id);
                    naive.remove(id);
                    policy.enter(id, present[&id], Arrival::Replacement);
                    naive.enter(id, present[&id], true);
                }
                Step::Use(id) => *uses.entry(id).or_default() = 3,
                Step::Evict => {
                    let mut ours = uses.clone();
                    let victim = policy.evict(&mut |id| spend(&mut ours, id));
                    prop_assert_eq!(victim, naive.evict(&mut uses));
                    prop_assert_eq!(&ours, &uses);
                    victim.map(|id| present.remove(&id));
                }
                _ => {}
            }
        }
    }
}

fn spend(uses: &mut HashMap<u32, u8>, id: u32) -> bool {
    let left = uses.entry(id).or_default();
    let had = *left > 0;
    *left = left.saturating_sub(1);
    had
}

/// An empty policy whose ghost queue has room for all hashes below `places`.
fn with_room_for_ghosts(places: u32) -> Policy {
    let mut policy = Policy::default();
    for id in 0..=places {
        policy.enter(id, places + id, Arrival::New);
    }
    while policy.evict(&mut |_| false).is_some() {}
    policy
}

#[test]
fn a_scan_leaves_used_ids_alone() {
    let mut policy = Policy::default();
    (0..100).for_each(|id| policy.enter(id, id + 1, Arrival::New));
    let mut used: HashSet<u32> = (0..90).collect();
    for id in 100..5000 {
        let victim = policy.evict(&mut |id| used.remove(&id)).unwrap();
        assert!(victim >= 90, "{victim} was used and the others were not");
        policy.enter(id, id + 1, Arrival::New);
    }
}

#[test]
fn keys_remembered_as_ghosts_go_to_main() {
    let mut policy = Policy::default();
    (0..20).for_each(|id| policy.enter(id, id + 1, Arrival::New));
    assert_eq!(policy.evict(&mut |_| false), Some(0));
    policy.enter(0, 1, Arrival::New);
    let rest: Vec<u32> = (0..19)
        .filter_map(|_| policy.evict(&mut |_| false))
        .collect();
    assert_eq!(rest, (1..20).collect::<Vec<u32>>());
    assert_eq!(policy.evict(&mut |_| false), Some(0));
}

#[test]
fn one_eviction_visits_few_ids() {
    let mut policy = Policy::default();
    (0..10_000).for_each(|id| policy.enter(id, id + 1, Arrival::New));
    let mut visits = 0;
    let victim = policy.evict(&mut |_| {
        visits += 1;
        true
    });
    assert!(victim.is_some());
    assert_eq!(visits, 128);
}

#[test]
fn an_empty_policy_has_nothing_to_evict() {
    assert_eq!(Policy::default().evict(&mut |_| true), None);
}
