//! A process under chaos: its threads and tasks perform random operations until told to rest.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cachier::metrics::Outcome;
use cachier::{check, global_params, register_backend, set_global_params};
use cachier_tests::forked::Forked;
use cachier_tests::process::{hear, say};
use tokio::runtime::{Builder, Runtime};

use crate::faulty_backend::{self, FaultyBackend};
use crate::functions::{CallMode, Function, functions};
use crate::log::{self, failure, remark};
use crate::operations::{Counts, How, OUTCOMES, Operation, block_on, call, perform};
use crate::settings::{BUDGET, Judgement, LAST_CALLS, LEASE_PERIOD, TIMES_KEPT, number};
use crate::shared::share;
use crate::stalls;
use crate::store::Store;
use crate::truth::{Cell, KEYS, Truth};

/// Environment variables with a process's task.
pub(crate) const ADDRESS: &str = "CACHIER_CHAOS_ADDRESS";
pub(crate) const FOLDER: &str = "CACHIER_CHAOS_FOLDER";
pub(crate) const MAX_SECONDS: &str = "CACHIER_CHAOS_SECONDS_AT_MOST";
pub(crate) const WORKER_SEED: &str = "CACHIER_CHAOS_WORKER_SEED";

const THREADS: u64 = 3;
const TASKS: u64 = 4;
/// Operations of a forked child.
const IN_CHILD: u32 = 20;

/// Stands for failures that concern no single cell.
const NO_CELL: Cell = Cell {
    function: 0,
    key: 0,
};

static RESTS: AtomicBool = AtomicBool::new(false);

/// Shared by all actors of a process.
struct Stage {
    functions: Vec<Function>,
    counts: Vec<Counts>,
}

/// The main function of a process.
pub(crate) fn work(store: Store) {
    let stage = prepare(store);
    let seed = number(WORKER_SEED).expect("a seed");
    let runtime = runtime();
    start_actors(stage, &runtime, seed);
    loop {
        let told = hear();
        match told.split(' ').collect::<Vec<_>>()[..] {
            ["fork"] => fork_and_wait(stage),
            ["calm"] => faulty_backend::IS_OVER.store(true, Ordering::SeqCst),
            ["rest"] => {
                rest(&runtime);
                say("rests");
            }
            ["check"] => {
                all_is_well(stage, &runtime);
                outcomes_sum_to_calls(stage);
                say("checked");
            }
            ["tell", function, key] => {
                let [function, key] = [function, key].map(|text| text.parse().expect("a number"));
                log::tell(Cell { function, key });
                say("told");
            }
            ["end"] => break,
            _ => panic!("what is `{told}`?"),
        }
    }
    runtime.shutdown_background();
}

fn prepare(store: Store) -> &'static Stage {
    let folder = PathBuf::from(env::var_os(FOLDER).expect("a folder"));
    let functions = functions(store);
    let count = u32::try_from(functions.len()).expect("a few");
    let truth = Truth::open(&folder, count).expect("files for the truth");
    share(store, truth);
    log::tell_into(folder);
    stalls::watch();
    end_in_time();
    set_global_params(
        global_params()
            .operation_timeout(BUDGET)
            .lease_period(LEASE_PERIOD),
    );
    if let Some(backend) = store.connect(&env::var(ADDRESS).expect("an address")) {
        register_backend("store", FaultyBackend::in_front_of(backend)).expect("a backend");
    }
    let counts = functions.iter().map(|_| Counts::default()).collect();
    Box::leak(Box::new(Stage { functions, counts }))
}

