//! Calls of cached functions while their thread or process ends: in destructors of thread-locals, and in `atexit`
//! handlers.

use std::cell::RefCell;
use std::pin::pin;
use std::process::exit;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};
use std::time::Duration;

use cachier::{CallOptions, Outcome, cachier, global_params, set_global_params};
use cachier_tests::process::{part, say};
use tokio::runtime::Handle;

use crate::store::{Subject, unique};

crate::on_every_store! {
    an_ending_thread_is_served
    an_exiting_process_is_served
}

#[cachier(backend = "memory", enable_metrics)]
fn in_memory(number: u64) -> u64 {
    number * 2
}

#[cachier(backend = registered("store"), enable_metrics)]
fn stored(number: u64) -> u64 {
    number * 2
}

#[cachier(backend = registered("store"), enable_metrics)]
async fn stored_async(number: u64) -> u64 {
    number * 2
}

#[cachier(backend = registered("store"), near_cache = 100, enable_metrics)]
fn near(number: u64) -> u64 {
    number * 2
}

#[cachier(backend = registered("store"), stale_after = "1ms", next_time, enable_metrics)]
fn short_lived(number: u64) -> u64 {
    number * 2
}

#[cachier(backend = registered("store"), enable_metrics)]
fn large(length: usize) -> Vec<u8> {
    vec![0; length]
}

/// Uses the cached functions in every way; returns the outcomes of calls for both numbers.
fn use_all(numbers: [u64; 2]) -> String {
    let outcomes = numbers.map(|number| {
        let options = CallOptions::new;
        let calls = [
            in_memory::call_detailed(options(), number),
            stored::call_detailed(options(), number),
            near::call_detailed(options(), number),
            block_on(stored_async::call_detailed(options(), number)),
        ];
        calls.map(|call| {
            assert_eq!(call.value, 2 * number);
            call.outcome
        })
    });
    assert_eq!(short_lived(1), 2);
    assert_eq!(large(2 << 20).len(), 2 << 20);
    for forgotten in [3, 4] {
        stored::precache_value(forgotten, 7).unwrap();
        assert_eq!(stored::peek(forgotten).unwrap(), Some(7));
        assert!(stored::invalidate(forgotten).unwrap());
        block_on(stored_async::precache_value(forgotten, 7)).unwrap();
        assert!(block_on(stored_async::invalidate(forgotten)).unwrap());
    }
    assert!(stored::metrics().snapshot().calls[Outcome::Miss] > 0);
    assert!(cachier::check().iter().all(|health| health.error.is_none()));
    cachier::flush();
    format!("{outcomes:?}")
}

/// The result of [`use_all`] if the first number is cached and the second is not.
const SERVED: &str = "[[Hit, Hit, Hit, Hit], [Miss, Miss, Miss, Miss]]";

/// Drives a future on this thread, without a thread-local: those of other libraries may be gone.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Calls cached functions when dropped.
struct AtTheEnd(u64);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        say(use_all([1, self.0]));
    }
}

thread_local! {
    static LAST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
}

/// Thread-locals are dropped in the reverse order of their first use: this one after all used later.
fn call_at_the_end(new: u64) {
    LAST.set(Some(AtTheEnd(new)));
}

fn begin() {
    set_global_params(global_params().operation_timeout(Duration::from_secs(60)));
    use_all([1, 2]);
}

fn an_ending_thread_is_served(subject: &Subject) {
    const FIRST_USES: [fn(u64); 4] = [
        |new| {
            call_at_the_end(new);
            use_all([1, 2]);
        },
        |new| {
            use_all([1, 2]);
            call_at_the_end(new);
        },
        // Thread-locals of other libraries are destroyed before the call.
        |new| {
            call_at_the_end(new);
            let _ = Handle::try_current();
            futures_lite::future::block_on(async {});
        },
        // The first call is one of those at the end.
        call_at_the_end,
    ];
    if part().is_none() {
        let process = subject.start("end threads", &unique("ended"));
        for _ in FIRST_USES {
            assert_eq!(process.line(), SERVED);
        }
        return process.finish();
    }
    begin();
    for (first_use, new) in FIRST_USES.into_iter().zip(10..) {
        thread::spawn(move || first_use(new)).join().unwrap();
    }
}

fn an_exiting_process_is_served(subject: &Subject) {
    extern "C" fn at_exit() {
        say(use_all([1, 21]));
    }
    let Some(part) = part() else {
        for (part, calls) in [("use and exit", 2), ("exit", 1)] {
            let process = subject.start(part, &unique("exited"));
            for _ in 0..calls {
                assert_eq!(process.line(), SERVED);
            }
            process.finish();
        }
        return;
    };
    assert!(shutdown_hooks::add_shutdown_hook(at_exit));
    if part == "exit" {
        thread::spawn(begin).join().unwrap();
    } else {
        // The exiting thread's thread-locals are dropped first.
        call_at_the_end(20);
        begin();
    }
    exit(0);
}
