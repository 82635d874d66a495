//! A program in use, with a fault of each kind.

use std::net::SocketAddr;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

use cachier::{
    Error, ErrorKind, PrometheusExporter, SqlBackend, cachier, global_params, register_backend,
    set_global_params,
};
use cachier_tests::backend::{Fault, MapBackend};
use cachier_tests::gate::panic_silently;

/// In memory, with more keys than it may hold.
#[cachier(
    backend = "memory",
    capacity = 20,
    capacity_bytes = "1MB",
    enable_metrics
)]
fn price(article: u64) -> u64 {
    work_for(1);
    article * 3
}

/// In files below a near tier; some values are too large.
#[cachier(
    backend = "file",
    near_cache = 10,
    entry_size_limit = "1KB",
    enable_metrics
)]
fn report(month: u64) -> Vec<u64> {
    (0..month * 100).collect()
}

/// In a database.
#[cachier(backend = "sql", enable_metrics)]
fn invoice(number: u64) -> u64 {
    number + 1
}

/// Fails whenever it is to be refreshed.
#[cachier(backend = "memory", stale_after = "50ms", next_time, enable_metrics)]
fn stock(_article: u64) -> Result<u64, String> {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    match RUNS.fetch_add(1, Ordering::Relaxed) {
        0 => Ok(7),
        _ => Err("out of order".to_owned()),
    }
}

/// Slow: others wait for it, not for long.
#[cachier(backend = "memory", wait_for_calc_timeout = "20ms", enable_metrics)]
fn route(day: u64) -> u64 {
    work_for(50);
    day
}

/// Slow: others wait for it.
#[cachier(backend = "memory", enable_metrics)]
fn forecast(day: u64) -> u64 {
    work_for(50);
    day
}

#[cachier(backend = "memory", enable_metrics)]
fn panics(_day: u64) -> u64 {
    panic_silently()
}

#[cachier(backend = registered("down"), enable_metrics)]
fn on_a_store_that_is_down(number: u64) -> u64 {
    number
}

#[cachier(backend = registered("full"), enable_metrics)]
fn on_a_store_that_is_full(number: u64) -> u64 {
    number
}

#[cachier(backend = registered("damaged"), enable_metrics)]
fn on_a_store_that_is_damaged(number: u64) -> u64 {
    number
}

/// Runs `test` while the program runs; it gets the address of the program's endpoint.
pub(crate) fn while_it_runs(test: impl FnOnce(SocketAddr)) {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path()).unwrap();
    let exporter = PrometheusExporter::builder()
        .port(0)
        .constant_label("service", "shop")
        .constant_label("environment", "test")
        .build()
        .unwrap();
    exporter.register_all().unwrap();
    exporter.start().unwrap();
    let is_over = Over::default();
    thread::scope(|threads| {
        // Also after a panic: the threads of a scope are waited for.
        let _over = Ending(&is_over);
        run(threads, &is_over);
        test(exporter.local_addr().unwrap());
    });
}

fn prepare(folder: &Path) -> Result<(), Error> {
    set_global_params(global_params().cache_dir(folder));
    register_backend("sql", SqlBackend::sqlite_in(folder)?)?;
    for (name, fault) in [
        ("down", Fault::Fails(ErrorKind::Connect)),
        ("full", Fault::FailsToStore(ErrorKind::Full)),
        ("damaged", Fault::LoadsGarbage),
    ] {
        let map = MapBackend::default();
        map.set(fault);
        register_backend(name, map)?;
    }
    Ok(())
}

type Over = AtomicBool;

struct Ending<'a>(&'a Over);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn run<'scope>(threads: &'scope Scope<'scope, '_>, is_over: &'scope Over) {
    // Two at a time, so that one waits for the other.
    for _ in 0..2 {
        threads.spawn(|| call_until(is_over, call_slow));
    }
    threads.spawn(|| call_until(is_over, call_all));
}

fn call_until(is_over: &Over, call: impl Fn(u64)) {
    for round in 0.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        call(round);
    }
}

fn call_slow(round: u64) {
    route(round);
    forecast(round);
}

fn call_all(round: u64) {
    price(round % 30);
    report(round % 20);
    invoice(round % 50);
    let _ = stock(1);
    let _ = catch_unwind(|| panics(round));
    on_a_store_that_is_down(round);
    on_a_store_that_is_full(round);
    on_a_store_that_is_damaged(round);
    if round.is_multiple_of(100) {
        let _ = (report::usage(), invoice::usage());
    }
    work_for(1);
}

/// Stands for a computation.
fn work_for(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}
