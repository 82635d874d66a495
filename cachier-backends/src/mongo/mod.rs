//! Entries in a MongoDB collection, shared by machines.
//!
//! One document for each key holds the entry and the lease on it, so that each change is one request that the server
//! carries out as a whole. Two indexes besides that of the keys: by function and age, which clean-ups and figures use
//! without reading documents, and one by which the server drops what has expired.
//!
//! The server takes documents of 16 MiB; larger entries are refused ([`StoreReply::TooLarge`]).

mod connect;
mod documents;
mod error;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_lite::StreamExt;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::ReturnDocument;
use mongodb::{Client, Collection};

use self::connect::{Gauge, Place};
use crate::backend::{
    Anew, Backend, BoxFuture, Capabilities, Capability, EntryVersion, Figures, Instance, Lease,
    LeaseReply, Loaded, Renewal, StoreReply, StoreRequest, Usage, Vacated, WaitObserver,
    backend_by_instance, instance,
};
use crate::error::{Error, ErrorKind, Operation};
use crate::key::{Key, Scope};
use crate::network::{Clients, RoundTrips, ServerUrl, Unanswered, Undo, Waits};

/// The largest entry, in bytes: a document of the server's 16 MiB, less what stands beside the entry.
const LARGEST: usize = (16 << 20) - (16 << 10);

const DATABASE: &str = "cachier";
const COLLECTION: &str = "cachier_entries";

/// Entries in a MongoDB collection.
///
/// ```
/// use cachier_backends::Backend;
/// use cachier_backends::mongo::MongoBackend;
///
/// let backend = MongoBackend::from_url("mongodb://app:secret@127.0.0.1:27017/caches")?;
/// assert_eq!(backend.store_name(), "mongodb://127.0.0.1:27017/caches.cachier_entries");
/// # Ok::<(), cachier_backends::Error>(())
/// ```
///
/// It connects when it is first used.
pub struct MongoBackend {
    instance: Instance<Mongo>,
}

/// The backend of one process.
struct Mongo {
    /// `None` with the program's own client.
    place: Option<Arc<Place>>,
    shared: Arc<Shared>,
    clients: Clients<Collection<Document>>,
}

struct Shared {
    store_name: String,
    round_trips: RoundTrips,
    gauge: Arc<Gauge>,
}

impl MongoBackend {
    /// The server of this address, `mongodb://…` or `mongodb+srv://…`, and the database that it names, else `cachier`.
    ///
    /// # Errors
    /// For an address that is none of these. Whether the server is there is not looked at.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        Self::from_url_and_collection(url, COLLECTION)
    }

    /// The same, with another collection than `cachier_entries`.
    ///
    /// # Errors
    /// As for [`from_url`](Self::from_url).
    pub fn from_url_and_collection(url: &str, collection: &str) -> Result<Self, Error> {
        let place = Arc::new(parse(url, collection)?);
        Ok(Mongo::at(place, Waits::default()).into())
    }

    /// The program's own client, the database `cachier` and the collection `cachier_entries`, whose
    /// [indexes](Self::create_indexes) are the program's to make.
    ///
    /// It belongs to the tokio runtime in which it is handed over: one with several threads serves every kind of caller,
    /// one with a single thread all but synchronous callers on that very thread, who get an error at once. When that
    /// has ended, all get errors: the driver watches its servers there. And it belongs to this process: children that it
    /// forks get an error at once.
    #[must_use]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "as every other backend takes a client"
    )]
    pub fn with_client(client: Client) -> Self {
        Self::with_collection(client.database(DATABASE).collection(COLLECTION))
    }

    /// The program's own collection, which should hold nothing else. Its [indexes](Self::create_indexes) are the program's
    /// to make.
    ///
    /// It belongs to the tokio runtime in which it is handed over: one with several threads serves every kind of caller,
    /// one with a single thread all but synchronous callers on that very thread, who get an error at once. When that
    /// has ended, all get errors: the driver watches its servers there. And it belongs to this process: children that it
    /// forks get an error at once.
    #[must_use]
    pub fn with_collection(collection: Collection<Document>) -> Self {
        let store_name = format!("mongodb, {}", collection.namespace());
        let clients = Clients::given(collection);
        Mongo::new(None, store_name, Arc::default(), clients).into()
    }

    /// Creates the indexes where they are missing; a backend [from a URL](Self::from_url) does so when it connects.
    ///
    /// They are `{function: 1, created: 1, size: 1}`, which clean-ups and figures use, and `{drop_at: 1}` with an
    /// `expireAfterSeconds` of 0, by which the server drops what has expired.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses, or an index of the same keys or name has other options: that one stays,
    /// and the backend works with it. A user who may not create indexes is no error.
    pub async fn create_indexes(&self) -> Result<(), Error> {
        let prepare = |requests: Requests| async move { connect::prepare(requests.send()).await };
        self.instance.run(Operation::Store, prepare).await
    }
}

