//! The stores for tests, each a private server started on first use.

use std::any::Any;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use cachier::testing::isolated;
use cachier::{
    Backend, Blocking, Error, FileBackend, Key, MongoBackend, RedisBackend, S3Backend, SqlBackend,
    StoreRequest, global_params, register_backend, set_global_params,
};
use cachier_servers::proxy::Proxy;
use cachier_servers::s3::Place;
use cachier_servers::{StoreServer, free_port};
use cachier_tests::gate::Gate;
use cachier_tests::layer::Layered;
use cachier_tests::process::{Process, part, skip};
use futures_lite::future::block_on;

use crate::observed::{ObservedBackend, Probe};

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    File,
    Redis,
    Cluster,
    Sentinel,
    Valkey,
    Sqlite,
    Postgres,
    /// PostgreSQL behind a pooler.
    PgBouncer,
    MariaDb,
    Mongo,
    S3,
    Moto,
}

/// A store under test, registered as `store`.
pub(crate) struct Subject {
    pub(crate) store: Store,
    pub(crate) address: String,
    /// The test's name, by which processes are started.
    test: &'static str,
    probe: Arc<Probe>,
}

impl Store {
    /// Runs a test in a context of its own; in a process that the test has started, in the context of that process.
    pub(crate) fn run(self, test: &'static str, run: fn(&Subject)) {
        let test = test.split_once("::").map_or(test, |(_, path)| path);
        let subject = |address| Subject {
            store: self,
            address,
            test,
            probe: Arc::default(),
        };
        if part().is_some() {
            let subject = subject(std::env::var(ADDRESS).unwrap());
            subject.register();
            return run(&subject);
        }
        let Some(address) = self.address() else {
            return skip(&format!(
                "{self:?}: its server is not installed; `tests/run` does that"
            ));
        };
        isolated(|| {
            // The first use of a store takes long while other servers start, more so on a busy machine; tests that are
            // not about time have plenty.
            set_global_params(global_params().operation_timeout(Duration::from_secs(60)));
            let subject = subject(address);
            subject.register();
            run(&subject);
        });
    }
}

impl Store {
    /// The address of its private server, started on first use; `None` if not installed.
    fn address(self) -> Option<String> {
        static SERVERS: Mutex<Vec<(Store, Option<String>)>> = Mutex::new(Vec::new());
        let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, address)) = servers.iter().find(|(store, _)| *store == self) {
            return address.clone();
        }
        // Servers end with the thread that started them; this one lives as long as the program.
        let (sender, started) = channel();
        std::thread::spawn(move || {
            let kept = self.start();
            sender
                .send(kept.as_ref().map(|(address, _)| address.clone()))
                .unwrap();
            std::thread::park();
            drop(kept);
        });
        let address = started.recv().expect("the server starts");
        servers.push((self, address.clone()));
        address
    }

    /// A server of its own, stopped when the second part is dropped.
    fn start(self) -> Option<(String, Box<dyn Any>)> {
        let in_folder = |scheme: &str, name: &str| -> (String, Box<dyn Any>) {
            let folder = cachier_servers::folder();
            let path = folder.path().join(name);
            (format!("{scheme}{}", path.display()), Box::new(folder))
        };
        let server = match self {
            Self::File => return Some(in_folder("", "cache")),
            Self::Sqlite => return Some(in_folder("sqlite:", "cache.db")),
            Self::Redis => cachier_servers::redis::start()?,
            Self::Valkey => cachier_servers::redis::start_valkey()?,
            Self::Cluster => {
                let servers = cachier_servers::redis::start_cluster()?;
                return Some((servers.url(), Box::new(servers)));
            }
            Self::Sentinel => {
                let servers = cachier_servers::redis::start_watched()?;
                return Some((servers.url(), Box::new(servers)));
            }
            Self::Postgres => cachier_servers::postgres::start()?,
            Self::PgBouncer => {
                let server = cachier_servers::postgres::start_private()?;
                let pooler = cachier_servers::pgbouncer::start(server.port()?, &[])?;
                return Some((pooler.url("postgres"), Box::new((pooler, server))));
            }
            Self::MariaDb => cachier_servers::mariadb::start()?,
            Self::Mongo => cachier_servers::mongo::start()?,
            Self::S3 => {
                let server = cachier_servers::s3::start()?;
                return Some((server.place().url(), Box::new(server)));
            }
            Self::Moto => {
                let server = cachier_servers::s3::start_moto()?;
                return Some((server.place().url(), Box::new(server)));
            }
        };
        Some((server.url().to_owned(), Box::new(server)))
    }

    /// A server for a single test, to be stopped and killed.
    pub(crate) fn private(self) -> Option<StoreServer> {
        match self {
            Self::File | Self::Sqlite => None,
            Self::Cluster | Self::Sentinel | Self::Valkey | Self::PgBouncer => None,
            Self::S3 => cachier_servers::s3::start_private_store(),
            Self::Moto => cachier_servers::s3::start_private_moto_store(),
            Self::Redis => cachier_servers::redis::start_private(free_port(), &[]),
            Self::Postgres => cachier_servers::postgres::start_private(),
            Self::MariaDb => cachier_servers::mariadb::start_private(),
            Self::Mongo => cachier_servers::mongo::start_private(free_port(), &[]),
        }
    }

    /// A backend for the store at an address.
    fn connect(self, address: &str) -> Arc<dyn Backend> {
        self.try_connect(address).unwrap()
    }

    /// The same for an address that may be invalid.
    pub(crate) fn try_connect(self, address: &str) -> Result<Arc<dyn Backend>, Error> {
        Ok(match self {
            Self::File => Arc::new(Blocking::new(FileBackend::new(address))),
            Self::Redis | Self::Cluster | Self::Sentinel | Self::Valkey => {
                Arc::new(RedisBackend::from_url(address)?)
            }
            Self::Sqlite | Self::Postgres | Self::PgBouncer | Self::MariaDb => {
                Arc::new(SqlBackend::from_url(address)?)
            }
            Self::Mongo => Arc::new(MongoBackend::from_url(address)?),
            Self::S3 | Self::Moto => {
                let place = Place::parse(address).unwrap();
                let backend = S3Backend::new(place.bucket).endpoint(place.endpoint);
                Arc::new(backend.credentials(place.access_key, place.secret))
            }
        })
    }
}

