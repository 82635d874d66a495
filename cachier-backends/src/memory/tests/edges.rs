//! Single-threaded tests: bounds at their edges, lookups, collisions.

use std::hash::{Hash, Hasher};

use super::super::{Bounds, MemoryStore, NewEntry};
use super::support::{ANY, NONE, at_most, plain, unbounded};

/// No machine word: those take what they take.
type Value = [u64; 1];

fn sized(bytes: u64) -> NewEntry<Value> {
    plain([bytes]).sized(Some(bytes))
}

fn at_most_bytes(bytes: u64) -> MemoryStore<u64, Value> {
    MemoryStore::new(Bounds::new(None, Some(bytes)))
}

#[test]
fn a_store_of_no_entries_keeps_nothing() {
    let store = at_most(0);
    let inserted = store.insert(1, plain(1));
    assert!(!inserted.kept);
    assert_eq!((inserted.evicted, inserted.entries), (0, 0));
    assert_eq!(store.peek(&1), None);
}

#[test]
fn a_store_of_one_keeps_the_last_entry() {
    let store = at_most(1);
    for key in 0..10 {
        let inserted = store.insert(key, plain(key));
        assert_eq!((inserted.kept, inserted.entries), (true, 1));
        for _ in 0..5 {
            assert_eq!(store.get(&key, ANY), Some(key));
        }
    }
}

#[test]
fn a_full_store_keeps_a_new_entry() {
    for capacity in 1..50 {
        let store = at_most(capacity);
        for key in 0..500 {
            let _ = store.insert(key, plain(key));
            assert!(store.get(&key, ANY).is_some(), "{key} of {capacity}");
            // Every third is popular, so that the main queue fills.
            for _ in 0..3 {
                let _ = store.get(&(key - key % 3), ANY);
            }
        }
        assert_eq!(store.entries(), capacity);
    }
}

#[test]
fn an_oversized_entry_only_removes_its_predecessor() {
    let store = at_most_bytes(100);
    let _ = store.insert(1, sized(60));
    let _ = store.insert(2, sized(40));
    let inserted = store.insert(1, sized(101));
    assert!(!inserted.kept);
    assert_eq!((inserted.evicted, inserted.entries), (0, 1));
    assert_eq!(store.peek(&1), None);
    assert_eq!(store.bytes(), Some(40));
}

#[test]
fn a_byte_bound_excludes_unknown_sizes() {
    let store = at_most_bytes(100);
    assert!(!store.insert(1, plain([1])).kept);
    assert_eq!(store.bytes(), Some(0));
}

#[test]
fn an_entry_may_fill_the_whole_store() {
    let store = at_most_bytes(100);
    for key in 0..10 {
        assert!(store.insert(key, sized(10)).kept);
    }
    let inserted = store.insert(99, sized(100));
    assert_eq!(
        (inserted.kept, inserted.evicted, inserted.entries),
        (true, 10, 1)
    );
}

#[test]
fn a_grown_value_does_not_evict_itself() {
    let store = at_most_bytes(100);
    for key in 0..4 {
        let _ = store.insert(key, sized(25));
    }
    let inserted = store.insert(0, sized(60));
    assert_eq!((inserted.kept, inserted.evicted), (true, 3 - 1));
    assert_eq!(store.peek(&0).unwrap().value, [60]);
    assert_eq!(store.bytes(), Some(85));
}

#[test]
fn sizes_near_the_largest_number_do_not_overflow() {
    let store = at_most_bytes(u64::MAX);
    let _ = store.insert(1, sized(u64::MAX - 1));
    let _ = store.insert(2, sized(u64::MAX - 1));
    assert_eq!(store.entries(), 1);
    let store: MemoryStore<u64, Value> = unbounded();
    let _ = store.insert(1, sized(u64::MAX));
    let _ = store.insert(2, sized(u64::MAX));
    let bytes = store.bytes().unwrap();
    assert_eq!(bytes >> 30, 2047, "each counts as nearly 1 TiB");
}

#[test]
fn the_total_is_unknown_while_one_size_is() {
    let store: MemoryStore<u64, Value> = unbounded();
    let _ = store.insert(1, sized(10));
    let _ = store.insert(2, plain([0]));
    assert_eq!(store.bytes(), None);
    assert!(store.remove(&2));
    assert_eq!(store.bytes(), Some(10));
}

