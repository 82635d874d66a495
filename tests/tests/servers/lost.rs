//! After a fault that no connection reports, everything works within seconds, for callers on threads and in tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cachier::{Call, CallOptions, Outcome, cachier, check, global_params, set_global_params};
use cachier_servers::proxy::Proxy;
use cachier_tests::callers::runtime;
use cachier_tests::wait::until;

use crate::store::{Subject, runs_in_a_process};

crate::on_stores!([redis: Redis, postgres: Postgres, mariadb: MariaDb, mongo: Mongo, s3: S3] {
    if runs_in_a_process:
    all_is_well_soon_after_connections_were_lost
    all_is_well_soon_after_answers_were_lost
    all_is_well_soon_after_nothing_came_through
});

mod step {
    use super::{a_connection_out_of_step_is_replaced, runs_in_a_process};

    // Others have a connection for each request.
    crate::on_stores!([redis: Redis] {
        if runs_in_a_process:
        a_connection_out_of_step_is_replaced
    });
}

const TIMEOUT: Duration = Duration::from_secs(1);

/// The duration of faults: longer than any call, and than most of the drivers' timeouts.
const FAULT_TIME: Duration = Duration::from_millis(4500);

/// The time for recovery, with tolerance for a loaded machine.
const RECOVERY_LIMIT: Duration = Duration::from_secs(7);

/// As many callers as connections.
const CALLERS: u64 = 16;

#[cachier(backend = registered("store"), stale_after = "1s", enable_metrics)]
fn quick(number: u64) -> u64 {
    number
}

#[cachier(backend = registered("store"), stale_after = "1s", enable_metrics)]
async fn quick_async(number: u64) -> u64 {
    number
}

fn all_is_well_soon_after_connections_were_lost(subject: &Subject) {
    all_is_well_after(subject, Proxy::lose_all, |_| {});
}

fn all_is_well_soon_after_answers_were_lost(subject: &Subject) {
    all_is_well_after(subject, |proxy| proxy.mute(true), |proxy| proxy.mute(false));
}

fn all_is_well_soon_after_nothing_came_through(subject: &Subject) {
    all_is_well_after(subject, |proxy| proxy.hang(true), |proxy| proxy.hang(false));
}

/// A proxy swallows the answer to one request, and no other: all later ones go to the wrong requests.
fn a_connection_out_of_step_is_replaced(subject: &Subject) {
    set_global_params(global_params().operation_timeout(TIMEOUT));
    let proxy = subject.behind_a_proxy();
    let call = |number| runtime().block_on(quick_async::call_detailed(CallOptions::new(), number));
    until("it is connected", || call(0).backend_error.is_none());
    let sent = proxy.round_trips();
    proxy.mute(true);
    let unanswered = runtime().spawn(quick_async(1));
    until("the request is sent", || proxy.round_trips() > sent);
    thread::sleep(Duration::from_millis(50));
    proxy.mute(false);
    let numbers = 2..2 + CALLERS;
    let others: Vec<_> = numbers
        .map(|number| runtime().spawn(quick_async(number)))
        .collect();
    assert_eq!(runtime().block_on(unanswered).unwrap(), 1);
    for (other, number) in others.into_iter().zip(2..) {
        assert_eq!(runtime().block_on(other).unwrap(), number);
    }
    until("answers are those to their requests", || {
        (100..103).all(|number| {
            call(number);
            call(number).outcome == Outcome::Hit
        })
    });
}

/// Callers that go on during a fault, and their results after it.
fn all_is_well_after(subject: &Subject, begin: fn(&Proxy), end: fn(&Proxy)) {
    set_global_params(global_params().operation_timeout(TIMEOUT));
    let proxy = subject.behind_a_proxy();
    let goes_on = Arc::new(AtomicBool::new(true));
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let goes_on = Arc::clone(&goes_on);
            thread::spawn(move || {
                while goes_on.load(Ordering::SeqCst) {
                    let _ = quick(number);
                    thread::sleep(Duration::from_millis(100));
                }
            })
        })
        .collect();
    let tasks: Vec<_> = (0..CALLERS)
        .map(|number| {
            let goes_on = Arc::clone(&goes_on);
            runtime().spawn(async move {
                while goes_on.load(Ordering::SeqCst) {
                    let _ = quick_async(number).await;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            })
        })
        .collect();
    until("all have been served", || {
        [quick::metrics(), quick_async::metrics()]
            .iter()
            .all(|metrics| metrics.snapshot().calls[Outcome::Hit] > CALLERS)
    });
    begin(&proxy);
    thread::sleep(FAULT_TIME);
    end(&proxy);
    let over = Instant::now();
    while let Err(ill) = is_well() {
        let took = over.elapsed();
        assert!(took < RECOVERY_LIMIT, "after {took:?}: {ill}");
    }
    goes_on.store(false, Ordering::SeqCst);
    callers
        .into_iter()
        .for_each(|caller| caller.join().unwrap());
    for task in tasks {
        runtime().block_on(task).unwrap();
    }
}

/// Whether calls of both kinds are served, and the store is healthy; otherwise what is not.
fn is_well() -> Result<(), String> {
    let served = |call: Call<u64>| {
        call.backend_error
            .map_or(Ok(()), |error| Err(error.to_string()))
    };
    for number in [CALLERS, CALLERS + 1] {
        served(quick::call_detailed(CallOptions::new(), number))
            .map_err(|error| format!("sync: {error}"))?;
        let call = quick_async::call_detailed(CallOptions::new(), number);
        served(runtime().block_on(call)).map_err(|error| format!("async: {error}"))?;
    }
    let ill = check().into_iter().find(|health| !health.is_healthy());
    ill.map_or(Ok(()), |health| Err(health.to_string()))
}