impl Store {
    /// A backend with the program's own client, which belongs to the runtime that polls this.
    pub(crate) async fn given(self, address: &str) -> Arc<dyn Backend> {
        match self {
            Self::Redis => {
                let client = redis::Client::open(address).unwrap();
                let manager = client.get_connection_manager().await.unwrap();
                Arc::new(RedisBackend::with_connection_manager(manager))
            }
            Self::Sqlite => {
                let url = format!("{address}?mode=rwc");
                let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
                Arc::new(SqlBackend::with_sqlite_pool(pool))
            }
            Self::Postgres => {
                let pool = sqlx::PgPool::connect(address).await.unwrap();
                Arc::new(SqlBackend::with_postgres_pool(pool))
            }
            Self::MariaDb => {
                let pool = sqlx::MySqlPool::connect(address).await.unwrap();
                Arc::new(SqlBackend::with_mysql_pool(pool))
            }
            Self::Mongo => {
                let client = mongodb::Client::with_uri_str(address).await.unwrap();
                Arc::new(MongoBackend::with_client(client))
            }
            _ => unreachable!("it is not tried with a client of the program's own"),
        }
    }
}

/// The variable that tells processes the store's address.
const ADDRESS: &str = "CACHIER_TEST_ADDRESS";

impl Subject {
    /// Makes the store known to the context of the calling code, through a connection of its own.
    pub(crate) fn register(&self) {
        self.register_at(&self.address);
    }

    /// Registers the same store under another address.
    pub(crate) fn register_at(&self, address: &str) {
        self.register_backend(self.store.connect(address));
    }

    /// Registers the same store behind a proxy.
    pub(crate) fn behind_a_proxy(&self) -> Proxy {
        let proxy = Proxy::to(self.port());
        self.register_at(&self.at(proxy.port()));
        proxy
    }

    /// Registers this backend instead.
    pub(crate) fn register_backend(&self, backend: Arc<dyn Backend>) {
        let observed = ObservedBackend {
            backend,
            other: self.bare(),
            probe: Arc::clone(&self.probe),
        };
        register_backend("store", Layered(observed)).unwrap();
    }