/// Exits the process, whatever hangs.
fn end_in_time() {
    let most = Duration::from_secs(number(MAX_SECONDS).expect("seconds"));
    thread::spawn(move || {
        thread::sleep(most);
        // In a child that outlives its test there is nowhere to tell it.
        let _ = catch_unwind(|| failure(NO_CELL, "hangs"));
        exit(3);
    });
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

fn start_actors(stage: &'static Stage, runtime: &Runtime, seed: u64) {
    for actor in 0..THREADS {
        thread::spawn(move || {
            fastrand::seed(seed + actor);
            while !RESTS.load(Ordering::SeqCst) {
                block_on(act(stage, CallMode::Sync));
                thread::sleep(pause());
            }
        });
    }
    for _ in 0..TASKS {
        runtime.spawn(async move {
            while !RESTS.load(Ordering::SeqCst) {
                act(stage, CallMode::Async).await;
                tokio::time::sleep(pause()).await;
            }
        });
    }
}

fn pause() -> Duration {
    Duration::from_micros(fastrand::u64(..8000))
}

/// A random operation.
async fn act(stage: &'static Stage, mode: CallMode) {
    act_so(stage, mode, by_chance(mode)).await;
}

/// The same in a child, which is waited for.
async fn act_in_child(stage: &'static Stage, mode: CallMode) {
    let operation = loop {
        match by_chance(mode) {
            // On a connection that is lost they may take a minute.
            Operation::Clear | Operation::ClearBeingCalculated => {}
            operation => break operation,
        }
    };
    act_so(stage, mode, operation).await;
}

async fn act_so(stage: &'static Stage, mode: CallMode, operation: Operation) {
    let of_flavour = stage.functions.iter().enumerate();
    let of_flavour: Vec<_> = of_flavour
        .filter(|(_, function)| function.mode == mode)
        .collect();
    let (number, function) = fastrand::choice(of_flavour).expect("there are some");
    let key = match fastrand::u32(..20) {
        0 => KEYS - 1,
        other => other % (KEYS - 1),
    };
    let cell = Cell {
        function: u32::try_from(number).expect("a few"),
        key,
    };
    perform(operation, function, &stage.counts[number], cell).await;
}

fn by_chance(mode: CallMode) -> Operation {
    match fastrand::u32(..1000) {
        0..80 => Operation::Invalidate,
        80..110 => Operation::Precache,
        110..115 => Operation::Clear,
        115..120 => Operation::ClearBeingCalculated,
        120..170 => Operation::Peek,
        170..200 => Operation::Call(How::Overwriting),
        200..230 => Operation::Call(How::Young),
        230..240 => Operation::Call(How::Skipping),
        240..290 if mode == CallMode::Async => Operation::CallAndGiveUp,
        290..600 => Operation::CallBarely,
        _ => Operation::Call(How::Plainly),
    }
}

/// Waits for all calls to end, without new ones. Operations on lost connections may take their minute.
fn rest(runtime: &Runtime) {
    RESTS.store(true, Ordering::SeqCst);
    // An actor may just have decided to begin one more.
    thread::sleep(Duration::from_millis(50));
    let started = Instant::now();
    while let Some(cell) = log::longest_call() {
        if started.elapsed() > LAST_CALLS {
            failure(cell, "a call hangs");
            exit(3);
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = runtime.block_on(async { tokio::time::timeout(BUDGET, cachier::flush_async()).await });
}

/// There are hits again, the breaker is closed, and the store is healthy.
fn all_is_well(stage: &'static Stage, runtime: &Runtime) {
    for (number, function) in (0..).zip(&stage.functions) {
        let cell = Cell {
            function: number,
            key: 0,
        };
        let hit = async {
            let mut last = String::new();
            for _ in 0..50 {
                let counts = &stage.counts[number as usize];
                let Some(call) = call(How::Plainly, function, counts, cell).await else {
                    continue;
                };
                if call.outcome == Outcome::Hit && call.backend_error.is_none() {
                    return Ok(());
                }
                last = call.to_string();
                // Some have to be recomputed to be fresh, and some sources fail.
                thread::sleep(Duration::from_millis(10));
            }
            Err(last)
        };
        let hit = match function.mode {
            CallMode::Sync => futures_lite::future::block_on(hit),
            CallMode::Async => runtime.block_on(hit),
        };
        if let Err(last) = hit {
            not_well(cell, &format!("no hit of `{}`: {last}", function.name));
        }
    }
    for health in check() {
        if !health.is_healthy() {
            not_well(NO_CELL, &health.to_string());
        }
    }
}

fn not_well(cell: Cell, message: &str) {
    let message = format!("all is not well some seconds after the last fault: {message}");
    match TIMES_KEPT {
        Judgement::Fails => failure(cell, message),
        Judgement::IsTold => remark(message),
    }
}

/// The metrics agree with the calls' outcomes.
fn outcomes_sum_to_calls(stage: &'static Stage) {
    for (number, (function, counts)) in (0..).zip(stage.functions.iter().zip(&stage.counts)) {
        let snapshot = (function.metrics)().snapshot();
        let told = counts
            .outcomes
            .each_ref()
            .map(|count| count.load(Ordering::SeqCst));
        let counted = OUTCOMES.map(|outcome| snapshot.calls[outcome]);
        let [bare, abandoned] =
            [&counts.bare, &counts.abandoned].map(|count| count.load(Ordering::SeqCst));
        let activity = &snapshot.activity;
        let is_right = counted
            .iter()
            .zip(&told)
            .all(|(counted, told)| counted >= told)
            && counted.iter().sum::<u64>() == told.iter().sum::<u64>() + bare
            && snapshot.abandoned.values().sum::<u64>() == abandoned
            && (activity.inflight_calls, activity.waiting_calls) == (0, 0);
        if !is_right {
            let cell = Cell {
                function: number,
                key: 0,
            };
            failure(
                cell,
                format_args!(
                    "of `{}` calls told of {told:?} {OUTCOMES:?}, {bare} of nothing, and {abandoned} were abandoned; counted are \
                 {counted:?} and {:?}; {activity:?}",
                    function.name, snapshot.abandoned
                ),
            );
        }
    }
}

/// Both a child and this process go on with the shared state.
fn fork_and_wait(stage: &'static Stage) {
    let held = (log::lock(), stalls::stalls());
    let child = Forked::start(move || {
        drop(held);
        end_in_time();
        stalls::watch();
        for _ in 0..IN_CHILD {
            block_on(act_in_child(stage, CallMode::Sync));
        }
        runtime().block_on(async {
            for _ in 0..IN_CHILD {
                act_in_child(stage, CallMode::Async).await;
            }
        });
    });
    if catch_unwind(AssertUnwindSafe(|| child.finish())).is_err() {
        failure(NO_CELL, "a forked child has not ended well");
    }
}
