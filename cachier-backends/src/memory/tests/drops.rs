//! When values are dropped, and what their code may do.

use std::cell::RefCell;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::super::guard::pin;
use super::super::{DeferDrops, MemoryStore};
use super::support::{ANY, at_most, plain, unbounded};

/// A value that counts those alive.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, SeqCst);
        Self(alive.clone())
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Uses stores until the condition holds: lookups of other tests delay reclamation.
fn until(condition: impl Fn() -> bool) {
    let (store, begin) = (unbounded(), Instant::now());
    while !condition() {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "it never came true"
        );
        // On the heap, so that there is something to reclaim.
        let _ = store.insert(1, plain(String::new()));
        store.remove(&1);
        std::thread::yield_now();
    }
}

#[test]
fn removed_values_are_dropped_soon() {
    let alive = Arc::new(AtomicUsize::new(0));
    let store = at_most(50);
    for key in 0..1000 {
        let _ = store.insert(key, plain(Counted::new(&alive)));
    }
    until(|| alive.load(SeqCst) == 50);
    for key in 950..975 {
        let _ = store.insert(key, plain(Counted::new(&alive)));
    }
    until(|| alive.load(SeqCst) == 50);
    assert!(store.remove(&999));
    until(|| alive.load(SeqCst) == 49);
    assert_eq!(store.clear(), 49);
    until(|| alive.load(SeqCst) == 0);
}

#[test]
fn what_a_store_holds_is_dropped_with_it() {
    let alive = Arc::new(AtomicUsize::new(0));
    let store = unbounded();
    for key in 0..1000 {
        let _ = store.insert(key, plain(Counted::new(&alive)));
    }
    drop(store);
    until(|| alive.load(SeqCst) == 0);
}

#[test]
fn values_removed_by_an_ended_thread_are_dropped() {
    let alive = Arc::new(AtomicUsize::new(0));
    let store = unbounded();
    for key in 0..100 {
        let _ = store.insert(key, plain(Counted::new(&alive)));
    }
    std::thread::scope(|scope| {
        scope.spawn(|| (0..100).for_each(|key| assert!(store.remove(&key))));
    });
    until(|| alive.load(SeqCst) == 0);
}

#[test]
fn a_value_stays_usable_while_it_is_removed() {
    let store = unbounded();
    let _ = store.insert(1, plain("held".to_owned()));
    let remove = |_| {
        assert!(store.remove(&1));
        true
    };
    let found = store.get(&1, Some(remove));
    assert_eq!(found.unwrap(), "held");
    assert_eq!(store.peek(&1), None);
}

/// A value whose drop changes its store.
#[derive(Clone)]
struct Entangled {
    store: &'static MemoryStore<u32, Entangled>,
    key: u32,
    dropped: &'static AtomicUsize,
}

impl Drop for Entangled {
    fn drop(&mut self) {
        // Nested drops, as deep as the stack of an unoptimised test allows.
        if self.dropped.fetch_add(1, SeqCst) < 500 {
            let again = Entangled {
                key: self.key + 1,
                ..*self
            };
            let _ = self.store.get(&self.key, ANY);
            let _ = self.store.insert(self.key, plain(again));
            self.store.remove(&(self.key + 1));
        }
    }
}

#[test]
fn dropping_a_value_may_use_the_store() {
    let store = Box::leak(Box::new(at_most(3)));
    let dropped = Box::leak(Box::new(AtomicUsize::new(0)));
    for key in 0..100 {
        let _ = store.insert(
            key,
            plain(Entangled {
                store,
                key,
                dropped,
            }),
        );
        let _ = store.insert(
            key,
            plain(Entangled {
                store,
                key,
                dropped,
            }),
        );
    }
    store.clear();
    until(|| dropped.load(SeqCst) > 200);
    dropped.store(1000, SeqCst);
}

#[test]
fn dropping_a_rejected_value_may_use_the_store() {
    let store = Box::leak(Box::new(at_most(0)));
    let dropped = Box::leak(Box::new(AtomicUsize::new(900)));
    let entry = plain(Entangled {
        store,
        key: 1,
        dropped,
    });
    assert!(!store.insert(1, entry).kept);
    assert!(dropped.load(SeqCst) > 900);
}

#[test]
fn no_value_is_dropped_while_drops_are_deferred() {
    let alive = Arc::new(AtomicUsize::new(0));
    let store = unbounded();
    let deferred = DeferDrops::new();
    for key in 0..100 {
        let _ = store.insert(key, plain(Counted::new(&alive)));
    }
    for key in 0..100 {
        assert!(store.remove(&key));
        let _ = store.get(&key, ANY);
    }
    assert_eq!(alive.load(SeqCst), 100);
    drop(deferred);
    until(|| alive.load(SeqCst) == 0);
}

