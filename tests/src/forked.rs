//! Forked processes, like those of pre-forking servers.
//!
//! Only within a process of its own: a test starts one as a [`part`](crate::process::part), which forks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;

use fork::{Fork, fork, waitpid_nohang};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait::until;

/// A child with a copy of this process's memory. It ends with its test.
#[derive(Debug)]
pub struct Forked {
    /// `None` once it has ended.
    child: Option<i32>,
}

impl Forked {
    /// Forks. The child runs `in_child` and exits.
    ///
    /// # Panics
    /// When forking fails.
    pub fn start(in_child: impl FnOnce()) -> Self {
        match fork().expect("a child") {
            Fork::Parent(child) => Self { child: Some(child) },
            Fork::Child => {
                // The test harness does not exist in the child.
                let done = catch_unwind(AssertUnwindSafe(in_child));
                exit(i32::from(done.is_err()))
            }
        }
    }

    /// The child with this id.
    #[must_use]
    pub fn of(child: i32) -> Self {
        Self { child: Some(child) }
    }

    /// Waits until the child has exited successfully.
    ///
    /// # Panics
    /// When it fails, or does not exit.
    #[track_caller]
    pub fn finish(self) {
        assert!(self.has_succeeded(), "the forked child failed");
    }

    /// Waits until the child has exited: whether it has succeeded.
    ///
    /// # Panics
    /// When it does not exit.
    #[track_caller]
    pub fn has_succeeded(mut self) -> bool {
        let child = self.child.expect("it has not ended");
        let mut ended = None;
        until("the forked child ends", || {
            ended = waitpid_nohang(child).expect("it can be waited for");
            ended.is_some()
        });
        self.child = None;
        ended == Some(0)
    }
}

/// A child does not outlive a failed test.
impl Drop for Forked {
    fn drop(&mut self) {
        if let Some(child) = self.child.and_then(Pid::from_raw) {
            let _ = kill_process(child, Signal::KILL);
            let _ = fork::waitpid(child.as_raw_pid());
        }
    }
}
