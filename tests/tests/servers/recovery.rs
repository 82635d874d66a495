//! A store that is back after an outage: servers by the system's clock and with default settings, folders by the test's.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cachier::testing::{Clock, IsolatedContext};
use cachier::{Call, CallOptions, Error, Outcome};
use cachier_servers::proxy::Proxy;
use cachier_tests::callers::{Callers, in_context, runtime};
use cachier_tests::wait::until;
use cachier_tests::{double, triple};
use tempfile::TempDir;

use crate::store::{Store, Subject, runs_in_a_process};
use crate::unreached::says_so;

crate::on_every_server! { if runs_in_a_process:
    calls_hit_soon_after_a_long_outage
    async_calls_hit_soon_after_a_long_outage
    invalidations_after_an_outage_succeed
    async_invalidations_after_an_outage_succeed
}

crate::on_stores!([s3: S3, moto: Moto] { if runs_in_a_process:
    calls_hit_soon_after_a_long_outage
    async_calls_hit_soon_after_a_long_outage
    invalidations_after_an_outage_succeed
    async_invalidations_after_an_outage_succeed
});

/// Tolerance beyond the budget, for loaded machines.
const SLACK: Duration = Duration::from_millis(1900);

/// A cached function, sync or async.
#[derive(Clone, Copy)]
struct Function {
    call: fn(u64) -> Call<u64>,
    invalidate: fn(u64) -> Result<bool, Error>,
    clear: fn() -> Result<Option<u64>, Error>,
}

double!(backend = registered("store"));
triple!(backend = registered("store"));

const SYNC: Function = Function {
    call: |number| double::call_detailed(CallOptions::new(), number),
    invalidate: double::invalidate,
    clear: double::clear_cache,
};

/// In a task, as in a server.
const ASYNC: Function = Function {
    call: |number| in_task(triple::call_detailed(CallOptions::new(), number)),
    invalidate: |number| in_task(triple::invalidate(number)),
    clear: || in_task(triple::clear_cache()),
};

fn in_task<R: Send + 'static>(future: impl Future<Output = R> + Send + 'static) -> R {
    let task = runtime().spawn(in_context(IsolatedContext::current(), future));
    runtime().block_on(task).unwrap()
}

impl Function {
    fn outcome(self) -> Outcome {
        (self.call)(1).outcome
    }

    /// The subject behind a proxy, with an entry that calls hit.
    fn serve(self, subject: &Subject) -> Proxy {
        let proxy = subject.behind_a_proxy();
        until("it is served", || self.outcome() == Outcome::Hit);
        proxy
    }

    /// The server hangs, and the breaker opens.
    fn hang(self, proxy: &Proxy) {
        proxy.hang(true);
        let crowd = Callers::new().on_threads(8, move || (self.call)(1));
        for call in crowd.values() {
            // Waiters of the first share its value.
            assert!(call.backend_error.is_some(), "{call}");
        }
    }

    fn hits_soon_after_a_long_outage(self, subject: &Subject) {
        /// Failing probes until the pause between them is as long as it gets.
        const PROBES: u32 = 3;
        let proxy = self.serve(subject);
        self.hang(&proxy);
        let mut probes = 0;
        until("the pauses are as long as they become", || {
            let began = Instant::now();
            assert_eq!(self.outcome(), Outcome::Unavailable);
            // Other calls are refused at once.
            probes += u32::from(began.elapsed() > Duration::from_millis(500));
            probes == PROBES
        });
        recover(&proxy);
        let back = Instant::now();
        until("calls hit again", || self.outcome() == Outcome::Hit);
        let took = back.elapsed();
        let longest = cachier::global_params().breaker_max_pause;
        assert_eq!(longest, Duration::from_secs(5));
        assert!(took < longest + SLACK, "{took:?}");
    }

