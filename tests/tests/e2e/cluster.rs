//! The figures of many instances where the store that they share is broken.

use std::time::Duration;

use cachier::{cluster_stats, flush, publish_metrics};
use cachier_tests::backend::{Fault, with_map};

#[test]
fn a_store_that_panics_ends_no_reader() {
    with_map(|map| {
        publish_metrics("map", Duration::from_secs(60)).unwrap();
        flush();
        map.set(Fault::Panics);
        assert!(cluster_stats().is_err());
    });
}

#[test]
fn whoever_never_publishes_again_is_read() {
    with_map(|_| {
        publish_metrics("map", Duration::MAX).unwrap();
        flush();
        let cluster = cluster_stats().unwrap();
        assert_eq!((cluster.live_instances(), cluster.unreadable), (1, 0));
    });
}
