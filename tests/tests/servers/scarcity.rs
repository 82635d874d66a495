//! A process that is given no more threads for a while: its calls compute, and all is as ever once there are some again.

use std::fs;
use std::panic;
use std::sync::Mutex;
use std::time::Instant;

use cachier::{Call, CallOptions, Outcome, cachier};
use cachier_tests::callers::one_thread;
use cachier_tests::wait::until;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::forks::{PROMPT_LIMIT, in_own_process};
use crate::store::Subject;

crate::on_stores!([redis: Redis, sqlite: Sqlite, postgres: Postgres, mongo: Mongo, s3: S3] {
    calls_need_no_restart_after_scarcity
});

#[cachier(backend = registered("store"), operation_timeout = "500ms")]
fn double(number: u64) -> u64 {
    2 * number
}

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Synchronous, on a runtime's thread: what needs the threads of cachier.
fn call(number: u64) -> Call<u64> {
    let call = double::call_detailed(CallOptions::new(), number);
    assert_eq!(call.value, 2 * number);
    call
}

fn calls_need_no_restart_after_scarcity(subject: &Subject) {
    in_own_process(subject, || {
        one_thread().block_on(async {
            panic::set_hook(Box::new(|panicked| {
                PANICS.lock().unwrap().push(panicked.to_string());
            }));
            let scarce = NoThreads::begin();
            let took = [1, 2, 3].map(|number| {
                let began = Instant::now();
                call(number);
                began.elapsed()
            });
            drop(scarce);
            drop(panic::take_hook());
            assert!(took.iter().all(|took| *took < PROMPT_LIMIT), "{took:?}");
            // Each would be seen on the standard error stream.
            assert_eq!(*PANICS.lock().unwrap(), Vec::<String>::new());
            until("calls are stored again", || call(7).outcome == Outcome::Hit);
            for thread in ["cachier-timer", "cachier-heartbe"] {
                until("its threads run", || {
                    double::invalidate(7).unwrap();
                    call(7);
                    threads().iter().any(|running| running == thread)
                });
            }
        });
    });
}

/// While it lives, this process is given no stack for another thread.
struct NoThreads {
    before: Rlimit,
}

impl NoThreads {
    fn begin() -> Self {
        /// Less than a thread's stack, enough for a call.
        const ROOM: u64 = 1 << 20;
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
        let kilobytes: u64 = size
            .unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap();
        let before = getrlimit(Resource::As);
        let current = Some((kilobytes << 10) + ROOM);
        setrlimit(Resource::As, Rlimit { current, ..before }).unwrap();
        assert!(std::thread::Builder::new().spawn(|| {}).is_err());
        Self { before }
    }
}

impl Drop for NoThreads {
    fn drop(&mut self) {
        setrlimit(Resource::As, self.before).unwrap();
    }
}

/// The names of the threads of this process, of which Linux keeps 15 bytes.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect()
}
