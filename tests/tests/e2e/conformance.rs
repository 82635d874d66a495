//! Conformance of the file backend, and of one defined here.

use std::sync::Arc;

use cachier_backends::conformance::{Property, Subject};
use smol::block_on;

mod file {
    use super::*;

    use cachier_backends::{Blocking, file::FileBackend};

    fn run(property: Property) {
        let folder = tempfile::tempdir().unwrap();
        let connect = || Arc::new(Blocking::new(FileBackend::new(folder.path()))) as _;
        block_on(property(&Subject::new(connect)));
    }

    cachier_backends::conformance_tests!(run);
}

mod own {
    use super::*;

    use cachier_tests::backend::MapBackend;

    fn run(property: Property) {
        let map = MapBackend::default();
        block_on(property(&Subject::new(|| Arc::new(map.clone()))));
    }

    cachier_backends::conformance_tests!(run);
}
