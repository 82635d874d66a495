//! The ticker thread of a process.

use std::ptr::fn_addr_eq;
use std::thread;
use std::time::Duration;

use crate::append_list::AppendList;
use crate::clock::synchronize;
use crate::per_process::PerProcess;
use once_cell::race::OnceBox;
use once_cell::sync::OnceCell;

static TICK: OnceBox<fn()> = OnceBox::new();
static LISTENERS: AppendList<fn()> = AppendList::new();

/// Adds a `listener` that the ticker calls each second, in forked children too, once there is a function. It must not wait.
#[doc(hidden)]
pub fn set_tick_listener(listener: fn()) {
    LISTENERS.add(listener, |one, other| fn_addr_eq(*one, *other));
}

/// Starts the ticker with what it does each second; the same for a whole program.
pub(crate) fn start_with(tick: fn()) {
    TICK.get_or_init(|| Box::new(tick));
    start();
}

/// If no thread can be started, windows still rotate whenever they are read.
pub(crate) fn start() {
    static STARTED: PerProcess<OnceCell<()>> = PerProcess::new();
    let start = || {
        let ticker = thread::Builder::new().name("cachier-ticker".to_owned());
        ticker.spawn(run).map(drop)
    };
    let _ = STARTED.get(|_| OnceCell::new()).get_or_try_init(start);
}

fn run() {
    loop {
        synchronize();
        let ticks = TICK.get().into_iter().chain(LISTENERS.iter());
        ticks.for_each(|tick| tick());
        thread::sleep(Duration::from_secs(1));
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Instant;

    use super::*;

    #[test]
    fn listeners_are_called_each_second() {
        static CALLED: AtomicU64 = AtomicU64::new(0);
        const LISTENER: fn() = || _ = CALLED.fetch_add(1, Ordering::Relaxed);
        (0..2).for_each(|_| set_tick_listener(LISTENER));
        start();
        let begun = Instant::now();
        while CALLED.load(Ordering::Relaxed) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "it ticks");
            thread::yield_now();
        }
    }
}