#[test]
fn a_drop_that_panics_harms_nobody() {
    struct Fragile(&'static AtomicBool);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            Self(self.0)
        }
    }
    impl Drop for Fragile {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
            panic!("a value that panics when it is dropped");
        }
    }
    static DROPPED: AtomicBool = AtomicBool::new(false);
    let store = unbounded();
    let _ = store.insert(1, plain(Fragile(&DROPPED)));
    assert!(store.remove(&1));
    until(|| DROPPED.load(SeqCst));
    assert_eq!(store.entries(), 0);
}

#[test]
fn a_clone_that_panics_harms_nobody() {
    struct Uncloneable;
    impl Clone for Uncloneable {
        fn clone(&self) -> Self {
            panic!("a value that panics when it is cloned")
        }
    }
    let store = unbounded();
    let _ = store.insert(1, plain(Uncloneable));
    assert!(catch_unwind(AssertUnwindSafe(|| store.get(&1, ANY))).is_err());
    assert!(store.remove(&1));
}

#[test]
fn a_key_whose_comparison_panics_harms_nobody() {
    struct Incomparable(u8);
    impl Hash for Incomparable {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }
    impl PartialEq for Incomparable {
        fn eq(&self, other: &Self) -> bool {
            assert!(self.0 != other.0, "a key that panics when it is found");
            false
        }
    }
    impl Eq for Incomparable {}
    let store = unbounded();
    let _ = store.insert(Incomparable(1), plain(1));
    let again = AssertUnwindSafe(|| store.insert(Incomparable(1), plain(2)));
    assert!(catch_unwind(again).is_err());
    let _ = store.insert(Incomparable(2), plain(2));
    assert_eq!(store.entries(), 2);
}

/// Runs at the end of a thread, when it can have no guard: it was made before the first use of a store.
fn at_the_end(work: impl FnOnce() + Send + 'static) {
    struct AtTheEnd(Option<Box<dyn FnOnce()>>);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            let work = self.0.take().unwrap();
            assert!(pin().is_none());
            work();
        }
    }
    thread_local! {
        static LAST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    }
    let thread = std::thread::spawn(move || {
        LAST.set(Some(AtTheEnd(Some(Box::new(work)))));
        assert!(pin().is_some());
    });
    thread.join().unwrap();
}

#[test]
fn changes_at_thread_exit_take_effect() {
    fn changes<V: Clone + PartialEq + Debug + Send + Sync + 'static>(value: fn(u32) -> V) {
        let store: &MemoryStore<_, _> = Box::leak(Box::new(at_most(4)));
        for key in 1..=3 {
            let _ = store.insert(key, plain(value(key)));
        }
        let done = Arc::new(AtomicBool::new(false));
        let is_done = Arc::clone(&done);
        at_the_end(move || {
            assert_eq!(store.peek(&1).unwrap().value, value(1));
            assert_eq!(store.created(&1), Some(0));
            assert!(store.remove(&1));
            assert!(!store.remove(&1));
            assert_eq!(store.absent([("a", &1), ("b", &2)]), ["a"]);
            assert!(store.insert(2, plain(value(20))).kept);
            let inserted = store.insert(4, plain(value(4)));
            assert_eq!((inserted.kept, inserted.entries), (true, 3));
            is_done.store(true, SeqCst);
        });
        assert!(done.load(SeqCst));
        let values = [1, 2, 3, 4].map(|key| store.get(&key, ANY));
        assert_eq!(
            values,
            [None, Some(20), Some(3), Some(4)].map(|key| key.map(value))
        );
        at_the_end(move || assert_eq!(store.remove_older_than(1), 3));
        assert_eq!(store.entries(), 0);
        let _ = store.insert(1, plain(value(1)));
        at_the_end(move || assert_eq!(store.clear(), 1));
        assert_eq!(store.get(&1, ANY), None);
        assert!(!store.is_lost());
    }
    changes(|key| key);
    changes(|key| key.to_string());
}

/// The caller may hold a lock that a `Drop` needs.
#[test]
fn a_change_at_the_end_drops_nothing_itself() {
    struct Locking(Arc<Mutex<()>>);
    impl Clone for Locking {
        fn clone(&self) -> Self {
            Self(Arc::clone(&self.0))
        }
    }
    impl Drop for Locking {
        fn drop(&mut self) {
            drop(self.0.lock());
        }
    }
    let store: &MemoryStore<_, _> = Box::leak(Box::new(unbounded()));
    let lock = Arc::new(Mutex::new(()));
    let value = Locking(Arc::clone(&lock));
    for key in 0..100 {
        let _ = store.insert(key, plain(value.clone()));
    }
    at_the_end(move || {
        for key in 0..98 {
            let _drops = DeferDrops::new();
            let _locked = lock.lock();
            assert!(store.remove(&key));
        }
        let _locked = lock.lock();
        assert_eq!(store.clear(), 2);
    });
}
