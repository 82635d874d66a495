//! The store against a plain map, in sequences of operations.

use std::collections::HashMap;

use proptest::prelude::*;

use super::super::{Bounds, Entry, MemoryStore, NewEntry};

#[derive(Clone, Debug)]
enum Step {
    Get { key: u8, fresh_from: u64 },
    Peek(u8),
    Insert { key: u8, size: Option<u64> },
    Remove(u8),
    RemoveOlderThan(u64),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    // The time of an entry is its step's number, in microseconds.
    let time = || (0..300u64).prop_map(|step| 1000 * step);
    let key = || 0..60u8;
    prop_oneof![
        6 => (key(), time()).prop_map(|(key, fresh_from)| Step::Get { key, fresh_from }),
        1 => key().prop_map(Step::Peek),
        8 => (key(), prop::option::weighted(0.9, 0..40u64))
            .prop_map(|(key, size)| Step::Insert { key, size }),
        2 => key().prop_map(Step::Remove),
        1 => time().prop_map(Step::RemoveOlderThan),
        1 => Just(Step::Clear),
    ]
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let entries = prop::option::of(0..30u64);
    let bytes = prop::option::of(0..200u64);
    (entries, bytes).prop_map(|(entries, bytes)| Bounds::new(entries, bytes))
}

/// The expected entry under each key.
type Expected<V> = HashMap<u8, NewEntry<V>>;

/// A value made for a key at a time.
trait Made: Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// Whether the store is told what they take.
    const ARE_SIZED: bool;
    fn made(key: u8, now: u64) -> Self;
}

/// Behind a pointer.
impl Made for String {
    const ARE_SIZED: bool = true;

    fn made(key: u8, now: u64) -> Self {
        format!("{key} at {now}")
    }
}

/// One word, in place.
impl Made for u64 {
    const ARE_SIZED: bool = false;

    fn made(key: u8, now: u64) -> Self {
        u64::from(key) << 32 | now
    }
}

proptest! {
    #[test]
    fn a_store_agrees_with_a_map(
        bounds in bounds(),
        steps in prop::collection::vec(step(), 1..300),
    ) {
        try_all::<String>(bounds, &steps)?;
        try_all::<u64>(Bounds { bytes: None, ..bounds }, &steps)?;
    }
}

fn try_all<V: Made>(bounds: Bounds, steps: &[Step]) -> Result<(), TestCaseError> {
    let store = MemoryStore::<u8, V>::new(bounds);
    let mut expected = Expected::new();
    // Words keep times to the microsecond.
    for (now, step) in (0..).step_by(1000).zip(steps) {
        apply(&store, &mut expected, now, step.clone(), bounds)?;
        agree(&store, &expected, bounds)?;
    }
    Ok(())
}

fn apply<V: Made>(
    store: &MemoryStore<u8, V>,
    expected: &mut Expected<V>,
    now: u64,
    step: Step,
    bounds: Bounds,
) -> Result<(), TestCaseError> {
    match step {
        Step::Get { key, fresh_from } => {
            let fresh = expected.get(&key).filter(|entry| entry.since >= fresh_from);
            let got = store.get(&key, Some(|since| since >= fresh_from));
            prop_assert_eq!(got, fresh.map(|entry| entry.value.clone()));
        }
        Step::Peek(key) => prop_assert_eq!(store.peek(&key), expected.get(&key).map(shown)),
        Step::Insert { key, size } => {
            let entry = NewEntry::new(V::made(key, now), now / 2000 * 1000, now)
                .fresh_since(now)
                .sized(size);
            insert(store, expected, key, entry, bounds)?;
        }
        Step::Remove(key) => {
            prop_assert_eq!(store.remove(&key), expected.remove(&key).is_some());
        }
        Step::RemoveOlderThan(time) => {
            let before = expected.len();
            expected.retain(|_, entry| entry.since >= time);
            let removed = store.remove_older_than(time);
            prop_assert_eq!(removed, (before - expected.len()) as u64);
        }
        Step::Clear => {
            prop_assert_eq!(store.clear(), expected.len() as u64);
            expected.clear();
        }
    }
    Ok(())
}

fn insert<V: Made>(
    store: &MemoryStore<u8, V>,
    expected: &mut Expected<V>,
    key: u8,
    entry: NewEntry<V>,
    bounds: Bounds,
) -> Result<(), TestCaseError> {
    let size = entry.bytes;
    let fits = bounds.entries != Some(0)
        && bounds
            .bytes
            .is_none_or(|limit| size.is_some_and(|size| size <= limit));
    let inserted = store.insert(key, entry.clone());
    prop_assert_eq!(inserted.kept, fits);
    expected.remove(&key);
    // Which entries are evicted is up to the policy; here it only counts that none goes needlessly.
    let (held, gone): (Expected<V>, Expected<V>) = expected
        .drain()
        .partition(|(key, _)| store.peek(key).is_some());
    prop_assert_eq!(inserted.evicted, gone.len() as u64);
    if let Some(largest) = gone.values().map(|entry| entry.bytes.unwrap_or(0)).max() {
        let too_many = bounds
            .entries
            .is_some_and(|limit| held.len() as u64 + 2 > limit);
        let needed = sum(&held) + largest + size.unwrap_or(0);
        let too_large = bounds.bytes.is_some_and(|limit| needed > limit);
        prop_assert!(too_many || too_large, "evicted without need");
    }
    *expected = held;
    if fits {
        expected.insert(key, entry);
    }
    prop_assert_eq!(inserted.entries, expected.len() as u64);
    Ok(())
}

/// The store has the expected entries and counts, and keeps within its bounds.
fn agree<V: Made>(
    store: &MemoryStore<u8, V>,
    expected: &Expected<V>,
    bounds: Bounds,
) -> Result<(), TestCaseError> {
    for key in 0..60 {
        prop_assert_eq!(store.peek(&key), expected.get(&key).map(shown));
    }
    let entries = expected.len() as u64;
    prop_assert_eq!(store.entries(), entries);
    prop_assert!(bounds.entries.is_none_or(|limit| entries <= limit));
    let all_known = expected.values().all(|entry| entry.bytes.is_some());
    if V::ARE_SIZED {
        prop_assert_eq!(store.bytes(), all_known.then_some(sum(expected)));
    }
    prop_assert!(bounds.bytes.is_none_or(|limit| sum(expected) <= limit));
    Ok(())
}

fn sum<V>(entries: &Expected<V>) -> u64 {
    entries.values().filter_map(|entry| entry.bytes).sum()
}

fn shown<V: Clone>(entry: &NewEntry<V>) -> Entry<V> {
    Entry {
        value: entry.value.clone(),
        created: entry.created,
        compute_nanos: entry.compute_nanos,
    }
}
