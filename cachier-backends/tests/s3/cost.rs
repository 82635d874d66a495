//! Requests per operation, as counted by the server.

use std::collections::BTreeMap;
use std::time::Duration;

use cachier_backends::{Backend, StoreReply};
use cachier_servers::s3::{S3, start_filled};

use crate::server_support::{counted_and_cleared, round_trips};
use crate::support::{
    backend, created, entry, key, lease, load, private, runtime, scope, store, store_under,
};

const LEASE_PERIOD: Duration = Duration::from_secs(60);

/// Counts requests since the last reading.
struct Meter<'a> {
    server: &'a S3,
    before: BTreeMap<String, u64>,
}

impl<'a> Meter<'a> {
    fn on(server: &'a S3) -> Self {
        let before = server.requests();
        Self { server, before }
    }

    fn since(&mut self) -> Vec<(String, u64)> {
        let now = self.server.requests();
        let before = std::mem::replace(&mut self.before, now.clone());
        let since = |(name, count): (String, u64)| {
            let more = count - before.get(&name).unwrap_or(&0);
            (more > 0).then_some((name, more))
        };
        now.into_iter().filter_map(since).collect()
    }
}

fn counts<const N: usize>(expected: [(&str, u64); N]) -> Vec<(String, u64)> {
    expected
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}

#[test]
fn a_hit_is_one_request_a_miss_three() {
    let Some(server) = private() else { return };
    let scope = scope("cost");
    let (backend, key) = (backend(server.place()), key(&scope, 1));
    let mut meter = Meter::on(&server);
    runtime().block_on(async {
        let lease = lease(&backend, &key, LEASE_PERIOD).await;
        let reply = store_under(&backend, &key, b"value", lease).await;
        assert_eq!(reply, StoreReply::Stored { evicted: 0 });
        assert_eq!(meter.since(), counts([("GetObject", 1), ("PutObject", 2)]));
        assert!(load(&backend, &key).await.is_some());
        assert_eq!(meter.since(), counts([("GetObject", 1)]));
    });
    assert_eq!(round_trips(&backend), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn replacing_an_entry_takes_five_requests() {
    let Some(server) = private() else { return };
    let scope = scope("replaced");
    let (backend, key) = (backend(server.place()), key(&scope, 1));
    store(&backend, &key, b"old").await;
    let mut meter = Meter::on(&server);
    let lease = lease(&backend, &key, LEASE_PERIOD).await;
    store_under(&backend, &key, b"new", lease).await;
    let started = std::time::Instant::now();
    while !server.requests().contains_key("DeleteObject") {
        assert!(started.elapsed() < LEASE_PERIOD, "the lease stays");
        tokio::task::yield_now().await;
    }
    let foreground = [("GetObject", 1), ("HeadObject", 2), ("PutObject", 2)];
    let all = [&[("DeleteObject", 1)], &foreground[..]].concat();
    assert_eq!(meter.since(), counts::<4>(all.try_into().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn counting_clearing_and_cleaning_up_download_nothing() {
    let scope = scope("pages");
    // These have no creation time, and stay.
    let names = (3..2500).map(|number| key(&scope, number).to_string());
    let Some(server) = start_filled(names) else {
        return;
    };
    let backend = backend(server.place());
    for number in 0..3 {
        store(&backend, &key(&scope, number), &[0; 1000]).await;
    }
    let mut meter = Meter::on(&server);
    let usage = backend.usage(&scope).await.unwrap();
    let bytes = 3 * entry(&[0; 1000]).len() + 2497 * b"object".len();
    assert_eq!(
        (usage.entries, usage.bytes),
        (Some(2500), Some(bytes as u64))
    );
    assert_eq!(meter.since(), counts([("ListObjectsV2", 3)]));

    let removed = backend
        .cleanup(&scope, created() + LEASE_PERIOD)
        .await
        .unwrap();
    assert_eq!(removed, Some(3));
    let requests = [
        ("DeleteObject", 3),
        // And for each old one, whether somebody is computing it.
        ("HeadObject", 2503),
        ("ListObjectsV2", 3),
    ];
    assert_eq!(meter.since(), counts(requests));

    assert_eq!(backend.clear(&scope).await.unwrap(), Some(2497));
    let requests = [("DeleteObjects", 3), ("ListObjectsV2", 3)];
    assert_eq!(meter.since(), counts(requests));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_entries_are_counted_and_cleared() {
    const ENTRIES: u32 = 100_000;
    let (scope, neighbour) = (scope("many"), scope("many2"));
    let names = (0..ENTRIES).map(|number| key(&scope, number).to_string());
    let Some(server) = start_filled(names) else {
        return;
    };
    let backend = backend(server.place());
    store(&backend, &key(&neighbour, 1), b"kept").await;
    counted_and_cleared(&backend, ENTRIES, [&scope, &neighbour]).await;
}
