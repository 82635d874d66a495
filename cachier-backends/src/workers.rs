//! Threads for blocking work: started on demand, ended when idle.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

/// Work for a thread.
///
/// ```
/// use cachier_backends::workers::Job;
///
/// let job: Job = Box::new(|| println!("on a thread"));
/// job();
/// ```
pub type Job = Box<dyn FnOnce() + Send>;

/// A bounded thread pool of one process.
///
/// ```
/// use std::sync::mpsc::channel;
/// use cachier_backends::process::PerProcess;
/// use cachier_backends::workers::Workers;
///
/// static WORKERS: PerProcess<Workers> = PerProcess::new(|_| Workers::new("example", 4));
///
/// let (sender, receiver) = channel();
/// let submitted = WORKERS.submit(Box::new(move || sender.send(6 * 7).unwrap()));
/// assert!(submitted.is_ok());
/// assert_eq!(receiver.recv(), Ok(42));
/// ```
pub struct Workers {
    state: Mutex<State>,
    arrived: Condvar,
    name: &'static str,
    max: usize,
    start: fn(&'static Self) -> io::Result<()>,
}

/// No thread could be started for this job.
///
/// ```
/// use cachier_backends::process::PerProcess;
/// use cachier_backends::workers::{NoThread, Workers};
///
/// static WORKERS: PerProcess<Workers> = PerProcess::new(|_| Workers::new("example", 4));
///
/// if let Err(NoThread(job)) = WORKERS.submit(Box::new(|| {})) {
///     job(); // here instead
/// }
/// ```
pub struct NoThread(pub Job);

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    workers: usize,
    idle: usize,
}

/// How long an idle thread waits for work before it ends.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(10);

impl Workers {
    /// A pool of at most `max` threads of this name; starts none.
    #[must_use]
    pub fn new(name: &'static str, max: usize) -> Self {
        Self {
            state: Mutex::default(),
            arrived: Condvar::new(),
            name,
            max,
            start: start_thread,
        }
    }

    /// Runs a job on a thread as soon as one is free.
    ///
    /// # Errors
    /// Returns the job if no thread can be started at all.
    pub fn submit(&'static self, job: Job) -> Result<(), NoThread> {
        let mut state = self.state();
        let is_awaited = state.idle > state.queue.len();
        if !is_awaited && state.workers < self.max && (self.start)(self).is_ok() {
            state.workers += 1;
        }
        if state.workers == 0 {
            return Err(NoThread(job));
        }
        state.queue.push_back(job);
        if is_awaited {
            self.arrived.notify_one();
        }
        Ok(())
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            run(job);
        }
    }

    /// The next job; `None` once the thread has been idle for a while.
    fn next(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            state.idle += 1;
            let (guard, timeout) = self
                .arrived
                .wait_timeout(state, THREAD_KEEP_ALIVE)
                .unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if timeout.timed_out() && state.queue.is_empty() {
                state.workers -= 1;
                return None;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a job, catching its panic.
///
/// ```
/// use cachier_backends::workers;
///
/// workers::run(Box::new(|| panic!("told on the standard error stream, and over")));
/// ```
pub fn run(job: Job) {
    let _ = catch_unwind(AssertUnwindSafe(job));
}

fn start_thread(workers: &'static Workers) -> io::Result<()> {
    let thread = thread::Builder::new().name(workers.name.to_owned());
    thread.spawn(|| workers.work()).map(drop)
}

#[cfg(test)]
mod tests {
    use std::panic::resume_unwind;
    use std::sync::OnceLock;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_job_is_returned_if_no_thread_starts() {
        static WORKERS: OnceLock<Workers> = OnceLock::new();
        let workers = WORKERS.get_or_init(|| Workers {
            start: |_| Err(io::ErrorKind::OutOfMemory.into()),
            ..Workers::new("none", 2)
        });
        let panics = || resume_unwind(Box::new("on purpose"));
        let Err(NoThread(job)) = workers.submit(Box::new(panics)) else {
            panic!("there is a thread");
        };
        // The caller who runs it is not affected by its panic.
        run(job);
        assert!(workers.state().queue.is_empty());
    }

    #[test]
    fn an_idle_thread_is_woken_for_new_work() {
        static WORKERS: OnceLock<Workers> = OnceLock::new();
        let workers = WORKERS.get_or_init(|| Workers::new("woken", 1));
        let (sender, receiver) = channel();
        for _ in 0..2 {
            let done = sender.clone();
            let job = Box::new(move || done.send(()).unwrap_or_default());
            assert!(workers.submit(job).is_ok());
            // Unwoken it would look for work only when it has lingered.
            assert!(receiver.recv_timeout(THREAD_KEEP_ALIVE / 2).is_ok());
            while workers.state().idle == 0 {
                thread::yield_now();
            }
        }
    }
}
