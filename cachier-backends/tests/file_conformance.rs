//! Conformance of the file backend.

use std::sync::Arc;
use std::time::Duration;

use cachier_backends::conformance::{Property, Subject};
use cachier_backends::file::FileBackend;
use cachier_backends::{Blocking, blocking};
use futures_lite::future::block_on;

fn on_the_calling_thread(property: Property) {
    let dir = tempfile::tempdir().expect("a folder for the test");
    let subject = Subject::new(|| Arc::new(Blocking::new(FileBackend::new(dir.path()))));
    blocking::inline(Duration::from_secs(60), || block_on(property(&subject)));
}

mod on_the_calling_thread {
    cachier_backends::conformance_tests!(super::on_the_calling_thread);
}

fn on_the_pool(property: Property) {
    let dir = tempfile::tempdir().expect("a folder for the test");
    let subject = Subject::new(|| Arc::new(Blocking::new(FileBackend::new(dir.path()))));
    block_on(property(&subject));
}

mod on_the_pool {
    cachier_backends::conformance_tests!(super::on_the_pool);
}
