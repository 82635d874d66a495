//! A server that is back after an outage, by the system's clock and with default settings.

use std::time::{Duration, Instant};

use cachier::{Call, CallOptions, Outcome};
use cachier_servers::proxy::Proxy;
use cachier_tests::callers::Callers;
use cachier_tests::double;
use cachier_tests::wait::until;

use crate::store::{Subject, runs_in_a_process};

crate::on_every_server! { if runs_in_a_process:
    calls_hit_soon_after_a_long_outage
    invalidations_after_an_outage_succeed
}

/// Tolerance beyond the budget, for loaded machines.
const SLACK: Duration = Duration::from_millis(1900);

double!(backend = registered("store"));

fn call(number: u64) -> Call<u64> {
    double::call_detailed(CallOptions::new(), number)
}

/// The subject behind a proxy, with an entry that calls hit.
fn served(subject: &Subject) -> Proxy {
    let proxy = subject.behind_a_proxy();
    until("it is served", || call(1).outcome == Outcome::Hit);
    proxy
}

/// The server hangs, and the breaker opens.
fn hang(proxy: &Proxy) {
    proxy.hang(true);
    let crowd = Callers::new().on_threads(8, || call(1));
    for call in crowd.values() {
        // Waiters of the first share its value.
        assert!(call.backend_error.is_some(), "{call}");
    }
}

/// The server is back. What was sent meanwhile is lost, as are the connections.
fn serve(proxy: &Proxy) {
    proxy.lose_all();
    proxy.hang(false);
}

fn calls_hit_soon_after_a_long_outage(subject: &Subject) {
    /// Failing probes until the pause between them is as long as it gets.
    const PROBES: u32 = 3;
    let proxy = served(subject);
    hang(&proxy);
    let mut probes = 0;
    until("the pauses are as long as they become", || {
        let began = Instant::now();
        assert_eq!(call(1).outcome, Outcome::Unavailable);
        // Other calls are refused at once.
        probes += u32::from(began.elapsed() > Duration::from_millis(500));
        probes == PROBES
    });
    serve(&proxy);
    let back = Instant::now();
    until("calls hit again", || call(1).outcome == Outcome::Hit);
    let took = back.elapsed();
    let longest = cachier::global_params().breaker_max_pause;
    assert_eq!(longest, Duration::from_secs(5));
    assert!(took < longest + SLACK, "{took:?}");
}

fn invalidations_after_an_outage_succeed(subject: &Subject) {
    let proxy = served(subject);
    hang(&proxy);
    serve(&proxy);
    assert!(double::invalidate(1).unwrap());
    let outcomes = [(); 2].map(|()| call(1).outcome);
    assert_eq!(outcomes, [Outcome::Miss, Outcome::Hit]);
}
