//! The ticker thread of a process.

use std::thread;
use std::time::Duration;

use crate::clock::synchronize;
use crate::per_process::PerProcess;
use once_cell::race::OnceBox;

static TICK: OnceBox<fn()> = OnceBox::new();

/// Starts the ticker with what it does each second; the same for a whole program.
pub(crate) fn start_with(tick: fn()) {
    TICK.get_or_init(|| Box::new(tick));
    start();
}

/// If no thread can be started, windows still rotate whenever they are read.
pub(crate) fn start() {
    static STARTED: PerProcess<()> = PerProcess::new();
    STARTED.get(|_| {
        let ticker = thread::Builder::new().name("cachier-ticker".to_owned());
        let _ = ticker.spawn(|| {
            loop {
                synchronize();
                TICK.get().into_iter().for_each(|tick| tick());
                thread::sleep(Duration::from_secs(1));
            }
        });
    });
}