impl From<Mongo> for MongoBackend {
    fn from(mongo: Mongo) -> Self {
        let instance = instance(mongo);
        Self { instance }
    }
}

backend_by_instance!(MongoBackend);

impl Anew for Mongo {
    fn anew(&self) -> Self {
        match &self.place {
            Some(place) => Self::at(Arc::clone(place), self.shared.gauge.waits.clone()),
            None => Self::new(
                None,
                self.shared.store_name.clone(),
                Arc::default(),
                self.clients.anew(),
            ),
        }
    }
}

impl Mongo {
    /// Clients that connect to that place.
    fn at(place: Arc<Place>, waits: Waits) -> Self {
        let gauge = Arc::new(Gauge::new(waits));
        let (of_clients, there) = (Arc::clone(&gauge), Arc::clone(&place));
        let clients = Clients::new(Unanswered::Replaced, move |home| {
            connect::connect(Arc::clone(&there), home, Arc::clone(&of_clients))
        });
        let store_name = place.store_name.clone();
        Self::new(Some(place), store_name, gauge, clients)
    }

    fn new(
        place: Option<Arc<Place>>,
        store_name: String,
        gauge: Arc<Gauge>,
        clients: Clients<Collection<Document>>,
    ) -> Self {
        let shared = Arc::new(Shared {
            store_name,
            round_trips: RoundTrips::default(),
            gauge,
        });
        Self {
            place,
            shared,
            clients,
        }
    }

    /// Gives a lease back, unless it is known what came of asking for it.
    fn undo_lease(&self, lease: &Lease, owner: ObjectId) -> Undo {
        let (lost, shared) = (lease.share(), Arc::clone(&self.shared));
        self.clients.undo(move |entries| async move {
            let requests = Requests::new(entries, &shared, Operation::Lease);
            let released = requests.release_any(&lost, owner).await;
            released.map_err(|error| shared.error(Operation::Lease, &error))
        })
    }

    /// Runs one request, or several.
    fn run<'a, T, F>(
        &'a self,
        operation: Operation,
        work: impl FnOnce(Requests) -> F + Send + 'static,
    ) -> BoxFuture<'a, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, mongodb::error::Error>> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.clients.run(operation, move |entries| async move {
            let requests = Requests::new(entries, &shared, operation);
            let done = work(requests).await;
            done.map_err(|error| shared.error(operation, &error))
        })
    }
}

/// The collection, for the requests of one operation, which are counted.
struct Requests {
    entries: Collection<Document>,
    shared: Arc<Shared>,
    operation: Operation,
}

/// Which document an entry is stored in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    /// One that is there.
    Only,
    /// One that is there, else a new one.
    OrNew,
}

impl Shared {
    fn error(&self, operation: Operation, error: &mongodb::error::Error) -> Error {
        error::failed(operation, &self.store_name, error)
    }
}

impl Requests {
    fn new(entries: Collection<Document>, shared: &Arc<Shared>, operation: Operation) -> Self {
        Self {
            entries,
            shared: Arc::clone(shared),
            operation,
        }
    }

    /// Stores an entry in a document.
    async fn store(
        &self,
        document: Document,
        update: Document,
        existing: Existing,
    ) -> Result<StoreReply, mongodb::error::Error> {
        let stored = self.send().update_one(document, update);
        match stored.upsert(existing == Existing::OrNew).await {
            Ok(updated) if existing == Existing::Only && updated.matched_count == 0 => {
                Ok(StoreReply::Superseded)
            }
            Ok(_) => Ok(StoreReply::Stored { evicted: 0 }),
            Err(error) if error::is_too_large(&error) => Ok(StoreReply::TooLarge),
            Err(error) => Err(error),
        }
    }

    /// Ends the lease of an owner.
    async fn release(&self, lease: &Lease, owner: ObjectId) -> Result<(), mongodb::error::Error> {
        let document = documents::owned(lease.key(), owner, lease.seen());
        if lease.seen().is_none() {
            self.send().delete_one(document).await?;
        } else {
            let unset = doc! { "$unset": { "lease": "" } };
            self.send().update_one(document, unset).await?;
        }
        Ok(())
    }

    /// Ends the lease of an owner, whether there is an entry or not.
    async fn release_any(
        &self,
        lease: &Lease,
        owner: ObjectId,
    ) -> Result<(), mongodb::error::Error> {
        let mut document = documents::of(lease.key());
        document.insert("lease.owner", owner);
        let mut bare = document.clone();
        bare.insert("version", Bson::Null);
        self.send().delete_one(bare).await?;
        let unset = doc! { "$unset": { "lease": "" } };
        self.send().update_one(document, unset).await?;
        Ok(())
    }