    fn is_invalidated_after_an_outage(self, subject: &Subject) {
        let proxy = self.serve(subject);
        self.hang(&proxy);
        recover(&proxy);
        assert!((self.invalidate)(1).unwrap());
        let outcomes = [(); 2].map(|()| self.outcome());
        assert_eq!(outcomes, [Outcome::Miss, Outcome::Hit]);
    }
}

/// The server is back. What was sent meanwhile is lost, as are the connections.
fn recover(proxy: &Proxy) {
    proxy.lose_all();
    proxy.hang(false);
}

fn calls_hit_soon_after_a_long_outage(subject: &Subject) {
    SYNC.hits_soon_after_a_long_outage(subject);
}

fn async_calls_hit_soon_after_a_long_outage(subject: &Subject) {
    ASYNC.hits_soon_after_a_long_outage(subject);
}

fn invalidations_after_an_outage_succeed(subject: &Subject) {
    SYNC.is_invalidated_after_an_outage(subject);
}

fn async_invalidations_after_an_outage_succeed(subject: &Subject) {
    ASYNC.is_invalidated_after_an_outage(subject);
}

/// In the time of the test: stores in a folder, in whose place a file stands for a while.
mod in_folders {
    use super::*;

    crate::on_stores!([file: File, sqlite: Sqlite] {
        calls_hit_once_the_folder_is_back
        async_calls_hit_once_the_folder_is_back
        removals_succeed_once_the_folder_is_back
        async_removals_succeed_once_the_folder_is_back
    });

    fn calls_hit_once_the_folder_is_back(subject: &Subject) {
        SYNC.hits_once_its_folder_is_back(subject);
    }

    fn async_calls_hit_once_the_folder_is_back(subject: &Subject) {
        ASYNC.hits_once_its_folder_is_back(subject);
    }

    fn removals_succeed_once_the_folder_is_back(subject: &Subject) {
        SYNC.is_removed_once_its_folder_is_back(subject);
    }

    fn async_removals_succeed_once_the_folder_is_back(subject: &Subject) {
        ASYNC.is_removed_once_its_folder_is_back(subject);
    }

    impl Function {
        fn hits_once_its_folder_is_back(self, subject: &Subject) {
            let blocked = Blocked::register(subject);
            // Forty seconds.
            for number in 0..400 {
                assert_eq!((self.call)(number).outcome, Outcome::Unavailable);
                Clock::advance(Duration::from_millis(100));
            }
            blocked.unblock();
            Clock::advance(Duration::from_secs(5));
            let outcomes = [(); 2].map(|()| self.outcome());
            assert_eq!(outcomes, [Outcome::Miss, Outcome::Hit]);
        }

        fn is_removed_once_its_folder_is_back(self, subject: &Subject) {
            let blocked = Blocked::register(subject);
            for number in 0..u64::from(cachier::global_params().breaker_threshold) {
                (self.call)(number);
            }
            says_so(&(self.invalidate)(1).unwrap_err());
            says_so(&(self.clear)().unwrap_err());
            blocked.unblock();
            assert!(!(self.invalidate)(1).unwrap(), "there is nothing");
            let outcomes = [(); 2].map(|()| self.outcome());
            assert_eq!(
                outcomes,
                [Outcome::Miss, Outcome::Hit],
                "an answer has closed the breaker"
            );
        }
    }

    /// A folder whose place a file takes.
    struct Blocked(TempDir);

    impl Blocked {
        fn register(subject: &Subject) -> Self {
            let blocked = Self(cachier_servers::folder());
            std::fs::write(blocked.place(), "").unwrap();
            let inside = blocked.place().join("cache.db").display().to_string();
            subject.register_at(&match subject.store {
                Store::Sqlite => format!("sqlite:{inside}"),
                _ => inside,
            });
            blocked
        }

        fn place(&self) -> PathBuf {
            self.0.path().join("place")
        }

        fn unblock(&self) {
            std::fs::remove_file(self.place()).unwrap();
            std::fs::create_dir(self.place()).unwrap();
        }
    }
}
