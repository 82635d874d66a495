//! The conformance suite.

use std::sync::Arc;
use std::time::Duration;

use cachier_backends::blocking;
use cachier_backends::conformance::Subject;
use cachier_backends::s3::S3Backend;
use cachier_servers::s3::Place;
use futures_lite::future::block_on;

use crate::server_support::conformance;
use crate::support;

fn subject(place: &Place) -> Subject {
    Subject::new(|| Arc::new(support::backend(place)))
}

conformance!(in_a_runtime, |property| {
    let Some(place) = support::place() else {
        return;
    };
    support::runtime().block_on(property(&subject(place)));
});

conformance!(on_a_thread, |property| {
    let Some(place) = support::place() else {
        return;
    };
    let subject = subject(place);
    blocking::inline(Duration::from_secs(60), || block_on(property(&subject)));
});

conformance!(on_another_executor, |property| {
    let Some(place) = support::place() else {
        return;
    };
    block_on(property(&subject(place)));
});

conformance!(with_a_programs_client_and_a_prefix, |property| {
    let Some(place) = support::place() else {
        return;
    };
    support::runtime().block_on(async {
        let client = support::client(place);
        let connect = || S3Backend::with_client(&place.bucket, client.clone());
        let subject = Subject::new(|| Arc::new(connect().prefix("of/a team")));
        property(&subject).await;
    });
});

conformance!(on_moto, |property| {
    let Some(place) = support::moto() else { return };
    support::runtime().block_on(property(&subject(place)));
});
