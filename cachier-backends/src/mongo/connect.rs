//! Connections and their figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mongodb::bson::{Document, doc};
use mongodb::event::EventHandler;
use mongodb::event::cmap::CmapEvent;
use mongodb::options::{ClientOptions, IndexOptions, ServerMonitoringMode};
use mongodb::{Client, Collection, IndexModel};

use super::error;
use crate::backend::Pool;
use crate::error::{Error, ErrorKind, Operation};
use crate::network::server_url::ServerUrl;
use crate::network::{ClientScope, WaitReporter};
use crate::process::ProcessOnce;

/// The database if the address names none.
pub(super) const DEFAULT_DATABASE: &str = "cachier";

/// Limit for finding a server.
const SERVER_SELECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a server sends a heartbeat. The driver drops a server that it has not heard of for this and a second more,
/// and sends it nothing meanwhile: with the default of 10 seconds, a server would go unused long after it has
/// recovered.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// The most connections of one runtime, unless the address says otherwise.
const MAX_CONNECTIONS: u32 = 16;

/// Where the entries are.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// Contains credentials: never shown.
    pub(super) url: String,
    pub(super) database: String,
    pub(super) collection: String,
    /// The name without credentials.
    pub(super) store_name: String,
}

impl Address {
    /// Parses a URL.
    pub(super) fn parse(url: &str, collection: &str) -> Result<Self, Error> {
        let invalid = || {
            Error::new(
                ErrorKind::Connect,
                Operation::Load,
                "this is not the address of a MongoDB server",
            )
            .with_hint(
                "write `mongodb://user:password@host:27017/database`; in user and password, `@` is `%40`, `/` is `%2F` and `?` \
                 is `%3F`",
            )
        };
        let parts = ServerUrl::parse(url).ok_or_else(invalid)?;
        if !matches!(parts.scheme, "mongodb" | "mongodb+srv") || parts.hosts.is_empty() {
            return Err(invalid());
        }
        let database = match parts.path {
            "" => DEFAULT_DATABASE,
            path => path,
        };
        let (scheme, hosts) = (parts.scheme, parts.hosts);
        Ok(Self {
            url: url.to_owned(),
            database: database.to_owned(),
            collection: collection.to_owned(),
            store_name: format!("{scheme}://{hosts}/{database}.{collection}"),
        })
    }
}

/// Connects, and creates the indexes.
pub(super) async fn connect(
    address: Arc<Address>,
    scope: ClientScope,
    gauge: Arc<PoolGauge>,
) -> Result<Collection<Document>, Error> {
    let failed = |error| error::failed(Operation::Load, &address.store_name, &error);
    let mut options = ClientOptions::parse(&address.url).await.map_err(failed)?;
    options
        .server_selection_timeout
        .get_or_insert(SERVER_SELECTION_TIMEOUT);
    options
        .connect_timeout
        .get_or_insert(SERVER_SELECTION_TIMEOUT);
    options.app_name.get_or_insert_with(|| "cachier".to_owned());
    match scope {
        ClientScope::Runtime => drop(options.heartbeat_freq.get_or_insert(HEARTBEAT_INTERVAL)),
        // Its runtime is idle between calls, and would miss heartbeats.
        ClientScope::Thread => options.server_monitoring_mode = Some(ServerMonitoringMode::Poll),
    }
    options.max_pool_size = Some(match scope {
        ClientScope::Thread => 1,
        ClientScope::Runtime => options.max_pool_size.unwrap_or(MAX_CONNECTIONS),
    });
    options.cmap_event_handler = Some(EventHandler::callback(move |event| {
        gauge.record(&event, scope)
    }));
    let entries = client(options, failed)?
        .database(&address.database)
        .collection(&address.collection);
    match prepare(&entries).await {
        // The existing index will do: cachier checks the age of entries itself.
        Err(error) if error::is_index_conflict(&error) => {}
        prepared => prepared.map_err(failed)?,
    }
    Ok(entries)
}

/// Makes a client; the first one of a process makes what the driver keeps for all of them, such as the random part of ids.
fn client(
    options: ClientOptions,
    failed: impl FnOnce(mongodb::error::Error) -> Error,
) -> Result<Client, Error> {
    static CLIENTS: ProcessOnce = ProcessOnce::new();
    let mut first = None;
    CLIENTS.prepare("MongoDB", || {
        first = Some(Client::with_options(options.clone()));
    })?;
    let client = first.unwrap_or_else(|| Client::with_options(options));
    client.map_err(failed)
}

/// Creates missing indexes; a read-only user does without. An index with the same keys or name but other options is
/// kept and reported as an error, after the other one is created.
pub(super) async fn prepare(entries: &Collection<Document>) -> Result<(), mongodb::error::Error> {
    match entries.create_indexes(indexes()).await {
        Err(error) if error::is_denied(&error) => Ok(()),
        Err(error) if error::is_index_conflict(&error) => {
            for index in indexes() {
                match entries.create_index(index).await {
                    Err(error) if error::is_index_conflict(&error) => {}
                    created => drop(created?),
                }
            }
            Err(error)
        }
        created => created.map(drop),
    }
}

fn indexes() -> [IndexModel; 2] {
    let by_age = IndexModel::builder().keys(doc! { "function": 1, "created": 1, "size": 1 });
    let expiry = IndexOptions::builder().expire_after(Duration::ZERO).build();
    let by_expiry = IndexModel::builder().keys(doc! { "drop_at": 1 });
    [by_age.build(), by_expiry.options(expiry).build()]
}

/// Connections of all runtimes, counted from driver events.
#[derive(Default)]
pub(super) struct PoolGauge {
    open: AtomicU64,
    busy: AtomicU64,
    pub(super) waits: WaitReporter,
}

impl PoolGauge {
    pub(super) fn new(waits: WaitReporter) -> Self {
        Self {
            waits,
            ..Self::default()
        }
    }

    fn record(&self, event: &CmapEvent, scope: ClientScope) {
        match event {
            CmapEvent::ConnectionCreated(_) => add(&self.open),
            CmapEvent::ConnectionClosed(_) => subtract(&self.open),
            CmapEvent::ConnectionCheckedOut(event) => {
                add(&self.busy);
                // A client for synchronous callers serves one at a time, so nobody waits.
                if scope == ClientScope::Runtime {
                    self.waits.report(event.duration);
                }
            }
            CmapEvent::ConnectionCheckedIn(_) => subtract(&self.busy),
            _ => {}
        }
    }

    pub(super) fn pool(&self) -> Pool {
        let (open, busy) = (
            self.open.load(Ordering::Relaxed),
            self.busy.load(Ordering::Relaxed),
        );
        Pool::new(open.saturating_sub(busy), busy, None)
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

fn subtract(count: &AtomicU64) {
    // Events of a runtime that has ended may be missing.
    let _ = count.try_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
        count.checked_sub(1)
    });
}