#[test]
fn words_are_bounded_by_their_real_size() {
    let store = MemoryStore::new(Bounds::new(None, Some(10_000)));
    let admitted = (0..10_000).filter(|n| {
        let entry = plain(*n).sized(Some(u64::MAX));
        store.insert(*n, entry).evicted == 0
    });
    let admitted = admitted.count() as u64;
    assert_eq!(store.entries(), admitted);
    let bytes = store.bytes().unwrap();
    assert!((5_000..=10_000).contains(&bytes), "{bytes} of {admitted}");
}

#[test]
fn stale_values_are_not_cloned_by_lookups() {
    #[derive(Debug)]
    struct NotToBeCloned;
    impl Clone for NotToBeCloned {
        fn clone(&self) -> Self {
            panic!("cloned")
        }
    }
    let store = at_most(1);
    let _ = store.insert(1, plain(NotToBeCloned));
    assert!(store.get(&1, NONE).is_none());
}

#[test]
fn a_lookup_borrows_the_key() {
    let store = at_most(2);
    let _ = store.insert("a".to_owned(), plain(1));
    assert_eq!(store.get("a", ANY), Some(1));
    assert!(store.remove("a"));
}

#[test]
fn keys_of_one_hash_are_told_apart() {
    #[derive(Clone, Copy, PartialEq, Eq)]
    struct Colliding(u32);
    impl Hash for Colliding {
        fn hash<H: Hasher>(&self, state: &mut H) {
            0.hash(state);
        }
    }
    let store = unbounded();
    // More than a bucket's overflow counter can count.
    for key in 0..600 {
        let _ = store.insert(Colliding(key), plain(key));
    }
    for key in (0..600).filter(|key| key % 3 != 0) {
        assert!(store.remove(&Colliding(key)));
    }
    for key in 0..600 {
        let found = store.peek(&Colliding(key)).map(|entry| entry.value);
        assert_eq!(found, (key % 3 == 0).then_some(key));
    }
}

/// Fills a store of 100 entries, looks the first half up, and inserts 100 more; how many of the first half are left.
fn survivors(look_up: fn(&MemoryStore<u32, u32>, u32)) -> usize {
    let store = at_most(100);
    for key in 0..100 {
        let _ = store.insert(key, plain(key));
    }
    (0..50).for_each(|key| look_up(&store, key));
    for key in 100..200 {
        let _ = store.insert(key, plain(key));
    }
    (0..50).filter(|key| store.peek(key).is_some()).count()
}

#[test]
fn hits_keep_entries_from_being_evicted() {
    let hit = |store: &MemoryStore<u32, u32>, key: u32| {
        assert!(store.get(&key, ANY).is_some());
    };
    assert_eq!(survivors(hit), 50);
}

#[test]
fn peeks_and_stale_values_are_no_uses() {
    let peek = |store: &MemoryStore<u32, u32>, key: u32| {
        assert!(store.peek(&key).is_some());
    };
    let stale = |store: &MemoryStore<u32, u32>, key: u32| {
        assert!(store.get(&key, NONE).is_none());
    };
    assert_eq!((survivors(peek), survivors(stale)), (0, 0));
}

#[test]
fn a_replaced_entry_counts_as_used() {
    let refresh = |store: &MemoryStore<u32, u32>, key: u32| {
        let _ = store.insert(key, plain(key));
    };
    assert_eq!(survivors(refresh), 50);
}

/// Values created at a moment within a microsecond, those of words and others.
fn creations<V: Clone + Send + Sync + 'static>(value: V, since: u64) -> (u64, u64) {
    let store = unbounded();
    let entry = NewEntry::new(value, 5_123, 0).fresh_since(since);
    let _ = store.insert(1, entry);
    (store.peek(&1).unwrap().created, store.created(&1).unwrap())
}

#[test]
fn a_creation_is_the_same_however_asked_for() {
    // In the order of: its microsecond, itself, another moment.
    assert_eq!(creations(7, 5_000), (5_000, 5_000));
    assert_eq!(creations(7, 5_123), (5_123, 5_123));
    assert_eq!(creations(7, 9_999), (5_000, 5_000));
    for since in [5_000, 5_123, 9_999] {
        assert_eq!(creations("seven", since), (5_123, 5_123));
    }
}

#[test]
fn freshness_counts_from_the_exact_moment() {
    let store = unbounded();
    for since in [4_999, 5_000, 5_123, 9_999, u64::MAX] {
        let entry = NewEntry::new(7, 5_123, 0).fresh_since(since);
        let _ = store.insert(1, entry);
        assert_eq!(store.get(&1, Some(|found| found == since)), Some(7));
    }
}
