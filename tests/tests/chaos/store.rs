//! The tested stores: each a server of its own behind a proxy, or a folder.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cachier::{Backend, Blocking, FileBackend, MongoBackend, RedisBackend, S3Backend, SqlBackend};
use cachier_servers::proxy::Proxy;
use cachier_servers::s3::Place;
use cachier_servers::{StoreServer, free_port};
use tempfile::TempDir;

use crate::settings::{LEASE_PERIOD, MAX_BODY_TIME, MAX_FAULT_TIME};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Memory,
    File,
    Sqlite,
    Redis,
    Postgres,
    MariaDb,
    Mongo,
    S3,
}

/// Where a store's values are.
pub(crate) enum Site {
    Process,
    Folder(TempDir),
    Server {
        server: Box<StoreServer>,
        proxy: Proxy,
    },
}

impl Store {
    /// A new one; `None` if its server is not installed.
    pub(crate) fn start(self) -> Option<Site> {
        let server = match self {
            Self::Memory => return Some(Site::Process),
            Self::File | Self::Sqlite => return Some(Site::Folder(cachier_servers::folder())),
            Self::Redis => cachier_servers::redis::start_private(free_port(), &[]),
            Self::Postgres => cachier_servers::postgres::start_private(),
            Self::MariaDb => cachier_servers::mariadb::start_private(),
            Self::Mongo => cachier_servers::mongo::start_private(free_port(), &[]),
            Self::S3 => cachier_servers::s3::start_private_store(),
        }?;
        let proxy = Proxy::to(server.port().expect("it was started here"));
        let server = Box::new(server);
        Some(Site::Server { server, proxy })
    }

    /// A backend for the store at an address; `None` for memory.
    pub(crate) fn connect(self, address: &str) -> Option<Arc<dyn Backend>> {
        Some(match self {
            Self::Memory => return None,
            Self::File => Arc::new(Blocking::new(FileBackend::new(address))),
            Self::Redis => Arc::new(RedisBackend::from_url(address).expect("a URL")),
            Self::Sqlite | Self::Postgres | Self::MariaDb => {
                Arc::new(SqlBackend::from_url(address).expect("a URL"))
            }
            Self::Mongo => Arc::new(MongoBackend::from_url(address).expect("a URL")),
            Self::S3 => {
                let place = Place::parse(address).expect("a URL");
                let backend = S3Backend::new(place.bucket).endpoint(place.endpoint);
                Arc::new(backend.credentials(place.access_key, place.secret))
            }
        })
    }

    /// How many processes share it.
    pub(crate) fn processes(self) -> usize {
        match self {
            Self::Memory => 1,
            _ => 3,
        }
    }

    /// How long a call may wait for a dead or stopped process.
    pub(crate) fn longest_wait(self) -> Duration {
        match self {
            Self::Memory => MAX_BODY_TIME,
            // A dead process has no lock; a stopped one keeps it.
            Self::File => MAX_FAULT_TIME,
            // Its clock counts whole seconds.
            Self::S3 => LEASE_PERIOD + Duration::from_secs(2),
            _ => LEASE_PERIOD,
        }
    }

    /// Whether a computation begun before a precached value can never overwrite it. On S3 it can, between two requests.
    pub(crate) fn overwriting_is_certain(self) -> bool {
        self != Self::S3
    }

    /// Whether processes may fork while using it.
    pub(crate) fn survives_forks(self) -> bool {
        self != Self::Sqlite
    }
}

impl Site {
    /// Where processes find it.
    pub(crate) fn address(&self, store: Store) -> String {
        match self {
            Self::Process => String::new(),
            Self::Folder(folder) if store == Store::Sqlite => {
                format!("sqlite:{}", folder.path().join("cache.db").display())
            }
            Self::Folder(folder) => folder.path().join("cache").display().to_string(),
            Self::Server { server, proxy } => {
                let port = server.port().expect("it was started here").to_string();
                let (before, after) = server
                    .url()
                    .split_once(&format!(":{port}"))
                    .expect("a port");
                format!("{before}:{}{after}", proxy.port())
            }
        }
    }

    /// The database file, or the folder of files.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder.path().to_owned()),
            Self::Process | Self::Server { .. } => None,
        }
    }
}
