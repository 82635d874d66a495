//! One row for each entry, in a table of SQLite, PostgreSQL, MySQL or MariaDB.
//!
//! The table, `cachier_entries` unless the program says otherwise, is made when it is first needed, and beside it
//! `cachier_entries_schema`, which says which version of the table it is. A user who may only read needs both to be there
//! already, in the version of this cachier. A table, or a file of SQLite, that somebody removes is made again.
//!
//! Where it is older than this cachier, it is emptied and changed. Programs with an older cachier then find
//! that it is not theirs any more: they compute, store nothing, and are never given what is in it.
//!
//! | column | what |
//! |---|---|
//! | `id` | the BLAKE3 hash of the key, the latter written `cachier/2/{namespace}/{function}/{version}/{hash}` |
//! | `scope` | the function, `cachier/2/{namespace}/{function}` |
//! | `entry`, `size` | the entry and its length; null while there is none |
//! | `revision` | 16 random bytes that tell one entry from the next |
//! | `created`, `expires` | microseconds since 1970 |
//! | `owner`, `owned_until` | the lease on the entry, on the clock of the server |
//!
//! - A lease is taken, and an entry stored under it, by one statement that tests and changes the row: no transaction is
//!   ever open between two requests.
//! - A hit is one request, a miss three. The first use of a connection costs some more: statements are prepared.
//! - Whatever changes an entry takes the owner away, so that a late owner changes nothing.
//! - PostgreSQL notifies those who wait. Elsewhere, and behind a pooler, they ask again and again.
//! - Behind a pooler (PgBouncer) statements go out whole, with their arguments in them, as none can be prepared there.

mod argument;
mod client;
mod connections;
mod database;
mod destination;
mod dialect;
mod error;
mod idle;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod pooler;
#[cfg(feature = "postgres")]
mod postgres;
mod ready;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
#[cfg(feature = "postgres")]
mod subscribe;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::backend::{
    Anew, Backend, BoxFuture, Capabilities, Capability, EntryVersion, Figures, Instance, Lease,
    LeaseReply, Loaded, Pool, Renewal, StoreReply, StoreRequest, Usage, Vacated, WaitObserver,
    backend_by_instance, instance,
};
#[cfg(feature = "postgres")]
use crate::backend::{Watch, Watcher};
#[cfg(feature = "sqlite")]
use crate::default_folder::DefaultFolder;
use crate::error::{Error, ErrorKind, Operation};
use crate::key::{Key, Scope};
use crate::network::{Clients, Unanswered, Undo, Waits};
use client::{Client, Shared, Store};
use connections::Source;
use database::{Address, Database};
use dialect::Statements;
use store::{Asked, NewEntry, Token};

/// Keeps each entry in a row of a table.
///
/// Nothing is opened before the first operation.
///
/// ```
/// use cachier_backends::sql::SqlBackend;
///
/// # #[cfg(feature = "sqlite")]
/// let in_a_file = SqlBackend::from_url("sqlite:/var/cache/app.db")?;
/// # #[cfg(feature = "postgres")]
/// let on_a_server = SqlBackend::from_url("postgres://user:secret@db/app")?.table("app_cache")?;
/// # Ok::<(), cachier_backends::Error>(())
/// ```
pub struct SqlBackend {
    instance: Instance<Sql>,
}

/// The backend of one process.
struct Sql {
    address: Address,
    clients: Clients<Client>,
    waits: Waits,
    shared: Arc<Shared>,
    #[cfg(feature = "postgres")]
    subscription: Option<subscribe::Subscription>,
}

/// The table, if the program names no other.
const TABLE: &str = "cachier_entries";

/// How long a waiter waits for the subscription before it asks again.
#[cfg(feature = "postgres")]
const UNTIL_LISTENING: Duration = Duration::from_millis(100);

