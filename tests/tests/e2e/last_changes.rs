//! Changes in destructors of thread-locals that outlive what memory and near tiers have in each thread.

use std::cell::RefCell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use cachier::{CallOptions, Outcome, Tier, cachier, register_backend};
use cachier_tests::backend::MapBackend;

#[cachier(backend = "memory")]
fn in_memory(number: u64) -> u64 {
    number * 2
}

#[cachier(backend = "memory")]
fn text_in_memory(number: u64) -> String {
    (number * 2).to_string()
}

#[cachier(backend = registered("last changes"), near_cache = 100, near_stale_after = "1d")]
fn near(number: u64) -> u64 {
    number * 2
}

#[cachier(backend = registered("last async changes"), near_cache = 100, near_stale_after = "1d")]
async fn near_later(number: u64) -> u64 {
    number * 2
}

#[cachier(backend = "memory")]
async fn in_memory_later(number: u64) -> u64 {
    number * 2
}

/// The output of a future that waits for nothing: executors may have thread-locals of their own.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Does something in a destructor of a thread-local that was made before the thread's first cached call.
fn at_the_end(change: fn()) {
    struct Change(fn());
    impl Drop for Change {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    thread_local! {
        static CHANGE: RefCell<Option<Change>> = const { RefCell::new(None) };
    }
    let thread = thread::spawn(move || {
        CHANGE.set(Some(Change(change)));
        in_memory(0);
    });
    thread.join().unwrap();
}

#[test]
fn last_changes_of_a_thread_reach_memory() {
    for number in 1..=3 {
        in_memory(number);
        text_in_memory(number);
    }
    at_the_end(|| {
        assert!(in_memory::invalidate(1).unwrap());
        assert!(!in_memory::invalidate(1).unwrap());
        assert!(text_in_memory::invalidate(1).unwrap());
        in_memory::precache_value(2, 40).unwrap();
        text_in_memory::precache_value(2, "new".to_owned()).unwrap();
        assert_eq!(in_memory::peek(2).unwrap(), Some(40));
        assert_eq!(in_memory(3), 6);
    });
    assert_eq!(in_memory::peek(1).unwrap(), None);
    assert_eq!(text_in_memory::peek(1).unwrap(), None);
    assert_eq!((in_memory(2), text_in_memory(2)), (40, "new".to_owned()));
    at_the_end(|| {
        assert_eq!(text_in_memory::clear_cache().unwrap(), Some(2));
        assert_eq!(text_in_memory(1), "2");
    });
    assert_eq!(text_in_memory::peek(1).unwrap(), Some("2".to_owned()));
    assert_eq!(text_in_memory::peek(2).unwrap(), None);
}

#[test]
fn last_changes_of_a_thread_reach_near_tiers() {
    register_backend("last changes", MapBackend::default()).unwrap();
    let tier = |number| near::call_detailed(CallOptions::new(), number).tier;
    for number in 1..=5 {
        near(number);
    }
    at_the_end(|| {
        assert!(near::invalidate(1).unwrap());
        near::precache_value(2, 40).unwrap();
        let overwrite = CallOptions::new().overwrite_cache();
        assert_eq!(near::call_with(overwrite, 3), 6);
    });
    assert_eq!([1, 2, 3, 4].map(tier)[0], None);
    assert_eq!((near(2), near(3)), (40, 6));
    assert_eq!(tier(4), Some(Tier::Near), "others stay");
    at_the_end(|| {
        near::clear_cache().unwrap();
    });
    assert_eq!(tier(5), None);
}

#[test]
fn last_changes_of_async_functions_take_effect() {
    register_backend("last async changes", MapBackend::default()).unwrap();
    let fill = || {
        for number in 1..=3 {
            at_once(in_memory_later(number));
            at_once(near_later(number));
        }
    };
    fill();
    at_the_end(|| {
        assert!(at_once(in_memory_later::invalidate(1)).unwrap());
        assert!(at_once(near_later::invalidate(1)).unwrap());
        at_once(in_memory_later::precache_value(2, 40)).unwrap();
        at_once(near_later::precache_value(2, 40)).unwrap();
        assert_eq!(at_once(in_memory_later(3)), 6);
        assert_eq!(at_once(near_later(3)), 6);
    });
    assert_eq!(at_once(in_memory_later::peek(1)).unwrap(), None);
    assert_eq!(at_once(in_memory_later(2)), 40);
    let call = |number| at_once(near_later::call_detailed(CallOptions::new(), number));
    assert_eq!((call(1).outcome, call(2).value), (Outcome::Miss, 40));
    at_the_end(|| {
        assert_eq!(at_once(in_memory_later::clear_cache()).unwrap(), Some(2));
        at_once(near_later::clear_cache()).unwrap();
    });
    assert_eq!(at_once(in_memory_later::peek(2)).unwrap(), None);
    assert_eq!(call(3).outcome, Outcome::Miss);
}
