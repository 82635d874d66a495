//! What a forked child counts of its store is its own.

use cachier::PrometheusExporter;
use cachier_tests::forked::Forked;

use crate::forks::{HITS, KEYS, hits, in_own_process, value};
use crate::store::Subject;

crate::on_stores!([redis: Redis, sqlite: Sqlite, mongo: Mongo] { a_child_counts_its_own_waits_only });

fn a_child_counts_its_own_waits_only(subject: &Subject) {
    in_own_process(subject, || {
        (0..KEYS).for_each(|key| drop(value(key)));
        hits();
        let parents = waits_for_connections();
        assert!(parents >= u64::from(HITS), "{parents} waits");
        let child = Forked::start(move || {
            value(0);
            let own = waits_for_connections();
            assert!(own < parents, "{own} of {parents} waits");
        });
        child.finish();
    });
}

/// Of the store, as exported.
fn waits_for_connections() -> u64 {
    let exporter = PrometheusExporter::builder().port(0).build().unwrap();
    exporter.register_function(value::metrics()).unwrap();
    let text = exporter.render();
    let count = text.lines().find_map(|line| {
        let (name, count) = line.rsplit_once(' ')?;
        name.starts_with("cachier_pool_wait_duration_seconds_count")
            .then(|| count.parse().unwrap())
    });
    // The series begins with the first one.
    count.unwrap_or(0)
}