impl SqlBackend {
    /// Entries in the database of a URL: `sqlite:path`, `postgres://…`, `mysql://…` or `mariadb://…`.
    ///
    /// What follows a `?` is for [sqlx](https://docs.rs/sqlx); `mode=ro` has a file of SQLite only read. A file that is
    /// missing is made, for the user alone.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] for a URL that does not parse, that names SQLite's memory, or whose database belongs to a
    /// feature that is off.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let address = address(url)?;
        Ok(Sql::opening(address).into())
    }

    /// Entries in `sql.db` in the folder `cachier/shared` in the user's cache folder, which all programs share that say so:
    /// it is in `$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
    ///
    /// # Errors
    /// When the user has no home folder, or the cache folder cannot be made.
    #[cfg(feature = "sqlite")]
    pub fn sqlite_default() -> Result<Self, Error> {
        Self::sqlite_in_default(DefaultFolder::shared())
    }

    /// Entries in `sql.db` in a folder that nobody has named; both are made if need be, for the user alone.
    ///
    /// # Errors
    /// When the user has no home folder, or the folder cannot be made.
    #[cfg(feature = "sqlite")]
    pub fn sqlite_in_default(folder: Option<DefaultFolder>) -> Result<Self, Error> {
        let Some((folder, last_use)) = folder.map(DefaultFolder::into_parts) else {
            let message = "there is no home folder to keep the cache in";
            let error = Error::new(ErrorKind::Io, Operation::Load, message);
            return Err(error.with_hint("set CACHIER_SQL_URL"));
        };
        let file = sqlite::File::in_folder(&folder, "sql.db", last_use)?;
        Ok(Sql::opening(Address::Sqlite(file)).into())
    }

    /// Entries in `sql.db` in this folder; both are made if need be, for the user alone.
    ///
    /// # Errors
    /// When the folder cannot be made, belongs to another user or may be written to by others, or when a link or something
    /// else that is no regular file stands in the database's place.
    #[cfg(feature = "sqlite")]
    pub fn sqlite_in(folder: impl AsRef<std::path::Path>) -> Result<Self, Error> {
        let file = sqlite::File::in_folder(folder.as_ref(), "sql.db", None)?;
        Ok(Sql::opening(Address::Sqlite(file)).into())
    }

    /// Entries in the database of the program's own pool.
    ///
    /// A pool tests each connection that it hands out, by default, and each that comes back: a hit takes some requests more
    /// than with [`from_url`](Self::from_url).
    ///
    /// It belongs to the tokio runtime in which it is handed over: one with several threads serves every kind of caller,
    /// one with a single thread all but synchronous callers on that very thread, who get an error at once. When that
    /// has ended, it connects anew on the runtime of whoever asks, after an error for each connection it had. And it
    /// belongs to this process: children that it forks get an error at once.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn with_sqlite_pool(pool: sqlx::SqlitePool) -> Self {
        let file = sqlite::File::of_program((*pool.connect_options()).clone());
        let address = Address::Sqlite(file);
        let waits = Waits::default();
        let database = Database::Sqlite(Source::Given(pool, waits.clone()));
        Sql::of(address, Clients::given(Client::new(database)), waits, TABLE).into()
    }

    /// Entries in the database of the program's own pool.
    ///
    /// A pool tests each connection that it hands out, by default, and each that comes back: a hit takes some requests more
    /// than with [`from_url`](Self::from_url). Notifications come over one connection more, outside the pool.
    ///
    /// Behind a pooler such as PgBouncer the options need `.extra_float_digits(None)`, unless it lets that fall, and
    /// `.disable_statement_logging()`, lest values get into the log.
    ///
    /// It belongs to the tokio runtime in which it is handed over: one with several threads serves every kind of caller,
    /// one with a single thread all but synchronous callers on that very thread, who get an error at once. When that
    /// has ended, it connects anew on the runtime of whoever asks, after an error for each connection it had. And it
    /// belongs to this process: children that it forks get an error at once.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn with_postgres_pool(pool: sqlx::PgPool) -> Self {
        let options = (*pool.connect_options()).clone();
        let pooler = pooler::Pooler::of_options(&options);
        let address = Address::Postgres(options, pooler.clone());
        let waits = Waits::default();
        let database = Database::Postgres(Source::Given(pool, waits.clone()), pooler);
        Sql::of(address, Clients::given(Client::new(database)), waits, TABLE).into()
    }

    /// Entries in the database of the program's own pool.
    ///
    /// A pool tests each connection that it hands out, by default, and each that comes back: a hit takes some requests more
    /// than with [`from_url`](Self::from_url).
    ///
    /// It belongs to the tokio runtime in which it is handed over: one with several threads serves every kind of caller,
    /// one with a single thread all but synchronous callers on that very thread, who get an error at once. When that
    /// has ended, it connects anew on the runtime of whoever asks, after an error for each connection it had. And it
    /// belongs to this process: children that it forks get an error at once.
    #[cfg(feature = "mysql")]
    #[must_use]
    pub fn with_mysql_pool(pool: sqlx::MySqlPool) -> Self {
        let address = Address::MySql((*pool.connect_options()).clone());
        let waits = Waits::default();
        let database = Database::MySql(Source::Given(pool, waits.clone()));
        Sql::of(address, Clients::given(Client::new(database)), waits, TABLE).into()
    }

    /// The same, with the entries in another table; beside it there is one of this name and `_schema`.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] unless the name is of lower-case ASCII letters, digits and underscores, 48 at most, the first
    /// no digit.
    pub fn table(self, name: &str) -> Result<Self, Error> {
        if !dialect::is_table_name(name) {
            return Err(unusable("the name of the table is not plain")
                .with_hint("write lower-case letters, digits and underscores, 48 at most"));
        }
        let Sql {
            address,
            clients,
            waits,
            ..
        } = &*self.instance;
        Ok(Sql::of(address.clone(), clients.clone(), waits.clone(), name).into())
    }
}

