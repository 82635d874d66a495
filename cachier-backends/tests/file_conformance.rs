//! Conformance of the file backend.

use std::sync::Arc;
use std::time::Duration;

use cachier_backends::conformance::{Property, Subject};
use cachier_backends::file::FileBackend;
use cachier_backends::{Blocking, blocking};
use futures_lite::future::block_on;

mod on_the_calling_thread {
    use super::*;

    fn run(property: Property) {
        let dir = tempfile::tempdir().expect("a folder for the test");
        let subject = Subject::new(|| Arc::new(Blocking::new(FileBackend::new(dir.path()))));
        blocking::inline(Duration::from_secs(60), || block_on(property(&subject)));
    }

    cachier_backends::conformance_tests!(run);
}

mod on_the_pool {
    use super::*;

    fn run(property: Property) {
        let dir = tempfile::tempdir().expect("a folder for the test");
        let subject = Subject::new(|| Arc::new(Blocking::new(FileBackend::new(dir.path()))));
        block_on(property(&subject));
    }

    cachier_backends::conformance_tests!(run);
}
