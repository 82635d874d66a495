//! Operations on entries and leases, each one statement or one transaction.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::client::{Client, Requests, Shared};
use super::database::{Address, Database};
use super::requests::{self, LeaseOutcome, NewEntry, Token};
use super::statements::Statements;
#[cfg(feature = "postgres")]
use super::subscribe;
use crate::backend::{
    Backend, BoxFuture, Capabilities, Capability, EntryVersion, Figures, Lease, LeaseReply, Loaded,
    Pool, Renewal, Reopen, StoreReply, StoreRequest, Usage, Vacated, WaitObserver,
};
#[cfg(feature = "postgres")]
use crate::backend::{Watch, Watcher};
use crate::error::{Error, Operation};
use crate::key::{Key, Scope};
use crate::network::{Clients, Compensation, OnTimeout, WaitReporter};

/// The default table.
pub(super) const TABLE: &str = "cachier_entries";

/// How long a waiter waits for the subscription before it polls.
#[cfg(feature = "postgres")]
const LISTEN_TIMEOUT: Duration = Duration::from_millis(100);

/// The backend of one process.
pub(super) struct Sql {
    pub(super) address: Address,
    pub(super) clients: Clients<Client>,
    pub(super) waits: WaitReporter,
    pub(super) shared: Arc<Shared>,
    #[cfg(feature = "postgres")]
    pub(super) subscription: Option<subscribe::Subscription>,
}

impl Reopen for Sql {
    fn reopen(&self) -> Self {
        let table = &self.shared.statements.table;
        let (address, waits) = (self.address.clone(), self.waits.clone());
        Self::of(address, self.clients.reopen(), waits, table)
    }
}

impl Sql {
    /// A backend with its own clients, connected on demand.
    pub(super) fn opening(address: Address) -> Self {
        let (opened, waits) = (address.clone(), WaitReporter::default());
        let of_clients = waits.clone();
        let clients = Clients::new(OnTimeout::KeepClient, move |scope| {
            let client = Client::new(Database::open(&opened, scope, &of_clients));
            async move { Ok(client) }
        });
        Self::of(address, clients, waits, TABLE)
    }

    pub(super) fn of(
        address: Address,
        clients: Clients<Client>,
        waits: WaitReporter,
        table: &str,
    ) -> Self {
        let statements = Statements::new(address.dialect(), table);
        let shared = Arc::new(Shared::new(&address, statements));
        Self {
            #[cfg(feature = "postgres")]
            subscription: subscription(&address, &shared),
            address,
            clients,
            waits,
            shared,
        }
    }

    /// Releases the lease in the background if the answer to its request is lost.
    fn compensate_lease(&self, lease: &Lease, owner: Token) -> Compensation {
        let (lost, shared) = (lease.share(), Arc::clone(&self.shared));
        self.clients.compensate(move |client| async move {
            let operation = Operation::Lease;
            let requests = Requests {
                shared,
                client,
                operation,
            };
            requests.release(lost.key(), owner, lost.seen()).await
        })
    }

    /// The subscription to changes, where notifications are available.
    #[cfg(feature = "postgres")]
    fn subscription(&self) -> Option<&subscribe::Subscription> {
        let subscription = self.subscription.as_ref();
        subscription.filter(|subscription| subscription.is_available())
    }

