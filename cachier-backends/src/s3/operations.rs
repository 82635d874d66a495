//! Operations as requests on the bucket.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::SdkBody;

use super::bucket::{Bucket, Shared};
use super::connect::Settings;
use super::leases::{self, OwnedLease, VacatedEntry};
use super::store::NewEntry;
use crate::backend::{
    Backend, BoxFuture, Capabilities, Capability, EntryVersion, Figures, Lease, LeaseReply, Loaded,
    Renewal, Reopen, StoreReply, StoreRequest, Usage, Vacated, WaitObserver,
};
use crate::error::{Error, Operation};
use crate::key::{Key, Scope};
use crate::network::runtime::background;
use crate::network::{Clients, Compensation};
use crate::unique::unique;

/// The backend of one process.
pub(super) struct S3 {
    pub(super) settings: Settings,
    clients: Clients<Client>,
    pub(super) shared: Arc<Shared>,
}

impl Reopen for S3 {
    fn reopen(&self) -> Self {
        Self {
            clients: self.clients.reopen(),
            settings: self.settings.clone(),
            shared: Arc::new(self.shared.unused()),
        }
    }
}

impl S3 {
    pub(super) fn new(settings: Settings, shared: Shared) -> Self {
        Self {
            clients: settings.clients(),
            settings,
            shared: Arc::new(shared),
        }
    }

    /// Work on the bucket, given a client.
    fn on_bucket<F>(
        &self,
        operation: Operation,
        work: impl FnOnce(Bucket) -> F + Send + 'static,
    ) -> impl FnOnce(Client) -> F + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move |client| {
            work(Bucket {
                shared,
                client,
                operation,
            })
        }
    }

    /// Runs an operation's requests on a client.
    fn run<T, F>(
        &self,
        operation: Operation,
        work: impl FnOnce(Bucket) -> F + Send + 'static,
    ) -> BoxFuture<'_, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.clients.run(operation, self.on_bucket(operation, work))
    }

    /// Releases a lease in the background if the answer to its request is lost.
    fn compensate<F>(&self, release: impl FnOnce(Bucket) -> F + Send + 'static) -> Compensation
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let release = self.on_bucket(Operation::Lease, release);
        self.clients.compensate(release)
    }

    /// Deletes an object in the background.
    fn delete_later(&self, name: String) {
        let operation = Operation::Lease;
        let delete = self.on_bucket(
            operation,
            |bucket| async move { bucket.delete(&name).await },
        );
        let clients = self.clients.clone();
        // A leftover lease is removed by cleaning up.
        if let Ok(runtime) = background() {
            runtime.spawn(async move { drop(clients.run(operation, delete).await) });
        }
    }
}

impl Backend for S3 {
    fn kind(&self) -> &str {
        "s3"
    }

