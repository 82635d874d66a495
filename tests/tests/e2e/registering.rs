//! Backends as programs hand them over.

use std::path::Path;
use std::sync::Arc;

use cachier::testing::isolated;
use cachier::{
    Backend, BlockingBackend, Error, FileBackend, Key, Loaded, MongoBackend, Outcome, RedisBackend,
    S3Backend, Scope, SqlBackend, StoreReply, StoreRequest, register_backend,
};
use cachier_tests::backend::MapBackend;
use cachier_tests::{double, outcome};

double!(backend = registered("given"));

/// The outcomes of two calls.
fn outcomes() -> [Outcome; 2] {
    [1, 1].map(|number| outcome!(double(number)))
}

#[test]
fn a_file_backend_is_registered_as_it_is() {
    isolated(|| {
        let folder = tempfile::tempdir().unwrap();
        register_backend("given", FileBackend::new(folder.path())).unwrap();
        assert_eq!(outcomes(), [Outcome::Miss, Outcome::Hit]);
        assert!(folder.path().join("cachier@2").exists());
    });
}

#[test]
fn a_shared_backend_is_registered_as_it_is() {
    isolated(|| {
        let map = MapBackend::default();
        let backend: Arc<dyn Backend> = Arc::new(map.clone());
        register_backend("given", backend).unwrap();
        assert_eq!(outcomes(), [Outcome::Miss, Outcome::Hit]);
        assert!(map.asked() > 0);
    });
}

/// A backend that blocks, of a program: it stands on another.
struct Own(FileBackend);

impl BlockingBackend for Own {
    fn kind(&self) -> &str {
        "own"
    }

    fn store_name(&self) -> String {
        self.0.store_name()
    }

    fn load(&self, key: &Key) -> Result<Option<Loaded>, Error> {
        self.0.load(key)
    }

    fn store(&self, key: &Key, request: StoreRequest<'_>) -> Result<StoreReply, Error> {
        self.0
            .store(key, StoreRequest::new(request.entry, request.created))
    }

    fn remove(&self, key: &Key) -> Result<bool, Error> {
        self.0.remove(key)
    }

    fn clear(&self, scope: &Arc<Scope>) -> Result<Option<u64>, Error> {
        self.0.clear(scope)
    }
}

#[test]
fn a_blocking_backend_is_registered_as_it_is() {
    isolated(|| {
        let folder = tempfile::tempdir().unwrap();
        register_backend("given", Own(FileBackend::new(folder.path()))).unwrap();
        assert_eq!(outcomes(), [Outcome::Miss, Outcome::Hit]);
        assert_eq!(cachier::functions()[0].backend(), "given");
    });
}

/// The first lines of the README; nothing is connected by them.
fn register_all(folder: &Path) -> Result<(), Error> {
    register_backend("file", FileBackend::new(folder))?;
    register_backend("files", FileBackend::default())?;
    register_backend("redis", RedisBackend::from_url("redis://127.0.0.1:1")?)?;
    register_backend("sql", SqlBackend::sqlite_in(folder)?)?;
    register_backend("db", SqlBackend::from_url("postgres://u@127.0.0.1:1/d")?)?;
    register_backend("mongo", MongoBackend::from_url("mongodb://127.0.0.1:1/d")?)?;
    register_backend("s3", S3Backend::new("bucket").prefix("app"))
}

#[test]
fn every_constructor_makes_what_can_be_registered() {
    let folder = tempfile::tempdir().unwrap();
    isolated(|| register_all(folder.path()).unwrap());
}