    /// The collection, for one request.
    fn send(&self) -> &Collection<Document> {
        self.shared.round_trips.count(self.operation);
        &self.entries
    }

    async fn delete(&self, documents: Document) -> Result<u64, mongodb::error::Error> {
        Ok(self.send().delete_many(documents).await?.deleted_count)
    }
}

impl Backend for Mongo {
    fn kind(&self) -> &str {
        "mongo"
    }

    fn store_name(&self) -> String {
        self.shared.store_name.clone()
    }

    fn capabilities(&self) -> Capabilities {
        use Capability::{Cleanup, Leases, Usage};
        Capabilities::NONE.with(Leases).with(Cleanup).with(Usage)
    }

    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        let document = documents::of(key);
        self.run(Operation::Load, |requests| async move {
            let fields = doc! { "_id": 0, "entry": 1, "version": 1 };
            let found = requests
                .send()
                .find_one(document)
                .projection(fields)
                .await?;
            Ok(found.and_then(|mut document| {
                let version = documents::version_in(&document)?;
                // An entry that is not binary is no entry: its bytes are as good as torn.
                let bytes = documents::entry_in(&mut document).unwrap_or_default();
                Some(Loaded { bytes, version })
            }))
        })
    }

    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        let is_too_large = request.entry.len() > LARGEST;
        let Some(lease) = request.lease.as_ref().map(Lease::share) else {
            if is_too_large {
                return Box::pin(async { Ok(StoreReply::TooLarge) });
            }
            let (document, update) = (documents::of(key), documents::store(key, &request));
            return self.run(Operation::Store, |requests| async move {
                requests.store(document, update, Existing::OrNew).await
            });
        };
        let Some(owner) = lease.state::<ObjectId>().copied() else {
            return Box::pin(async { Ok(StoreReply::Superseded) });
        };
        let update = (!is_too_large).then(|| documents::store(key, &request));
        self.run(Operation::Store, move |requests| async move {
            let document = documents::owned(lease.key(), owner, lease.seen());
            let reply = match update {
                Some(update) => requests.store(document, update, Existing::Only).await?,
                None => StoreReply::TooLarge,
            };
            if reply == StoreReply::TooLarge {
                requests.release(&lease, owner).await?;
            }
            Ok(reply)
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool> {
        let document = documents::of(key);
        self.run(Operation::Remove, |requests| async move {
            let removed = requests
                .send()
                .find_one_and_delete(document)
                .projection(doc! { "version": 1 });
            Ok(removed
                .await?
                .is_some_and(|document| documents::version_in(&document).is_some()))
        })
    }

    fn clear<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
        let (entries, all) = (documents::entries_of(scope), documents::of_function(scope));
        self.run(Operation::Clear, |requests| async move {
            let count = requests.delete(entries).await?;
            // Leases, and what their owners have stored meanwhile: they began before the clear.
            requests.delete(all).await?;
            Ok(Some(count))
        })
    }

    fn lease<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
        period: Duration,
    ) -> BoxFuture<'a, LeaseReply> {
        let owner = documents::unlike_any_other();
        let (document, update) = (
            documents::of(key),
            documents::lease(key, owner, seen, period),
        );
        let lease = Lease::new(key.clone(), seen.cloned(), owner).expiring_after(period);
        let undo = self.undo_lease(&lease, owner);
        let asked = self.run(Operation::Lease, move |requests| async move {
            let request = || {
                let asked = requests
                    .send()
                    .find_one_and_update(document.clone(), update.clone());
                let asked = asked.upsert(lease.seen().is_none());
                let fields = doc! { "version": 1, "lease": 1 };
                asked
                    .return_document(ReturnDocument::After)
                    .projection(fields)
            };
            let found = match request().await {
                // Somebody else inserted the document at the same moment; now it is there.
                Err(error) if error::is_duplicate(&error) => request().await?,
                asked => asked?,
            };
            Ok(match found {
                Some(document) if documents::owner_in(&document) == Some(owner) => {
                    LeaseReply::Granted(lease)
                }
                Some(document) if documents::version_in(&document).as_ref() == lease.seen() => {
                    let held = |owner: ObjectId| {
                        Lease::new(lease.key().clone(), lease.seen().cloned(), owner)
                    };
                    LeaseReply::Held(documents::owner_in(&document).map(held))
                }
                _ => LeaseReply::Changed,
            })
        });
        Box::pin(async move {
            let asked = asked.await;
            undo.unless_lost(&asked);
            asked
        })
    }

    fn take_over<'a>(&'a self, key: &'a Key, period: Duration) -> BoxFuture<'a, Lease> {
        let owner = documents::unlike_any_other();
        let document = documents::of(key);
        let update = documents::take_over(key, owner, period);
        let lease = Lease::new(key.clone(), None, owner).expiring_after(period);
        let undo = self.undo_lease(&lease, owner);
        let taken = self.run(Operation::Lease, move |requests| async move {
            let request = || {
                requests
                    .send()
                    .find_one_and_update(document.clone(), update.clone())
                    .upsert(true)
                    .return_document(ReturnDocument::After)
                    .projection(doc! { "version": 1 })
            };
            let found = match request().await {
                Err(error) if error::is_duplicate(&error) => request().await?,
                taken => taken?,
            };
            Ok(lease.seeing(found.as_ref().and_then(documents::version_in)))
        });
        Box::pin(async move {
            let taken = taken.await;
            undo.unless_lost(&taken);
            taken
        })
    }

    fn vacate(&self, lease: Lease) -> BoxFuture<'_, Vacated> {
        let Some(owner) = lease.state::<ObjectId>().copied() else {
            return Box::pin(async { Ok(Vacated::Superseded) });
        };
        let document = documents::owned(lease.key(), owner, lease.seen());
        self.run(Operation::Remove, |requests| async move {
            let vacated = requests.send().update_one(document, documents::vacate());
            Ok(match vacated.await?.matched_count {
                0 => Vacated::Superseded,
                _ => Vacated::Done {
                    removed: lease.seen().is_some(),
                    lease: lease.seeing(None),
                },
            })
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Renewal> {
        let (Some(owner), Some(period)) = (lease.state::<ObjectId>(), lease.period()) else {
            return Box::pin(async { Ok(Renewal::Lost) });
        };
        let document = documents::owned(lease.key(), *owner, lease.seen());
        self.run(Operation::Lease, move |requests| async move {
            let renewed = requests
                .send()
                .update_one(document, documents::renew(period))
                .await?;
            Ok(match renewed.matched_count {
                0 => Renewal::Lost,
                _ => Renewal::Renewed,
            })
        })
    }

    fn release(&self, lease: Lease) -> BoxFuture<'_, ()> {
        let Some(owner) = lease.state::<ObjectId>().copied() else {
            return Box::pin(async { Ok(()) });
        };
        self.run(Operation::Lease, move |requests| async move {
            requests.release(&lease, owner).await
        })
    }

    fn clear_leases<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, ()> {
        let (bare, all) = (
            documents::bare_leases_of(scope),
            documents::of_function(scope),
        );
        self.run(Operation::Clear, |requests| async move {
            requests.delete(bare).await?;
            requests
                .send()
                .update_many(all, doc! { "$unset": { "lease": "" } })
                .await?;
            Ok(())
        })
    }

    fn cleanup<'a>(
        &'a self,
        scope: &'a Arc<Scope>,
        created_before: SystemTime,
    ) -> BoxFuture<'a, Option<u64>> {
        let old = documents::entries_before(scope, created_before);
        self.run(Operation::Remove, |requests| async move {
            requests.delete(old).await.map(Some)
        })
    }

    fn usage<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Usage> {
        let matching = doc! { "$match": documents::entries_of(scope) };
        let sums = doc! { "$group": { "_id": null, "entries": { "$sum": 1_i64 }, "bytes": { "$sum": "$size" } } };
        self.run(Operation::Load, |requests| async move {
            let mut sums = requests.send().aggregate([matching, sums]).await?;
            let sum = sums.next().await.transpose()?.unwrap_or_default();
            let figure = |name| {
                Some(
                    sum.get_i64(name)
                        .map_or(0, |sum| sum.max(0).cast_unsigned()),
                )
            };
            Ok(Usage {
                entries: figure("entries"),
                bytes: figure("bytes"),
            })
        })
    }

    fn figures(&self) -> Figures {
        Figures {
            round_trips: self.shared.round_trips.totals(),
            pool: Some(self.shared.gauge.pool()),
        }
    }

    fn observe_waits(&self, observer: Arc<WaitObserver>) {
        self.clients.observe_waits(Arc::clone(&observer));
        self.shared.gauge.waits.observe(observer);
    }

    fn check(&self) -> BoxFuture<'_, ()> {
        self.run(Operation::Load, |requests| async move {
            requests.send().find_one(doc! { "_id": "" }).await.map(drop)
        })
    }
}

/// The parts of an address that tell where the entries are.
fn parse(url: &str, collection: &str) -> Result<Place, Error> {
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
        "" => DATABASE,
        path => path,
    };
    let (scheme, hosts) = (parts.scheme, parts.hosts);
    Ok(Place {
        url: url.to_owned(),
        database: database.to_owned(),
        collection: collection.to_owned(),
        store_name: format!("{scheme}://{hosts}/{database}.{collection}"),
    })
}
