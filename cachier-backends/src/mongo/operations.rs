//! Operations on entries and leases, each one request where the server allows it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_lite::StreamExt;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;

use super::connect::{self, Address, PoolGauge};
use super::documents;
use super::error;
use super::requests::{Existing, Requests, Shared};
use crate::backend::{
    Backend, BoxFuture, Capabilities, Capability, EntryVersion, Figures, Lease, LeaseReply, Loaded,
    Renewal, Reopen, StoreReply, StoreRequest, Usage, Vacated, WaitObserver,
};
use crate::error::Operation;
use crate::key::{Key, Scope};
use crate::network::{Clients, Compensation, OnTimeout, RoundTrips, WaitReporter};

/// The server's limit of 16 MiB for a document, less the fields other than the entry.
const MAX_ENTRY_BYTES: usize = (16 << 20) - (16 << 10);

/// The backend of one process.
pub(super) struct Mongo {
    /// `None` with the program's own client.
    address: Option<Arc<Address>>,
    shared: Arc<Shared>,
    clients: Clients<Collection<Document>>,
}

impl Reopen for Mongo {
    fn reopen(&self) -> Self {
        match &self.address {
            Some(address) => Self::at(Arc::clone(address), self.shared.gauge.waits.clone()),
            None => Self::new(
                None,
                self.shared.store_name.clone(),
                Arc::default(),
                self.clients.reopen(),
            ),
        }
    }
}

impl Mongo {
    /// A backend with its own clients.
    pub(super) fn at(address: Arc<Address>, waits: WaitReporter) -> Self {
        let gauge = Arc::new(PoolGauge::new(waits));
        let (of_clients, address_of_clients) = (Arc::clone(&gauge), Arc::clone(&address));
        let clients = Clients::new(OnTimeout::ReplaceClient, move |scope| {
            connect::connect(
                Arc::clone(&address_of_clients),
                scope,
                Arc::clone(&of_clients),
            )
        });
        let store_name = address.store_name.clone();
        Self::new(Some(address), store_name, gauge, clients)
    }

    pub(super) fn new(
        address: Option<Arc<Address>>,
        store_name: String,
        gauge: Arc<PoolGauge>,
        clients: Clients<Collection<Document>>,
    ) -> Self {
        let shared = Arc::new(Shared {
            store_name,
            round_trips: RoundTrips::default(),
            gauge,
        });
        Self {
            address,
            shared,
            clients,
        }
    }

    /// Releases the lease in the background if the answer to its request is lost.
    fn compensate_lease(&self, lease: &Lease, owner: ObjectId) -> Compensation {
        let (lost, shared) = (lease.share(), Arc::clone(&self.shared));
        self.clients.compensate(move |entries| async move {
            let requests = Requests::new(entries, &shared, Operation::Lease);
            let released = requests.release_any(&lost, owner).await;
            released.map_err(|error| shared.error(Operation::Lease, &error))
        })
    }

    /// Runs an operation's requests.
    pub(super) fn run<'a, T, F>(
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
                // A value that is not binary counts as a corrupt entry.
                let bytes = documents::entry_in(&mut document).unwrap_or_default();
                Some(Loaded { bytes, version })
            }))
        })
    }

    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        let is_too_large = request.entry.len() > MAX_ENTRY_BYTES;
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
        let owner = documents::random_id();
        let (document, update) = (
            documents::of(key),
            documents::lease(key, owner, seen, period),
        );
        let lease = Lease::new(key.clone(), seen.cloned(), owner).expiring_after(period);
        let compensation = self.compensate_lease(&lease, owner);
        let leased = self.run(Operation::Lease, move |requests| async move {
            let request = || {
                let leased = requests
                    .send()
                    .find_one_and_update(document.clone(), update.clone());
                let leased = leased.upsert(lease.seen().is_none());
                let fields = doc! { "version": 1, "lease": 1 };
                leased
                    .return_document(ReturnDocument::After)
                    .projection(fields)
            };
            let found = match request().await {
                // Somebody else inserted the document concurrently; now it exists.
                Err(error) if error::is_duplicate(&error) => request().await?,
                leased => leased?,
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
            let leased = leased.await;
            compensation.disarm_if_answered(&leased);
            leased
        })
    }

    fn take_over<'a>(&'a self, key: &'a Key, period: Duration) -> BoxFuture<'a, Lease> {
        let owner = documents::random_id();
        let document = documents::of(key);
        let update = documents::take_over(key, owner, period);
        let lease = Lease::new(key.clone(), None, owner).expiring_after(period);
        let compensation = self.compensate_lease(&lease, owner);
        let leased = self.run(Operation::Lease, move |requests| async move {
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
                leased => leased?,
            };
            Ok(lease.seeing(found.as_ref().and_then(documents::version_in)))
        });
        Box::pin(async move {
            let leased = leased.await;
            compensation.disarm_if_answered(&leased);
            leased
        })
    }

    fn vacate(&self, lease: Lease) -> BoxFuture<'_, Vacated> {
        let Some(owner) = lease.state::<ObjectId>().copied() else {
            return Box::pin(async { Ok(Vacated::Superseded) });
        };
        let document = documents::owned_or_vacant(lease.key(), owner, lease.seen());
        self.run(Operation::Remove, |requests| async move {
            let before = requests
                .send()
                .find_one_and_update(document, documents::vacate())
                .projection(doc! { "version": 1 });
            Ok(match before.await? {
                None => Vacated::Superseded,
                Some(before) => Vacated::Done {
                    lease: lease.seeing(None),
                    removed: documents::version_in(&before).is_some(),
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
