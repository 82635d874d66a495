//! Figures of many processes through a store: the sums of all, whoever lives, dies, forks or cannot reach it.

use std::thread;
use std::time::{Duration, Instant};

use cachier::{
    ClusterReader, ClusterStats, cachier, cluster_stats, flush, global_params, publish_metrics,
    set_global_params,
};
#[cfg(unix)]
use cachier_tests::forked::Forked;
use cachier_tests::process::{hear, part, say};
use cachier_tests::wait::until;
#[cfg(unix)]
use rustix::process::Signal;

#[cfg(unix)]
use crate::forks::in_own_process;
use crate::store::{Subject, unique};

crate::on_every_store! {
    every_process_sees_the_sums_of_all
}
#[cfg(unix)]
mod forking {
    use super::a_forked_child_is_an_instance;

    crate::on_stores!([redis: Redis, sqlite: Sqlite, file: File] { a_forked_child_is_an_instance });
}
#[cfg(unix)]
mod returning {
    use super::an_instance_that_returns_is_counted_once;

    crate::on_stores!([redis: Redis, sqlite: Sqlite, file: File] {
        an_instance_that_returns_is_counted_once
    });
}
mod unreachable {
    use super::publishing_and_calls_fail_apart;

    crate::on_stores!([redis: Redis] { publishing_and_calls_fail_apart });
}

mod cost {
    use super::a_publication_is_one_request;

    crate::on_stores!([redis: Redis, postgres: Postgres, mongo: Mongo, s3: S3] { a_publication_is_one_request });
}
mod slow {
    use super::a_slow_store_silences_nobody;

    crate::on_stores!([redis: Redis] { a_slow_store_silences_nobody });
}

/// Short, but slow stores keep up with it.
const INTERVAL: Duration = Duration::from_millis(500);

#[cachier(backend = "memory", name = "published::counted", enable_metrics)]
fn counted(number: u64) -> u64 {
    number
}

fn count(calls: u64) {
    (0..calls).for_each(|number| _ = counted(number));
}

/// Whether all instances are seen as alive, and their calls.
fn is_seen(instances: usize, calls: u64) -> bool {
    // A server that has just started may not answer yet.
    let is = |cluster: &ClusterStats| {
        (cluster.live_instances(), cluster.total().calls) == (instances, calls)
    };
    cluster_stats().is_ok_and(|cluster| is(&cluster))
}

fn every_process_sees_the_sums_of_all(subject: &Subject) {
    if let Some(part) = part() {
        publish_metrics("store", INTERVAL).unwrap();
        count(part.parse().unwrap());
        flush();
        say("published");
        assert_eq!(hear(), "go");
        count(10);
        flush();
        say("again");
        // Until the test is over.
        let _ = hear();
        return;
    }
    let namespace = unique("published");
    set_global_params(global_params().namespace(&*namespace));
    let [mut first, second, third] = ["3", "4", "5"].map(|part| subject.start(part, &namespace));
    for process in [&first, &second, &third] {
        assert_eq!(process.line(), "published");
    }
    count(2);
    publish_metrics("store", INTERVAL).unwrap();
    until("all are seen", || is_seen(4, 14));
    let cluster = cluster_stats().unwrap();
    assert_eq!(
        cluster.functions.get("published::counted").unwrap().misses,
        14
    );
    // In other intervals it is the same instance.
    publish_metrics("store", 2 * INTERVAL).unwrap();
    counted(77);
    flush();
    until("what it counts is counted once", || is_seen(4, 15));
    assert_eq!((cluster.unreadable, cluster.ended_instances), (0, 0));
    // One that is killed leaves the living, and its counts stay.
    third.kill();
    first.tell("go");
    assert_eq!(first.line(), "again");
    until("the killed one is missed", || is_seen(3, 25));
    let cluster = cluster_stats().unwrap();
    assert_eq!(cluster.instances.len(), 4);
    assert!(cluster.instances.iter().any(|instance| !instance.is_live));
}

