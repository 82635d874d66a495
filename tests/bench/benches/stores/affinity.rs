//! Which processor runs what.
//!
//! Left to the system, a client and its server meet on one processor in one run and not in the next, and that changes the
//! time of a hit by more than what is compared.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors for callers and for servers: the first and the last that this process may use.
#[derive(Clone, Copy)]
pub(crate) struct Affinity {
    callers: usize,
    servers: usize,
}

impl Affinity {
    /// From now on this thread, and all that it starts, are where servers are.
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

    /// Runs what is timed where callers are.
    pub(crate) fn timed<R>(&self, run: impl FnOnce() -> R) -> R {
        pin(&[self.callers]);
        let done = run();
        pin(&[self.servers]);
        done
    }

    /// Runs something, and the threads that it starts, where callers are and where servers are.
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
