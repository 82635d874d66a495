//! Pins callers and servers to processors.
//!
//! Left to the system, a client and its server share a processor in one run and not in the next, which changes the time
//! of a hit by more than the differences measured here.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors of callers and of servers: the first and the last available.
#[derive(Clone, Copy)]
pub(crate) struct Affinity {
    callers: usize,
    servers: usize,
}

impl Affinity {
    /// Moves this thread, and all that it starts from now on, to the processor of servers.
    pub(crate) fn choose() -> Self {
        let allowed = sched_getaffinity(None).expect("the system tells");
        let mut processors = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor));
        let callers = processors.next().expect("it runs somewhere");
        let affinity = Self {
            callers,
            servers: processors.next_back().unwrap_or(callers),
        };
        pin(&[affinity.servers]);
        affinity
    }

    /// Runs the timed code on the processor of callers.
    pub(crate) fn timed<R>(&self, run: impl FnOnce() -> R) -> R {
        pin(&[self.callers]);
        let done = run();
        pin(&[self.servers]);
        done
    }

    /// Runs code, and the threads that it starts, on both processors.
    pub(crate) fn anywhere<R>(&self, run: impl FnOnce() -> R) -> R {
        pin(&[self.callers, self.servers]);
        let done = run();
        pin(&[self.servers]);
        done
    }
}

fn pin(processors: &[usize]) {
    let mut allowed = CpuSet::new();
    processors
        .iter()
        .for_each(|processor| allowed.set(*processor));
    sched_setaffinity(None, &allowed).expect("the processors are among those allowed");
}
