//! Conformance, for callers of every kind.

use std::sync::Arc;
use std::time::Duration;

use cachier_backends::blocking;
use cachier_backends::conformance::Subject;
use cachier_backends::redis::RedisBackend;
use futures_lite::future::block_on;

use crate::server_support::conformance;
use crate::support;

fn subject(url: &str) -> Subject {
    Subject::new(|| Arc::new(support::backend(url)))
}

/// The rights named in the backend's errors.
const RIGHTS: &str = "~cachier:* &cachier:* +@read +@write +@scripting +@pubsub +@connection +time";

conformance!(with_as_few_rights_as_it_needs, |property| {
    let Some(url) = support::url() else { return };
    let user = ["ACL", "SETUSER", "modest", "on", ">pw", "resetchannels"];
    let rights: Vec<_> = RIGHTS.split(' ').collect();
    support::command(url, &[&user[..], &rights].concat());
    let url = url.replace("://", "://modest:pw@");
    support::runtime().block_on(property(&subject(&url)));
});

conformance!(in_a_runtime, |property| {
    let Some(url) = support::url() else { return };
    support::runtime().block_on(property(&subject(url)));
});

conformance!(on_a_thread, |property| {
    let Some(url) = support::url() else { return };
    let subject = subject(url);
    blocking::inline(Duration::from_secs(60), || block_on(property(&subject)));
});

conformance!(on_another_executor, |property| {
    let Some(url) = support::url() else { return };
    block_on(property(&subject(url)));
});

conformance!(on_valkey, |property| {
    let Some(url) = support::valkey_url() else {
        return;
    };
    support::runtime().block_on(property(&subject(url)));
});

conformance!(on_a_cluster, |property| {
    let Some(url) = support::cluster_url() else {
        return;
    };
    support::runtime().block_on(property(&subject(&url)));
});

conformance!(on_a_cluster_with_minimal_rights, |property| {
    let rights = format!("{RIGHTS} +cluster|slots");
    let Some(url) = support::guarded_cluster_url(rights) else {
        return;
    };
    support::runtime().block_on(property(&subject(&url)));
});

conformance!(with_a_connection_of_the_program, |property| {
    let Some(url) = support::url() else { return };
    let client = redis::Client::open(url).unwrap();
    let runtime = support::runtime();
    let manager = runtime.block_on(client.get_connection_manager()).unwrap();
    let connect = || RedisBackend::with_connection_manager(manager.clone());
    let subject = Subject::new(|| Arc::new(connect()));
    runtime.block_on(property(&subject));
});