#[cfg(unix)]
fn a_forked_child_is_an_instance(subject: &Subject) {
    in_own_process(subject, || {
        publish_metrics("store", INTERVAL).unwrap();
        count(3);
        until("the parent is seen", || is_seen(1, 3));
        let child = Forked::start(|| {
            // A child counts from its first call that is no hit.
            counted(77);
            count(5);
            // Its figures are its own: the parent's are not told twice.
            until("both are seen", || {
                flush();
                is_seen(2, 9)
            });
        });
        until("the parent sees both", || is_seen(2, 9));
        child.finish();
    });
}

/// Others take it for ended, and it begins a new epoch where it has been stopped.
#[cfg(unix)]
fn an_instance_that_returns_is_counted_once(subject: &Subject) {
    const SHORT_INTERVAL: Duration = Duration::from_millis(100);
    if part().is_some() {
        publish_metrics("store", SHORT_INTERVAL).unwrap();
        count(7);
        flush();
        say("published");
        assert_eq!(hear(), "go");
        count(7 + 5);
        flush();
        say("again");
        // Until the test is over.
        let _ = hear();
        return;
    }
    let namespace = unique("published");
    set_global_params(global_params().namespace(&*namespace));
    let mut stopped = subject.start("count", &namespace);
    assert_eq!(stopped.line(), "published");
    publish_metrics("store", SHORT_INTERVAL).unwrap();
    until("both are seen", || is_seen(2, 7));
    stopped.signal(Signal::STOP);
    let has_ended = || cluster_stats().is_ok_and(|cluster| cluster.ended_instances == 1);
    until("it is taken for ended", has_ended);
    assert_eq!(cluster_stats().unwrap().total().calls, 7);
    stopped.signal(Signal::CONT);
    stopped.tell("go");
    assert_eq!(stopped.line(), "again");
    until("it is seen again", || is_seen(2, 7 + 12));
    assert_eq!(cluster_stats().unwrap().ended_instances, 1);
}

/// A call of which nobody has the value yet.
#[cachier(backend = registered("store"), operation_timeout = "10s", enable_metrics)]
fn stored(number: u64) -> u64 {
    number
}

fn publishing_and_calls_fail_apart(subject: &Subject) {
    let namespace = unique("published");
    set_global_params(global_params().namespace(&*namespace));
    let proxy = subject.behind_a_proxy();
    publish_metrics("store", Duration::from_millis(20)).unwrap();
    until("it is published", || is_seen(1, 0));
    drop(proxy);
    // Many publications fail, and no call has met the store yet.
    until("nobody is seen any more", || cluster_stats().is_err());
    (0..10).for_each(|_| flush());
    assert!(!cachier::check_backend("store").breaker_open);
    subject.register();
    assert_eq!((stored(1), stored(1)), (1, 1));
    assert_eq!(stored::metrics().stats().hits, 1);
}

fn a_publication_is_one_request(subject: &Subject) {
    let namespace = unique("published");
    set_global_params(global_params().namespace(&*namespace));
    let proxy = subject.behind_a_proxy();
    publish_metrics("store", Duration::from_secs(3600)).unwrap();
    // They connect, join the others, and publish in full.
    (0..2).for_each(|_| flush());
    // Clients send heartbeats at times, so the minimum counts.
    let least = (0..5).map(|number| {
        let before = proxy.round_trips();
        counted(number);
        flush();
        proxy.round_trips() - before
    });
    assert_eq!(least.min(), Some(1));
}

/// A publication takes longer than three intervals.
fn a_slow_store_silences_nobody(subject: &Subject) {
    const SHORT: Duration = Duration::from_millis(100);
    let namespace = unique("published");
    set_global_params(global_params().namespace(&*namespace));
    let proxy = subject.behind_a_proxy();
    publish_metrics("store", SHORT).unwrap();
    proxy.delay(4 * SHORT);
    // The reader goes past the proxy.
    subject.register();
    let reader = ClusterReader::new("store").unwrap();
    until("it tells how seldom it publishes", || {
        let cluster = reader.stats();
        cluster.is_ok_and(|cluster| {
            let mut instances = cluster.instances.iter();
            instances.any(|instance| instance.interval > 4 * SHORT)
        })
    });
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        assert_eq!(reader.stats().unwrap().live_instances(), 1);
        thread::sleep(SHORT);
    }
}
