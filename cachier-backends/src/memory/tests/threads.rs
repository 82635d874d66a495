//! Many threads on one store.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use super::super::{Bounds, MemoryStore, NewEntry};
use super::support::{ANY, plain, unbounded};

const THREADS: u64 = 4;
const KEYS: u64 = 200;

/// Pseudo-random numbers, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

/// A value that shows its key.
fn value(key: u64, numbers: &mut Numbers) -> NewEntry<Vec<u64>> {
    let len = 1 + numbers.below(5);
    plain(vec![key; len as usize]).sized(Some(8 * len))
}

fn work(store: &MemoryStore<u64, Vec<u64>>, bounds: Bounds, seed: u64) {
    let mut numbers = Numbers(seed);
    for _ in 0..20_000 {
        let key = numbers.below(KEYS);
        match numbers.below(100) {
            0..60 => {
                let found = store.get(&key, ANY);
                assert!(found.is_none_or(|value| value.iter().all(|k| *k == key)));
            }
            60..95 => {
                let inserted = store.insert(key, value(key, &mut numbers));
                assert!(bounds.entries.is_none_or(|limit| inserted.entries <= limit));
            }
            95..99 => drop(store.remove(&key)),
            _ if numbers.below(20) == 0 => drop(store.clear()),
            _ => assert!(
                bounds
                    .bytes
                    .is_none_or(|limit| store.bytes().unwrap() <= limit)
            ),
        }
    }
}

#[test]
fn counts_agree_with_contents_after_all_threads() {
    let entries = [None, Some(1), Some(50)];
    let bytes = [None, Some(1000)];
    for bounds in entries
        .iter()
        .flat_map(|entries| bytes.map(|bytes| Bounds::new(*entries, bytes)))
    {
        let store = MemoryStore::new(bounds);
        thread::scope(|scope| {
            for seed in 0..THREADS {
                let store = &store;
                scope.spawn(move || work(store, bounds, seed));
            }
        });
        let held: Vec<Vec<u64>> = (0..KEYS)
            .filter_map(|k| Some(store.peek(&k)?.value))
            .collect();
        assert_eq!(store.entries(), held.len() as u64);
        assert_eq!(
            store.bytes(),
            Some(held.iter().map(|v| 8 * v.len() as u64).sum())
        );
        assert_eq!(store.clear(), held.len() as u64);
        assert_eq!((store.entries(), store.bytes()), (0, Some(0)));
    }
}

#[test]
fn a_permanent_entry_is_always_found() {
    let store = unbounded();
    let _ = store.insert(0, plain(0));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    assert!(store.get(&0, ANY).is_some());
                }
            });
        }
        for key in 1..30_000u64 {
            let _ = store.insert(key, plain(key));
            let _ = store.insert(0, plain(key));
            if key % 3 == 0 {
                store.remove(&(key / 2));
            }
        }
        done.store(true, SeqCst);
    });
}

#[test]
fn a_word_is_never_that_of_another_key() {
    for bounds in [None, Some(50)].map(|entries| Bounds::new(entries, None)) {
        let store: &MemoryStore<u64, u64> = &MemoryStore::new(bounds);
        let done = &AtomicBool::new(false);
        thread::scope(|scope| {
            for seed in 0..2 {
                scope.spawn(move || {
                    let mut numbers = Numbers(seed);
                    while !done.load(SeqCst) {
                        let key = numbers.below(KEYS);
                        let value = store.get(&key, ANY);
                        assert!(value.is_none_or(|value| value % KEYS == key));
                        let entry = store.peek(&key);
                        assert!(entry.is_none_or(|entry| entry.value % KEYS == key));
                    }
                });
            }
            let mut numbers = Numbers(7);
            for round in 0..200_000 {
                let key = numbers.below(KEYS);
                if round % 5 == 0 {
                    store.remove(&key);
                } else {
                    let _ = store.insert(key, plain(KEYS * round + key));
                }
            }
            done.store(true, SeqCst);
        });
        let held = (0..KEYS).filter(|key| store.peek(key).is_some()).count();
        assert_eq!(store.entries(), held as u64);
    }
}
