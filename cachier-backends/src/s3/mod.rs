//! One object per entry, in a bucket of S3 or a compatible store.
//!
//! An object has the name of its key, `cachier/2/namespace/function/version/hash`, after the program's prefix if there
//! is one. Its `ETag` is the version of the entry, its metadata hold the time of creation.
//!
//! - A lease on an absent entry is a small object at the entry's name, put on condition that there is none. The entry
//!   replaces it on condition that it is unchanged.
//! - A lease on an entry is a small object next to it, with the suffix `.lease-` and the entry's `ETag`. The new entry
//!   replaces the old one on condition that it is unchanged.
//! - A hit is one request, a miss three. Replacing an entry takes five, load included: the entry's `ETag` is read again
//!   after the lease is granted, and the lease before the entry is stored. The lease's object is deleted in the
//!   background.
//! - Leases expire by the server's clock: its `Date` against the object's `Last-Modified`. Both are in seconds, so an
//!   owner that is gone costs up to two seconds more than its lease period.
//! - As properties of entries and leases are metadata, only loads download anything: cleaning up requests the head of
//!   each entry, sixteen at a time, and deletes old ones on condition that they are unchanged. Counting lists names and
//!   sizes.
//!
//! Entries do not expire by themselves, as S3 supports that for whole prefixes only; they are removed by cleaning up.
//!
//! The server must support conditional writes (`If-Match`, `If-None-Match`), as S3, MinIO, Ceph and R2 do.

mod bucket;
mod clock;
mod connect;
mod error;
mod leases;
mod listing;
mod names;
mod sdk;
mod store;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::SdkBody;

use crate::backend::{
    Backend, BoxFuture, Capabilities, Capability, EntryVersion, Figures, Instance, Lease,
    LeaseReply, Loaded, Renewal, Reopen, StoreReply, StoreRequest, Usage, Vacated, WaitObserver,
    backend_by_instance, instance,
};
use crate::error::{Error, Operation};
use crate::key::{Key, Scope};
use crate::network::{Clients, Compensation, spawn_in_background};
use crate::unique::unique;
use bucket::{Bucket, Shared};
use connect::{Addressing, Settings};
use leases::{OwnedLease, VacatedEntry};
use store::NewEntry;

/// Keeps each entry in an object of a bucket.
///
/// Nothing is sent before the first operation. Region and credentials are found as in every AWS program: in the
/// environment, in `~/.aws`, or from the machine. The bucket must exist.
///
/// ```
/// use cachier_backends::s3::S3Backend;
///
/// let on_aws = S3Backend::new("my-bucket").prefix("my-app").region("eu-north-1");
/// let elsewhere = S3Backend::new("my-bucket")
///     .endpoint("https://minio.example.com")
///     .credentials("access-key", "secret");
/// ```
pub struct S3Backend {
    instance: Instance<S3>,
}

/// The backend of one process.
struct S3 {
    settings: Settings,
    clients: Clients<Client>,
    shared: Arc<Shared>,
}

impl S3Backend {
    /// Entries in a bucket of AWS, unless an [`endpoint`](Self::endpoint) is set.
    #[must_use]
    #[doc(alias = "s3_bucket")]
    pub fn new(bucket: impl Into<String>) -> Self {
        // Rather here than in the first call, in the middle of which more programs fork. What goes wrong the first operation tells.
        let _ = sdk::prepare();
        Self::of(Settings::default(), Shared::new(bucket.into()))
    }

    /// Entries in a bucket, accessed by the program's own client, with its region, timeouts and retries.
    ///
    /// The client belongs to the tokio runtime in which it is passed here: a multi-thread runtime serves every kind of
    /// caller, a current-thread runtime all but synchronous callers on its own thread, who get an error at once. After
    /// the runtime has ended, it reconnects on the callers' runtimes. Forked child processes get errors at once.
    ///
    /// ```no_run
    /// use cachier_backends::s3::S3Backend;
    ///
    /// # async fn connect(config: &aws_config::SdkConfig) -> S3Backend {
    /// S3Backend::with_client("my-bucket", aws_sdk_s3::Client::new(config)).prefix("my-app")
    /// # }
    /// ```
    #[must_use]
    #[doc(alias = "s3_client")]
    pub fn with_client(bucket: impl Into<String>, client: Client) -> Self {
        let settings = Settings::of_client(client);
        Self::of(settings, Shared::new(bucket.into()))
    }

    /// Prepends `prefix` and a slash to all object names.
    #[must_use]
    #[doc(alias = "s3_prefix")]
    pub fn prefix(self, prefix: impl AsRef<str>) -> Self {
        let shared = Shared {
            prefix: names::prefix(prefix.as_ref()),
            ..self.instance.shared.unused()
        };
        Self::of(self.instance.settings.clone(), shared)
    }

    /// Sets the region. The default comes from the environment, or is `us-east-1` with a custom endpoint.
    ///
    /// Has no effect with the program's own client, like the following methods.
    #[must_use]
    #[doc(alias = "s3_region")]
    pub fn region(self, region: impl Into<String>) -> Self {
        self.set(|settings| settings.region = Some(region.into()))
    }

    /// Sets the server's address: `https://…` or `http://…`. Anything before an `@` is left out.
    ///
    /// The bucket is then in the path of URLs, unless [`virtual_hosts`](Self::virtual_hosts) is set.
    #[must_use]
    #[doc(alias = "s3_endpoint_url")]
    pub fn endpoint(self, endpoint: impl Into<String>) -> Self {
        let endpoint = names::without_credentials(&endpoint.into());
        let shared = Shared {
            endpoint: Some(endpoint.clone()),
            ..self.instance.shared.unused()
        };
        Self::of(self.instance.settings.clone(), shared)
            .set(|settings| settings.endpoint = Some(endpoint))
    }

    /// Puts the bucket in the path of URLs: `https://host/bucket/…`.
    #[must_use]
    pub fn path_style(self) -> Self {
        self.set(|settings| settings.addressing = Some(Addressing::Path))
    }

    /// Puts the bucket in the host of URLs: `https://bucket.host/…`.
    #[must_use]
    pub fn virtual_hosts(self) -> Self {
        self.set(|settings| settings.addressing = Some(Addressing::Host))
    }

    /// Uses these credentials instead of the environment's.
    #[must_use]
    pub fn credentials(self, access_key: impl Into<String>, secret: impl Into<String>) -> Self {
        let credentials = connect::credentials(access_key.into(), secret.into());
        self.set(|settings| settings.credentials = Some(credentials))
    }

    fn set(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.instance.settings.clone();
        change(&mut settings);
        Self::of(settings, self.instance.shared.unused())
    }

    fn of(settings: Settings, shared: Shared) -> Self {
        let s3 = S3 {
            clients: settings.clients(),
            settings,
            shared: Arc::new(shared),
        };
        let instance = instance(s3);
        Self { instance }
    }
}

backend_by_instance!(S3Backend);

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
        let _ = spawn_in_background(async move { drop(clients.run(operation, delete).await) });
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
                Some(VacatedEntry::Replaced(in_its_place)) => {
                    let obsolete = owned.name().to_owned();
                    let lease = Lease::new(lease.key().clone(), None, in_its_place);
                    (vacated(lease.expiring_after(period), true), Some(obsolete))
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

impl std::fmt::Debug for S3Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Backend")
            .field("store", &self.instance.store_name())
            .finish_non_exhaustive()
    }
}