    /// The same kind of store on another server.
    pub(crate) fn elsewhere(&self, address: impl Into<String>) -> Self {
        Self {
            store: self.store,
            address: address.into(),
            test: self.test,
            probe: Arc::default(),
        }
    }

    /// Whether this is the process under test. An isolated test's clock stands still, and its stores are not exported,
    /// so the test starts a process of its own.
    pub(crate) fn runs_here(&self) -> bool {
        if part().is_none() {
            self.start("try it", &unique("tried")).finish();
            return false;
        }
        true
    }

    /// The port of its server.
    pub(crate) fn port(&self) -> u16 {
        let (_, from_port) = self.split();
        let digits = from_port
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(from_port.len());
        from_port[..digits].parse().unwrap()
    }

    /// The address of the same store behind another port.
    pub(crate) fn at(&self, port: u16) -> String {
        let (before, from_port) = self.split();
        let digits = from_port
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(from_port.len());
        format!("{before}{port}{}", &from_port[digits..])
    }

    /// The address before its port, and from there on.
    fn split(&self) -> (&str, &str) {
        let hosts = ["127.0.0.1:", "localhost:"];
        let port = hosts
            .iter()
            .find_map(|host| Some(self.address.find(host)? + host.len()));
        self.address.split_at(
            port.expect("a server on this machine, with its port: a proxy stands before it"),
        )
    }

    /// Starts a process that runs this test with a part, in this namespace.
    pub(crate) fn start(&self, part: &str, namespace: &str) -> Process {
        self.start_with(part, |command| {
            command.env("CACHIER_NAMESPACE", namespace);
        })
    }

    /// Starts a process that runs this test with a part, and with `prepare` applied to its environment.
    pub(crate) fn start_with(&self, part: &str, prepare: impl FnOnce(&mut Command)) -> Process {
        Process::start(self.test, part, |command| {
            command.env(ADDRESS, &self.address);
            prepare(command);
        })
    }

    /// Starts the process under test with its own `tmpfs` with these options mounted at a folder. `None` if this user
    /// may not mount.
    pub(crate) fn start_on_a_disk(&self, folder: &Path, options: &str) -> Option<Process> {
        Process::start_with_mount(self.test, "try it", folder, options, |command| {
            command.env(ADDRESS, &self.address);
        })
    }

    /// Overwrites the entry last used.
    pub(crate) fn overwrite(&self, bytes: &[u8]) {
        let request = StoreRequest::new(bytes, SystemTime::now());
        block_on(self.bare().store(&self.last_key(), request)).unwrap();
    }

    /// The bytes of the entry last used.
    pub(crate) fn stored(&self) -> Vec<u8> {
        let loaded = block_on(self.bare().load(&self.last_key())).unwrap();
        loaded.expect("it is stored").bytes
    }

    /// Invalidates the next entry as another process, during its store.
    pub(crate) fn invalidate_next_store(&self) {
        self.probe.forgotten.store(true, Ordering::SeqCst);
    }

    /// Drops the marks of running computations as another process, during the next store.
    pub(crate) fn drop_marks_in_next_store(&self) {
        self.probe.unmarked.store(true, Ordering::SeqCst);
    }

    /// Whether others have invalidated the entry.
    pub(crate) fn was_forgotten(&self) -> bool {
        !self.probe.forgotten.load(Ordering::SeqCst)
    }

    /// Blocks the next store that runs on its own thread.
    pub(crate) fn hold_next_store(&self) -> Arc<Gate> {
        let gate = Arc::new(Gate::new());
        let mut next = self
            .probe
            .gate
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *next = Some(Arc::clone(&gate));
        gate
    }

    /// The store, bypassing the cached functions.
    pub(crate) fn bare(&self) -> Arc<dyn Backend> {
        self.store.connect(&self.address)
    }

    /// The key of the entry last used.
    pub(crate) fn last_key(&self) -> Key {
        let key = self
            .probe
            .last_key
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        key.clone().expect("an entry was asked for")
    }
}

/// As [`Subject::runs_here`], for lists of tests.
pub(crate) fn runs_in_a_process(subject: &Subject) -> bool {
    subject.runs_here()
}

/// A name that no other test uses.
pub(crate) fn unique(name: &str) -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{name}-{:016x}", RandomState::new().hash_one(name))
}