impl From<Sql> for SqlBackend {
    fn from(sql: Sql) -> Self {
        let instance = instance(sql);
        Self { instance }
    }
}

backend_by_instance!(SqlBackend);

impl Anew for Sql {
    fn anew(&self) -> Self {
        let table = &self.shared.statements.table;
        let (address, waits) = (self.address.clone(), self.waits.clone());
        Self::of(address, self.clients.anew(), waits, table)
    }
}

impl Sql {
    /// Clients of its own, which connect when they are needed.
    fn opening(address: Address) -> Self {
        let (opened, waits) = (address.clone(), Waits::default());
        let of_clients = waits.clone();
        let clients = Clients::new(Unanswered::Kept, move |home| {
            let client = Client::new(Database::open(&opened, home, &of_clients));
            async move { Ok(client) }
        });
        Self::of(address, clients, waits, TABLE)
    }

    fn of(address: Address, clients: Clients<Client>, waits: Waits, table: &str) -> Self {
        let statements = Statements::new(address.dialect(), table);
        let shared = Arc::new(Shared::new(
            format!("{}#{table}", address.name()),
            statements,
        ));
        Self {
            #[cfg(feature = "postgres")]
            subscription: subscription(&address, &shared),
            address,
            clients,
            waits,
            shared,
        }
    }

    /// Gives a lease back, unless it is known what came of asking for it.
    fn undo_lease(&self, lease: &Lease, owner: Token) -> Undo {
        let (lost, shared) = (lease.share(), Arc::clone(&self.shared));
        self.clients.undo(move |client| async move {
            let operation = Operation::Lease;
            let store = Store {
                shared,
                client,
                operation,
            };
            store.release(lost.key(), owner, lost.seen()).await
        })
    }

    /// What tells of changes, where that can be heard.
    #[cfg(feature = "postgres")]
    fn subscription(&self) -> Option<&subscribe::Subscription> {
        let subscription = self.subscription.as_ref();
        subscription.filter(|subscription| subscription.can_hear())
    }

