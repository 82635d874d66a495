//! The figures of groups of functions.

use cachier::cachier;
use cachier_tests::sandbox::in_folder;

#[cachier(backend = "memory", name = "groups::net", enable_metrics)]
fn net(gross: u64) -> u64 {
    gross * 4 / 5
}

#[cachier(backend = "file", name = "groups::gross", enable_metrics)]
fn gross(net: u64) -> u64 {
    net * 5 / 4
}

#[cachier(backend = "file", name = "groups::silent")]
fn silent(net: u64) -> u64 {
    net
}

#[cachier(backend = "file", name = "other", enable_metrics)]
fn other(number: u64) -> u64 {
    number
}

#[test]
fn groups_are_told_by_pattern_and_backend() {
    in_folder(|_| {
        (0..9).for_each(|_| _ = net(100));
        (0..3).for_each(|number| _ = (gross(number), silent(number), other(number)));

        let stats = cachier::stats_of("groups::*");
        assert_eq!((stats.calls, stats.hits, stats.misses), (12, 8, 4));
        assert_eq!(stats.hit_rate(), Some(8.0 / 12.0), "after merging");
        assert_eq!(stats.compute.count(), Some(4));
        assert_eq!(cachier::stats_of("*").calls, 15);
        assert_eq!(cachier::stats_of("groups").calls, 0);

        let functions = cachier::stats_by_function("groups::*");
        let calls: Vec<_> = functions
            .iter()
            .map(|(name, stats)| (name, stats.calls))
            .collect();
        assert_eq!(calls, [("groups::gross", 3), ("groups::net", 9)]);

        let backends = cachier::stats_by_backend();
        let calls = |backend| backends.get(backend).map(|stats| stats.calls);
        assert_eq!(
            (calls("memory"), calls("file"), calls("redis")),
            (Some(9), Some(6), None)
        );
        assert_eq!(backends.total().calls, 15);
        assert!(backends.to_string().contains("\nmemory "));
    });
}