    fn store_name(&self) -> String {
        self.shared.store_name()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
            .with(Capability::Leases)
            .with(Capability::Cleanup)
            .with(Capability::Usage)
    }

    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        let name = self.shared.name(key);
        self.run(
            Operation::Load,
            |bucket| async move { bucket.load(&name).await },
        )
    }

    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        let name = self.shared.name(key);
        let entry = NewEntry {
            size: request.entry.len() as u64,
            body: SdkBody::from(request.entry.to_vec()),
            created: request.created,
        };
        let Some(lease) = request.lease else {
            return self.run(Operation::Store, |bucket| async move {
                bucket.store(&name, entry).await
            });
        };
        let stored = self.run(Operation::Store, |bucket| async move {
            match lease.state::<OwnedLease>() {
                Some(owned) => bucket.store_leased(&name, entry, owned).await.map(Some),
                None => Ok(None),
            }
        });
        Box::pin(async move {
            let Some(stored) = stored.await? else {
                return Ok(StoreReply::Superseded);
            };
            if let Some(lease) = stored.obsolete {
                self.delete_later(lease);
            }
            Ok(stored.reply)
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool> {
        let name = self.shared.name(key);
        self.run(Operation::Remove, |bucket| async move {
            bucket.remove(&name).await
        })
    }

    fn clear<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
        let folder = self.shared.folder(scope);
        self.run(Operation::Clear, |bucket| async move {
            bucket.clear(&folder).await.map(Some)
        })
    }

    fn lease<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
        period: Duration,
    ) -> BoxFuture<'a, LeaseReply> {
        let (name, key, seen) = (self.shared.name(key), key.clone(), seen.cloned());
        let (number, lost) = (unique(), leases::name_of_lease(&name, seen.as_ref()));
        let compensation =
            self.compensate(
                move |bucket| async move { bucket.release_unanswered(&lost, number).await },
            );
        self.run(Operation::Lease, move |bucket| async move {
            let leased = bucket.lease(&name, seen.as_ref(), period, number).await;
            compensation.disarm_if_answered(&leased);
            Ok(leased?.reply(period, |owned| Lease::new(key, seen, owned)))
        })
    }

    fn take_over<'a>(&'a self, key: &'a Key, period: Duration) -> BoxFuture<'a, Lease> {
        let (name, key, number) = (self.shared.name(key), key.clone(), unique());
        let lost = name.clone();
        let compensation = self.compensate(move |bucket| async move {
            bucket.release_taken_unanswered(&lost, number).await
        });
        self.run(Operation::Lease, move |bucket| async move {
            let leased = bucket.take_over(&name, period, number).await;
            compensation.disarm_if_answered(&leased);
            let owned = leased?;
            Ok(Lease::new(key, owned.seen(), owned).expiring_after(period))
        })
    }

    fn vacate(&self, lease: Lease) -> BoxFuture<'_, Vacated> {
        let name = self.shared.name(lease.key());
        let vacated = self.run(Operation::Remove, |bucket| async move {
            let (Some(owned), Some(period)) = (lease.state::<OwnedLease>(), lease.period()) else {
                return Ok((Vacated::Superseded, None));
            };
            Ok(match bucket.vacate(&name, owned, period).await? {
                None => (Vacated::Superseded, None),
                Some(VacatedEntry::WasAbsent) => (vacated(lease, false), None),
                Some(VacatedEntry::Replaced {
                    lease: in_its_place,
                    removed,
                }) => {
                    let obsolete = owned.name().to_owned();
                    let lease = Lease::new(lease.key().clone(), None, in_its_place);
                    let lease = lease.expiring_after(period);
                    (vacated(lease, removed), Some(obsolete))
                }
            })
        });
        Box::pin(async move {
            let (vacated, obsolete) = vacated.await?;
            if let Some(lease) = obsolete {
                self.delete_later(lease);
            }
            Ok(vacated)
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Renewal> {
        let lease = lease.share();
        self.run(Operation::Lease, |bucket| async move {
            match (lease.state::<OwnedLease>(), lease.period()) {
                (Some(owned), Some(period)) => bucket.renew(owned, period).await,
                _ => Ok(Renewal::Lost),
            }
        })
    }

    fn release(&self, lease: Lease) -> BoxFuture<'_, ()> {
        self.run(Operation::Lease, |bucket| async move {
            match lease.state::<OwnedLease>() {
                Some(owned) => bucket.release(owned).await,
                None => Ok(()),
            }
        })
    }

    fn clear_leases<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, ()> {
        let folder = self.shared.folder(scope);
        self.run(Operation::Clear, |bucket| async move {
            bucket.clear_leases(&folder).await
        })
    }

    fn cleanup<'a>(
        &'a self,
        scope: &'a Arc<Scope>,
        created_before: SystemTime,
    ) -> BoxFuture<'a, Option<u64>> {
        let folder = self.shared.folder(scope);
        self.run(Operation::Remove, move |bucket| async move {
            bucket.cleanup(&folder, created_before).await.map(Some)
        })
    }

    fn usage<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Usage> {
        let folder = self.shared.folder(scope);
        self.run(Operation::Load, |bucket| async move {
            bucket.usage(&folder).await
        })
    }

    fn figures(&self) -> Figures {
        Figures {
            round_trips: self.shared.trips.totals(),
            ..Figures::default()
        }
    }

    fn observe_waits(&self, observer: Arc<WaitObserver>) {
        self.clients.observe_waits(observer);
    }

    fn check(&self) -> BoxFuture<'_, ()> {
        self.run(
            Operation::Load,
            |bucket| async move { bucket.check().await },
        )
    }
}

fn vacated(lease: Lease, removed: bool) -> Vacated {
    Vacated::Done { lease, removed }
}