    /// Has a client do something.
    fn run<T, F>(
        &self,
        operation: Operation,
        work: impl FnOnce(Store) -> F + Send + 'static,
    ) -> BoxFuture<'_, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.clients.run(operation, move |client| {
            work(Store {
                shared,
                client,
                operation,
            })
        })
    }
}

impl Backend for Sql {
    fn kind(&self) -> &str {
        "sql"
    }

    fn store_name(&self) -> String {
        self.shared.name.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
            .with(Capability::Leases)
            .with(Capability::Cleanup)
            .with(Capability::Usage)
    }

    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        let key = key.clone();
        self.run(
            Operation::Load,
            |store| async move { store.load(&key).await },
        )
    }

    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        let key = key.clone();
        let entry = NewEntry {
            bytes: request.entry.into(),
            created: request.created,
            expires: request.expires,
        };
        let lease = request.lease;
        self.run(Operation::Store, |store| async move {
            let Some(lease) = lease else {
                return store.store(&key, entry).await;
            };
            let Some(&owner) = lease.state::<Token>() else {
                return Ok(StoreReply::Superseded);
            };
            store.store_leased(&key, entry, owner, lease.seen()).await
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool> {
        let key = key.clone();
        self.run(Operation::Remove, |store| async move {
            store.remove(&key).await
        })
    }

    fn clear<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
        let scope = Arc::clone(scope);
        self.run(Operation::Clear, |store| async move {
            store.clear(&scope).await.map(Some)
        })
    }

    fn lease<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
        period: Duration,
    ) -> BoxFuture<'a, LeaseReply> {
        let owner = store::token();
        let lease = Lease::new(key.clone(), seen.cloned(), owner).expiring_after(period);
        let undo = self.undo_lease(&lease, owner);
        self.run(Operation::Lease, move |store| async move {
            let asked = store.lease(lease.key(), lease.seen(), owner, period).await;
            undo.unless_lost(&asked);
            Ok(match asked? {
                Asked::Granted => LeaseReply::Granted(lease),
                Asked::Held(owner) => {
                    let held = |owner: Token| {
                        Lease::new(lease.key().clone(), lease.seen().cloned(), owner)
                    };
                    LeaseReply::Held(owner.map(held))
                }
                Asked::Changed => LeaseReply::Changed,
            })
        })
    }

    fn take_over<'a>(&'a self, key: &'a Key, period: Duration) -> BoxFuture<'a, Lease> {
        let owner = store::token();
        let lease = Lease::new(key.clone(), None, owner).expiring_after(period);
        let undo = self.undo_lease(&lease, owner);
        self.run(Operation::Lease, move |store| async move {
            let taken = store.take_over(lease.key(), owner, period).await;
            undo.unless_lost(&taken);
            taken.map(|()| lease)
        })
    }

    fn vacate(&self, lease: Lease) -> BoxFuture<'_, Vacated> {
        self.run(Operation::Remove, |store| async move {
            let Some(&owner) = lease.state::<Token>() else {
                return Ok(Vacated::Superseded);
            };
            Ok(match store.vacate(lease.key(), owner).await? {
                Some(removed) => Vacated::Done {
                    lease: lease.seeing(None),
                    removed,
                },
                None => Vacated::Superseded,
            })
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Renewal> {
        let lease = lease.share();
        self.run(Operation::Lease, |store| async move {
            let (Some(&owner), Some(period)) = (lease.state::<Token>(), lease.period()) else {
                return Ok(Renewal::Lost);
            };
            store.renew(lease.key(), owner, period).await
        })
    }

    fn release(&self, lease: Lease) -> BoxFuture<'_, ()> {
        self.run(Operation::Lease, |store| async move {
            match lease.state::<Token>() {
                Some(&owner) => store.release(lease.key(), owner, lease.seen()).await,
                None => Ok(()),
            }
        })
    }

    #[cfg(feature = "postgres")]
    fn wait<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
    ) -> Option<BoxFuture<'a, ()>> {
        let subscription = self.subscription()?;
        let changed = subscription.of_entry(key);
        let listening = subscription.is_listening(UNTIL_LISTENING);
        let (key, seen) = (key.clone(), seen.cloned());
        Some(self.run(Operation::Lease, |store| async move {
            if !listening.await {
                return Ok(());
            }
            // What happened before it listened is there to be seen.
            let (there, owner) = store.look(&key).await?;
            let is_as_seen = there.as_deref() == seen.as_ref().map(EntryVersion::as_bytes);
            if is_as_seen && owner.is_some() {
                changed.await;
            }
            Ok(())
        }))
    }

    #[cfg(feature = "postgres")]
    fn watch(&self, scope: &Arc<Scope>, watcher: Arc<Watcher>) -> Option<Watch> {
        self.subscription()?.watch(scope, watcher)
    }

    fn clear_leases<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, ()> {
        let scope = Arc::clone(scope);
        self.run(Operation::Clear, |store| async move {
            store.clear_leases(&scope).await
        })
    }

    fn cleanup<'a>(
        &'a self,
        scope: &'a Arc<Scope>,
        created_before: SystemTime,
    ) -> BoxFuture<'a, Option<u64>> {
        let scope = Arc::clone(scope);
        self.run(Operation::Remove, move |store| async move {
            store.cleanup(&scope, created_before).await.map(Some)
        })
    }

    fn usage<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Usage> {
        let scope = Arc::clone(scope);
        self.run(
            Operation::Load,
            |store| async move { store.usage(&scope).await },
        )
    }

    fn figures(&self) -> Figures {
        let clients = self.clients.connected();
        let pools = clients.iter().map(|client| client.database.figures());
        let pool = pools.reduce(|one, other| {
            let max = one.max.zip(other.max).map(|(one, other)| one + other);
            Pool::new(one.idle + other.idle, one.busy + other.busy, max)
        });
        Figures {
            round_trips: self.shared.trips.totals(),
            pool,
        }
    }

    fn observe_waits(&self, observer: Arc<WaitObserver>) {
        self.clients.observe_waits(Arc::clone(&observer));
        self.waits.observe(observer);
    }

    fn check(&self) -> BoxFuture<'_, ()> {
        self.run(Operation::Load, |store| async move { store.check().await })
    }
}

