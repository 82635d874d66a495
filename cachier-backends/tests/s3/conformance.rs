//! The conformance suite.

use std::sync::Arc;
use std::time::Duration;

use cachier_backends::blocking;
use cachier_backends::conformance::{Property, Subject};
use cachier_backends::s3::S3Backend;
use cachier_servers::s3::Place;
use futures_lite::future::block_on;

use crate::support;

fn subject(place: &Place) -> Subject {
    Subject::new(|| Arc::new(support::backend(place)))
}

fn in_a_runtime(property: Property) {
    let Some(place) = support::place() else {
        return;
    };
    support::runtime().block_on(property(&subject(place)));
}

mod in_a_runtime {
    cachier_backends::conformance_tests!(super::in_a_runtime);
}

fn on_a_thread(property: Property) {
    let Some(place) = support::place() else {
        return;
    };
    let subject = subject(place);
    blocking::inline(Duration::from_secs(60), || block_on(property(&subject)));
}

mod on_a_thread {
    cachier_backends::conformance_tests!(super::on_a_thread);
}

fn on_another_executor(property: Property) {
    let Some(place) = support::place() else {
        return;
    };
    block_on(property(&subject(place)));
}

mod on_another_executor {
    cachier_backends::conformance_tests!(super::on_another_executor);
}

fn with_a_client_of_the_program_and_a_prefix(property: Property) {
    let Some(place) = support::place() else {
        return;
    };
    support::runtime().block_on(async {
        let client = support::client(place);
        let connect = || S3Backend::with_client(&place.bucket, client.clone());
        let subject = Subject::new(|| Arc::new(connect().prefix("of/a team")));
        property(&subject).await;
    });
}

mod with_a_client_of_the_program_and_a_prefix {
    cachier_backends::conformance_tests!(super::with_a_client_of_the_program_and_a_prefix);
}

fn on_moto(property: Property) {
    let Some(place) = support::moto() else { return };
    support::runtime().block_on(property(&subject(place)));
}

mod on_moto {
    cachier_backends::conformance_tests!(super::on_moto);
}
