//! A Redis cluster with TLS, whose nodes die and are resharded during calls.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cachier::{Call, CallOptions, Outcome, global_params, set_global_params};
use cachier_servers::redis::{start_cluster, start_cluster_with_replicas, start_cluster_with_tls};
use cachier_tests::callers::runtime;
use cachier_tests::process::{Process, hear, part, say};
use cachier_tests::wait::until;
use cachier_tests::{double, triple};

use crate::store::{Subject, unique};

crate::on_stores!([redis: Cluster] {
    under_tls_nodes_prove_who_they_are
    a_dead_node_costs_only_some_results
    calls_go_on_during_resharding
});

const TIMEOUT: Duration = Duration::from_secs(2);

/// Tolerance beyond the budget, for loaded machines.
const SLACK: Duration = Duration::from_millis(1900);

/// Initial entries, enough to be in every shard and so on every node.
const ENTRIES: u64 = 100;

double!(backend = registered("store"));

triple!(backend = registered("store"));

/// A sync or async call, with the right value and in time.
fn call(number: u64) -> Call<u64> {
    let (started, options) = (Instant::now(), CallOptions::new());
    let call = match number % 2 {
        0 => double::call_detailed(options, number),
        _ => runtime().block_on(triple::call_detailed(options, number)),
    };
    let took = started.elapsed();
    assert_eq!(call.value, number * (2 + number % 2), "{call}");
    assert!(took < TIMEOUT + SLACK, "{took:?}: {call}");
    call
}

fn is_served(number: u64) -> bool {
    let call = call(number);
    call.outcome == Outcome::Hit && call.backend_error.is_none()
}

/// All entries are served again.
fn all_are_served() {
    for number in 0..ENTRIES {
        until("it is served", || is_served(number));
    }
}

/// In the process under test: each call uses the store, within a limit.
fn prepare() {
    let params = global_params().operation_timeout(TIMEOUT);
    set_global_params(params.breaker_threshold(u32::MAX));
}

fn under_tls_nodes_prove_who_they_are(subject: &Subject) {
    if let Some(part) = part() {
        prepare();
        return match part.as_str() {
            "trust" => all_are_served(),
            _ => {
                let error = call(1).backend_error.expect("the nodes are not trusted");
                assert!(format!("{error:#}").contains("certificate"), "{error:#}");
            }
        };
    }
    let Some(cluster) = start_cluster_with_tls() else {
        return;
    };
    let own = subject.elsewhere(cluster.url());
    let certificate = cluster.certificate().unwrap();
    own.start_with("trust", |command| {
        command.env("SSL_CERT_FILE", certificate);
    })
    .finish();
    own.start("do not trust", &unique("tls")).finish();
}

fn a_dead_node_costs_only_some_results(subject: &Subject) {
    if !subject.runs_here() {
        return;
    }
    let Some(mut cluster) = start_cluster_with_replicas() else {
        return;
    };
    prepare();
    subject.elsewhere(cluster.url()).register();
    all_are_served();
    cluster.until_replicated();
    let (next, lost) = (AtomicU64::new(ENTRIES), AtomicU64::new(0));
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let calls = [call(number % ENTRIES), call(number)];
                    let failed = calls.iter().filter(|call| call.backend_error.is_some());
                    lost.fetch_add(failed.count() as u64, Ordering::Relaxed);
                }
            });
        }
        let _over = Over(&is_over);
        cluster.kill_master();
        until("calls miss the node", || lost.load(Ordering::Relaxed) > 0);
        all_are_served();
    });
    assert!((0..ENTRIES).all(is_served));
}

/// Signals the end when dropped, even by a panic.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn calls_go_on_during_resharding(subject: &Subject) {
    if part().is_some() {
        return calls_go_on();
    }
    let Some(cluster) = start_cluster() else {
        return;
    };
    let (own, namespace) = (subject.elsewhere(cluster.url()), unique("moving"));
    let mut callers = [0; 2].map(|_| own.start("call", &namespace));
    for caller in &callers {
        assert_eq!(caller.line(), "ready");
    }
    for caller in &mut callers {
        caller.tell("go");
    }
    cluster.reshard();
    for caller in &mut callers {
        caller.tell("stop");
    }
    let computed: Vec<Vec<u64>> = callers
        .iter()
        .map(|caller| serde_json::from_str(&caller.line()).unwrap())
        .collect();
    let first: HashSet<_> = computed[0].iter().collect();
    let both: Vec<_> = computed[1]
        .iter()
        .filter(|number| first.contains(number))
        .collect();
    assert!(both.is_empty(), "computed by both: {both:?}");
    callers.into_iter().for_each(Process::finish);
}

/// Calls until told to stop, then reports computations and stores.
fn calls_go_on() {
    prepare();
    all_are_served();
    say("ready");
    assert_eq!(hear(), "go");
    let is_over = AtomicBool::new(false);
    let mut computed = Vec::new();
    thread::scope(|threads| {
        threads.spawn(|| {
            let _over = Over(&is_over);
            assert_eq!(hear(), "stop");
        });
        for number in ENTRIES.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            let here = call(number);
            assert!(is_served(number % ENTRIES), "a hit goes on");
            if here.outcome == Outcome::Miss && here.backend_error.is_none() {
                computed.push(number);
            }
        }
    });
    assert!(!computed.is_empty());
    for number in &computed {
        assert!(is_served(*number), "{number} was lost");
    }
    say(serde_json::to_string(&computed).unwrap());
}