impl std::fmt::Debug for SqlBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = &self.instance.shared.name;
        f.debug_struct("SqlBackend")
            .field("store", name)
            .finish_non_exhaustive()
    }
}

/// The database of a URL.
fn address(url: &str) -> Result<Address, Error> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let address: Result<Address, &'static str> = match scheme {
        #[cfg(feature = "sqlite")]
        "sqlite" => sqlite::file(url).map(Address::Sqlite),
        #[cfg(not(feature = "sqlite"))]
        "sqlite" => Err("the feature `sqlite` of cachier is off"),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => postgres::options(url).map(|options| {
            let pooler = pooler::Pooler::of_options(&options);
            Address::Postgres(options, pooler)
        }),
        #[cfg(not(feature = "postgres"))]
        "postgres" | "postgresql" => Err("the feature `postgres` of cachier is off"),
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => mysql::options(url).map(Address::MySql),
        #[cfg(not(feature = "mysql"))]
        "mysql" | "mariadb" => Err("the feature `mysql` of cachier is off"),
        _ => Err("write sqlite:path, postgres://… or mysql://…"),
    };
    // The URL may hold credentials, so the error does not.
    address.map_err(|hint| unusable("the URL of the database cannot be used").with_hint(hint))
}

fn unusable(message: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, Operation::Load, message)
}

#[cfg(feature = "postgres")]
fn subscription(address: &Address, shared: &Arc<Shared>) -> Option<subscribe::Subscription> {
    #[allow(
        irrefutable_let_patterns,
        reason = "other features add other databases"
    )]
    let Address::Postgres(options, pooler) = address else {
        return None;
    };
    let (shared, options, pooler) = (Arc::clone(shared), options.clone(), pooler.clone());
    Some(subscribe::Subscription::new(shared, options, pooler))
}
