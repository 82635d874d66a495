//! The ticker thread of a process.

use std::thread;
use std::time::Duration;

use crate::clock::synchronize;
use crate::per_process::PerProcess;
use once_cell::race::OnceBox;
use once_cell::sync::OnceCell;

static TICK: OnceBox<fn()> = OnceBox::new();

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
        TICK.get().into_iter().for_each(|tick| tick());
        thread::sleep(Duration::from_secs(1));
    }
}
