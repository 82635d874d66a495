//! A store that stops answering during an operation: what each call waits for, and how long.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cachier::{Call, CallOptions, Outcome, cachier, global_params, set_global_params};
use cachier_servers::proxy::Proxy;
use cachier_tests::callers::{Callers, runtime};
use cachier_tests::gate::Gate;
use cachier_tests::outcome;
use cachier_tests::wait::until;
use sqlx::{Connection, SqliteConnection};

use crate::store::{Store, Subject};

crate::on_stores!([redis: Redis, postgres: Postgres, mariadb: MariaDb, mongo: Mongo, s3: S3] {
    if runs_here:
    a_hung_refresh_blocks_no_call
    lost_companion_operations_leave_calls_their_connections
    lost_refreshes_leave_calls_their_connections
    small_values_are_precached_or_refused_within_seconds
});
crate::on_stores!([moto: Moto, sqlite: Sqlite] {
    if runs_here:
    a_hung_refresh_blocks_no_call
    small_values_are_precached_or_refused_within_seconds
});

const TIMEOUT: Duration = Duration::from_secs(1);

/// Tolerance beyond the budget, for loaded machines.
const SLACK: Duration = Duration::from_millis(1900);

/// Longer than an operation on a key lasts, much shorter than one on a whole function.
const KEY_OPERATION_LIMIT: Duration = Duration::from_secs(10);

/// Runs in the middle of the next computation, once.
static MIDDLE: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

static COMPUTED: AtomicU64 = AtomicU64::new(0);

fn compute() -> u64 {
    if let Some(middle) = MIDDLE.lock().unwrap().take() {
        middle();
    }
    COMPUTED.fetch_add(1, Ordering::SeqCst)
}

#[cachier(backend = registered("store"), stale_after = "10ms", next_time, enable_metrics)]
fn refreshed(number: u64) -> u64 {
    number + compute()
}

#[cachier(backend = registered("store"), stale_after = "10ms", next_time, enable_metrics)]
async fn refreshed_async(number: u64) -> u64 {
    number + compute()
}

/// Whether this is the process under test, with a breaker that never opens: every call uses the store.
pub(crate) fn runs_here(subject: &Subject) -> bool {
    if !subject.runs_here() {
        return false;
    }
    let params = global_params().operation_timeout(TIMEOUT);
    set_global_params(params.breaker_threshold(u32::MAX));
    true
}

/// Makes a subject's store hang, and resume.
pub(crate) enum HangableStore {
    Proxy(Proxy),
    /// Another program that locks the database.
    Holder(String, Option<SqliteConnection>),
}

impl HangableStore {
    /// In front of the store, which is registered through it.
    pub(crate) fn before(subject: &Subject) -> Self {
        if subject.store == Store::Sqlite {
            let folder = Box::leak(Box::new(cachier_servers::folder()));
            let address = format!("sqlite:{}", folder.path().join("own.db").display());
            subject.register_at(&address);
            return Self::Holder(address, None);
        }
        let proxy = subject.behind_a_proxy();
        Self::Proxy(proxy)
    }

    pub(crate) fn hang(&mut self) {
        match self {
            Self::Proxy(proxy) => proxy.hang(true),
            Self::Holder(address, holder) => {
                let connect = async {
                    let mut connection = SqliteConnection::connect(address).await.unwrap();
                    let begin = sqlx::query("BEGIN IMMEDIATE");
                    begin.execute(&mut connection).await.unwrap();
                    connection
                };
                // Not on this thread, which may be in a task.
                let connect = || runtime().block_on(connect);
                *holder = Some(thread::scope(|scope| scope.spawn(connect).join().unwrap()));
            }
        }
    }

    /// Resumes. What was sent meanwhile arrives late or is lost, as are the connections.
    pub(crate) fn serve(&mut self) {
        match self {
            Self::Proxy(proxy) => {
                proxy.lose_all();
                proxy.hang(false);
            }
            Self::Holder(_, holder) => {
                runtime().block_on(holder.take().unwrap().close()).unwrap();
            }
        }
    }
}

/// A sync or async call, which ends within its budget.
fn call(is_async: bool, options: CallOptions) -> Call<u64> {
    let started = Instant::now();
    let call = match is_async {
        true => runtime().block_on(refreshed_async::call_detailed(options, 1)),
        false => refreshed::call_detailed(options, 1),
    };
    let took = started.elapsed();
    assert!(took < TIMEOUT + SLACK, "{took:?}: {call}");
    call
}

fn a_hung_refresh_blocks_no_call(subject: &Subject) {
    for is_async in [false, true] {
        let store: &Mutex<HangableStore> =
            Box::leak(Box::new(Mutex::new(HangableStore::before(subject))));
        let recent = || CallOptions::new().max_age(Duration::from_nanos(1));
        until("it is served", || {
            call(is_async, CallOptions::new()).outcome == Outcome::Stale
        });
        // It hangs from the middle of a refresh on.
        *MIDDLE.lock().unwrap() = Some(Box::new(|| store.lock().unwrap().hang()));
        until("a refresh runs", || {
            call(is_async, CallOptions::new());
            MIDDLE.lock().unwrap().is_none()
        });
        for options in [CallOptions::new(), recent(), CallOptions::new(), recent()] {
            call(is_async, options);
        }
        let crowd = Callers::new().on_threads(8, move || call(is_async, recent()));
        for call in crowd.values() {
            assert_eq!(call.outcome, Outcome::Unavailable, "{call}");
        }
        store.lock().unwrap().serve();
        let served = Instant::now();
        until("a call joins no hung refresh", || {
            call(is_async, recent()).outcome != Outcome::Unavailable
        });
        let took = served.elapsed();
        assert!(took < KEY_OPERATION_LIMIT, "it took {took:?}");
        until("it is served again", || {
            call(is_async, recent());
            call(is_async, CallOptions::new()).backend_error.is_none()
        });
    }
}

