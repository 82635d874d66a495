//! A store in which the instances of a program publish their figures.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cachier::{ClusterReader, Error, global_params, register_backend, set_global_params};
use cachier_metrics::ClusterFigures;
use serde_json::Value;

use crate::detail::Detail;
use crate::source::{Source, Window};
use crate::store_address::{Kind, StoreAddress};

pub(crate) struct Store {
    name: String,
    reader: ClusterReader,
    latest: Mutex<ClusterFigures>,
}

/// Publications come every few seconds; more requests would find nothing newer.
const INTERVAL: Duration = Duration::from_secs(2);

/// Looks for instances of this namespace from now on.
pub(crate) fn set_namespace(namespace: &str) {
    set_global_params(global_params().namespace(namespace));
}

impl Store {
    /// A store, registered under its number. Sends nothing yet.
    pub(crate) fn open(number: usize, address: &StoreAddress) -> Result<Self, String> {
        let name = address.name();
        let is_there = |path: &str| path.starts_with('~') || Path::new(path).exists();
        if address.path().is_some_and(|path| !is_there(path)) {
            return Err(format!("{name}: it does not exist"));
        }
        let backend = format!("store {number}");
        register(&backend, address).map_err(|problem| format!("{name}: {problem}"))?;
        let reader = ClusterReader::new(&backend).map_err(|error| format!("{name}: {error}"))?;
        Ok(Self {
            name,
            reader,
            latest: Mutex::default(),
        })
    }
}

/// Makes a store known to the library under a name.
fn register(name: &str, store: &StoreAddress) -> Result<(), String> {
    let address = &*store.address;
    let registered: Result<(), Error> = match store.kind {
        #[cfg(feature = "file")]
        Kind::File => register_backend(name, cachier::FileBackend::new(address)),
        #[cfg(feature = "redis")]
        Kind::Redis => cachier::RedisBackend::from_url(address)
            .and_then(|backend| register_backend(name, backend)),
        #[cfg(feature = "sqlite")]
        Kind::Sqlite => sql(name, address),
        #[cfg(feature = "postgres")]
        Kind::Postgres => sql(name, address),
        #[cfg(feature = "mysql")]
        Kind::Mysql => sql(name, address),
        #[cfg(feature = "mongo")]
        Kind::Mongo => cachier::MongoBackend::from_url(address)
            .and_then(|backend| register_backend(name, backend)),
        #[cfg(feature = "s3")]
        Kind::S3 => register_backend(name, s3(address)),
        #[allow(unreachable_patterns, reason = "where all features are on")]
        other => return Err(other.missing()),
    };
    registered.map_err(|error| error.to_string())
}

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
fn sql(name: &str, address: &str) -> Result<(), Error> {
    register_backend(name, cachier::SqlBackend::from_url(address)?)
}

/// At AWS, or where the environment says, as for programs.
#[cfg(feature = "s3")]
fn s3(address: &str) -> cachier::S3Backend {
    let place = address.trim_start_matches("s3://");
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let backend = cachier::S3Backend::new(bucket);
    let backend = match prefix.trim_end_matches('/') {
        "" => backend,
        prefix => backend.prefix(prefix),
    };
    match std::env::var("CACHIER_S3_ENDPOINT") {
        Ok(endpoint) => backend.endpoint(endpoint),
        Err(_) => backend,
    }
}

impl Source for Store {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&self, _: Window) -> Result<Value, String> {
        let figures = self.reader.figures().map_err(|error| error.to_string())?;
        let json = figures.to_json();
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = figures;
        Ok(json)
    }

    /// As it was last read.
    fn detail(&self, function: &str, _: Window) -> Result<Detail, String> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Detail::of_instances(&latest, function))
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }
}