    /// Runs an operation's requests on a client.
    fn run<T, F>(
        &self,
        operation: Operation,
        work: impl FnOnce(Requests) -> F + Send + 'static,
    ) -> BoxFuture<'_, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.clients.run(operation, move |client| {
            work(Requests {
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
        self.run(Operation::Load, |requests| async move {
            requests.load(&key).await
        })
    }

    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        let key = key.clone();
        let entry = NewEntry {
            bytes: request.entry.into(),
            created: request.created,
            expires: request.expires,
        };
        let lease = request.lease;
        self.run(Operation::Store, |requests| async move {
            let Some(lease) = lease else {
                return requests.store(&key, entry).await;
            };
            let Some(&owner) = lease.state::<Token>() else {
                return Ok(StoreReply::Superseded);
            };
            requests
                .store_leased(&key, entry, owner, lease.seen())
                .await
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool> {
        let key = key.clone();
        self.run(Operation::Remove, |requests| async move {
            requests.remove(&key).await
        })
    }

    fn clear<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
        let scope = Arc::clone(scope);
        self.run(Operation::Clear, |requests| async move {
            requests.clear(&scope).await.map(Some)
        })
    }

    fn lease<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
        period: Duration,
    ) -> BoxFuture<'a, LeaseReply> {
        let owner = requests::token();
        let lease = Lease::new(key.clone(), seen.cloned(), owner).expiring_after(period);
        let compensation = self.compensate_lease(&lease, owner);
        self.run(Operation::Lease, move |requests| async move {
            let leased = requests
                .lease(lease.key(), lease.seen(), owner, period)
                .await;
            compensation.disarm_if_answered(&leased);
            Ok(match leased? {
                LeaseOutcome::Granted => LeaseReply::Granted(lease),
                LeaseOutcome::Held(owner) => {
                    let held = |owner: Token| {
                        Lease::new(lease.key().clone(), lease.seen().cloned(), owner)
                    };
                    LeaseReply::Held(owner.map(held))
                }
                LeaseOutcome::Changed => LeaseReply::Changed,
            })
        })
    }

    fn take_over<'a>(&'a self, key: &'a Key, period: Duration) -> BoxFuture<'a, Lease> {
        let owner = requests::token();
        let lease = Lease::new(key.clone(), None, owner).expiring_after(period);
        let compensation = self.compensate_lease(&lease, owner);
        self.run(Operation::Lease, move |requests| async move {
            let leased = requests.take_over(lease.key(), owner, period).await;
            compensation.disarm_if_answered(&leased);
            leased.map(|()| lease)
        })
    }

    fn vacate(&self, lease: Lease) -> BoxFuture<'_, Vacated> {
        self.run(Operation::Remove, |requests| async move {
            let Some(&owner) = lease.state::<Token>() else {
                return Ok(Vacated::Superseded);
            };
            Ok(match requests.vacate(lease.key(), owner).await? {
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
        self.run(Operation::Lease, |requests| async move {
            let (Some(&owner), Some(period)) = (lease.state::<Token>(), lease.period()) else {
                return Ok(Renewal::Lost);
            };
            requests.renew(lease.key(), owner, period).await
        })
    }

    fn release(&self, lease: Lease) -> BoxFuture<'_, ()> {
        self.run(Operation::Lease, |requests| async move {
            match lease.state::<Token>() {
                Some(&owner) => requests.release(lease.key(), owner, lease.seen()).await,
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
        let listening = subscription.is_listening(LISTEN_TIMEOUT);
        let (key, seen) = (key.clone(), seen.cloned());
        Some(self.run(Operation::Lease, |requests| async move {
            if !listening.await {
                return Ok(());
            }
            // Changes before the subscription are visible now.
            let (there, owner) = requests.look(&key).await?;
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
        self.run(Operation::Clear, |requests| async move {
            requests.clear_leases(&scope).await
        })
    }

    fn cleanup<'a>(
        &'a self,
        scope: &'a Arc<Scope>,
        created_before: SystemTime,
    ) -> BoxFuture<'a, Option<u64>> {
        let scope = Arc::clone(scope);
        self.run(Operation::Remove, move |requests| async move {
            requests.cleanup(&scope, created_before).await.map(Some)
        })
    }

    fn usage<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Usage> {
        let scope = Arc::clone(scope);
        self.run(Operation::Load, |requests| async move {
            requests.usage(&scope).await
        })
    }

    #[cfg(feature = "sqlite")]
    fn idle(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some(space) = &self.shared.space {
                space.given_back().await;
            }
            Ok(())
        })
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
        self.run(
            Operation::Load,
            |requests| async move { requests.check().await },
        )
    }
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