/// More than a pool has connections, each on a lost one.
fn lost_companion_operations_leave_calls_their_connections(subject: &Subject) {
    let mut store = HangableStore::before(subject);
    calls();
    store.hang();
    let companion = Callers::new()
        .on_threads(24, || refreshed::invalidate(2).is_ok())
        .in_tasks(48, || async { refreshed_async::peek(2).await.is_ok() });
    calls_are_served_soon(&mut store);
    drop(companion.values());
}

/// One sync and one async.
fn calls() -> [Call<u64>; 2] {
    [false, true].map(|is_async| call(is_async, CallOptions::new()))
}

/// The store hangs, serves again, and has lost what it was asked meanwhile.
fn calls_are_served_soon(store: &mut HangableStore) {
    // Others have sent their requests before these have timed out.
    assert!(calls().iter().all(|call| call.backend_error.is_some()));
    store.serve();
    let served = Instant::now();
    until("it is served", || {
        calls().iter().all(|call| call.backend_error.is_none())
    });
    let took = served.elapsed();
    assert!(took < KEY_OPERATION_LIMIT, "it took {took:?}");
}

/// Where refreshes wait before they store.
static BEFORE_STORING: Gate = Gate::new();

/// Whether what runs is a refresh.
static IS_STORED: AtomicBool = AtomicBool::new(false);

#[cachier(backend = registered("store"), stale_after = "10ms", next_time)]
fn held(number: u64) -> u64 {
    if IS_STORED.load(Ordering::SeqCst) {
        BEFORE_STORING.wait();
    }
    number
}

#[cachier(backend = registered("store"), stale_after = "10ms", next_time)]
async fn held_async(number: u64) -> u64 {
    if IS_STORED.load(Ordering::SeqCst) {
        BEFORE_STORING.wait_async().await;
    }
    number
}

/// As many at once as there may be in the background, and more in tasks.
fn lost_refreshes_leave_calls_their_connections(subject: &Subject) {
    const SYNC: u64 = 12;
    const ASYNC: u64 = 24;
    /// Threads for work in the background.
    const WORKERS: u64 = 8;
    let mut store = HangableStore::before(subject);
    calls();
    (0..SYNC).for_each(|number| _ = held(number));
    (0..ASYNC).for_each(|number| _ = runtime().block_on(held_async(number)));
    IS_STORED.store(true, Ordering::SeqCst);
    for number in 0..SYNC {
        until("it is stale", || outcome!(held(number)) == Outcome::Stale);
    }
    for number in 0..ASYNC {
        let call = || held_async::call_detailed(CallOptions::new(), number);
        until("it is stale", || {
            runtime().block_on(call()).outcome == Outcome::Stale
        });
    }
    BEFORE_STORING.until_arrived(WORKERS + ASYNC);
    store.hang();
    BEFORE_STORING.open();
    calls_are_served_soon(&mut store);
}

/// While the store hangs, and on connections that it has lost.
fn small_values_are_precached_or_refused_within_seconds(subject: &Subject) {
    /// The companion's time for a small value, and slack for a loaded machine.
    const CALL_BOUND: Duration = Duration::from_secs(5 + 2);
    let mut store = HangableStore::before(subject);
    until("it is served", || {
        precached().iter().all(|(stored, _)| *stored)
    });
    for is_lost in [false, true] {
        store.hang();
        let precaching = precaching();
        if is_lost {
            // They have asked before these have waited in vain.
            for is_async in [false, true] {
                call(is_async, CallOptions::new());
            }
            store.serve();
        }
        for (stored, took) in precaching.values() {
            assert!(took < CALL_BOUND, "it took {took:?}");
            assert!(is_lost || !stored, "it hangs");
        }
        if !is_lost {
            store.serve();
        }
        // An operation that was given up may arrive late, between two steps of this one: the value then counts as stored and
        // forgotten.
        until("it is served again", || {
            precached().iter().all(|(stored, _)| *stored) && is_kept()
        });
    }
}

/// Whether either flavour has the stored value.
fn is_kept() -> bool {
    let kept = [
        refreshed::peek(2),
        runtime().block_on(refreshed_async::peek(2)),
    ];
    kept.into_iter().all(|value| value.unwrap() == Some(7))
}

/// Stores a value through the companion, in either flavour at once: whether it is stored, and how long that took.
fn precaching() -> Callers<(bool, Duration)> {
    Callers::new()
        .on_threads(1, || {
            let started = Instant::now();
            (refreshed::precache_value(2, 7).is_ok(), started.elapsed())
        })
        .in_tasks(1, || async {
            let started = Instant::now();
            let stored = refreshed_async::precache_value(2, 7).await;
            (stored.is_ok(), started.elapsed())
        })
}

fn precached() -> Vec<(bool, Duration)> {
    precaching().values()
}
