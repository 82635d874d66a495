//! Operations on entries and leases, each a single script or command.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use redis::{Cmd, RedisWrite, Value};
use tokio::time::{sleep, timeout};

use super::all_shards::AllShards;
use super::error;
use super::link::{Failure, Link, Server};
use super::names::{self, Shard};
use super::scripts::{self, Call, Script, expiry, micros, millis};
use super::source::Source;
use super::subscribe::Listener;
use crate::backend::{
    Backend, BoxFuture, Capabilities, Capability, EntryVersion, Figures, Lease, LeaseReply, Loaded,
    Pool, Renewal, Reopen, StoreReply, StoreRequest, Usage, Vacated, WaitObserver, Watch, Watcher,
};
use crate::blocking;
use crate::error::Operation;
use crate::key::{Key, Scope};
use crate::network::{Clients, Compensation, OnTimeout, RoundTrips};
use crate::unique::unique;

/// The server's default `proto-max-bulk-len`.
const MAX_ENTRY_BYTES: usize = 512 << 20;

/// The polling interval of a waiter that cannot be notified.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The backend of one process.
pub(super) struct Redis {
    server: Arc<Server>,
    clients: Clients<Link>,
    listener: Listener,
    /// Unique to this backend: prefix of its lease tokens, and its name in notifications.
    origin: String,
    leases: AtomicU64,
}

/// The lease state that the backend keeps.
struct Owner {
    token: String,
}

impl Reopen for Redis {
    fn reopen(&self) -> Self {
        let Server { source, name, .. } = &*self.server;
        let server = Self::server(source.clone(), name.clone());
        let clients = match source {
            Source::Manager(_) => self.clients.reopen(),
            _ => Self::clients(&server).reporting_waits_as(&self.clients),
        };
        Self::of(server, clients)
    }
}

impl Redis {
    pub(super) fn new(source: Source, name: String) -> Self {
        let server = Self::server(source, name);
        let clients = Self::clients(&server);
        Self::of(server, clients)
    }

    /// Clients with their own connections.
    fn clients(server: &Arc<Server>) -> Clients<Link> {
        let server = Arc::clone(server);
        Clients::new(OnTimeout::KeepClient, move |_| {
            let link = Link::new(Arc::clone(&server));
            async { Ok(link) }
        })
    }

    pub(super) fn server(source: Source, name: String) -> Arc<Server> {
        Arc::new(Server {
            source,
            name,
            round_trips: RoundTrips::default(),
        })
    }

    pub(super) fn of(server: Arc<Server>, clients: Clients<Link>) -> Self {
        let origin = format!("{:016x}", unique());
        Self {
            listener: Listener::new(Arc::clone(&server), origin.clone()),
            server,
            clients,
            origin,
            leases: AtomicU64::new(0),
        }
    }

    /// A script call for one entry.
    fn about(&self, key: &Key, operation: Operation, script: &'static Script) -> Call {
        let member = names::member(key);
        script.call(operation, &Shard::of(key), &self.origin, &member)
    }

    fn all_shards<'a>(&'a self, scope: &'a Arc<Scope>, operation: Operation) -> AllShards<'a> {
        AllShards {
            clients: &self.clients,
            origin: &self.origin,
            scope,
            operation,
        }
    }

    /// A script call that releases the lease of a token.
    fn releasing(&self, key: &Key, token: &str) -> Call {
        self.about(key, Operation::Lease, &scripts::RELEASE)
            .arg(token)
    }

    /// Releases the lease in the background if the answer to its request is lost.
    fn compensate_lease(&self, key: &Key, token: &str) -> Compensation {
        let release = self.releasing(key, token);
        self.clients
            .compensate(|link| async move { release.number(&link).await.map(drop) })
    }

    fn run_releasing(&self, key: &Key, token: &str) -> BoxFuture<'_, ()> {
        let call = self.releasing(key, token);
        self.clients.run(Operation::Lease, |link| async move {
            call.number(&link).await.map(drop)
        })
    }

    /// Stores an entry if the token's lease is valid; unconditionally if the token is empty.
    fn store_under(
        &self,
        key: &Key,
        request: &StoreRequest<'_>,
        token: &str,
    ) -> BoxFuture<'_, StoreReply> {
        if request.entry.len() > MAX_ENTRY_BYTES {
            return answer(StoreReply::TooLarge);
        }
        let call = self
            .about(key, Operation::Store, &scripts::STORE)
            .arg(token)
            .arg(micros(request.created))
            .arg(request.expires.map_or(String::new(), expiry))
            .arg(request.entry);
        self.clients.run(Operation::Store, |link| async move {
            match call.try_run(&link).await {
                Ok(Value::Int(0)) => Ok(StoreReply::Superseded),
                Ok(_) => Ok(StoreReply::Stored { evicted: 0 }),
                Err(Failure::Refused(refused)) if error::is_too_large(&refused) => {
                    Ok(StoreReply::TooLarge)
                }
                Err(failure) => Err(link.error(Operation::Store, failure)),
            }
        })
    }

    fn token(&self) -> String {
        let number = self.leases.fetch_add(1, Ordering::Relaxed);
        format!("{}{number:016x}", self.origin)
    }
}

impl Backend for Redis {
    fn kind(&self) -> &str {
        "redis"
    }

    fn store_name(&self) -> String {
        self.server.name.clone()
    }

    fn capabilities(&self) -> Capabilities {
        use Capability::{Cleanup, Leases, Usage};
        Capabilities::NONE.with(Leases).with(Cleanup).with(Usage)
    }

    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        let mut get = Cmd::with_capacity(2, "GET".len() + names::NAME_CAPACITY);
        get.arg("GET");
        // Writing to memory does not fail.
        let _ = names::write_entry(&mut get.writer_for_next_arg(), key);
        self.clients.run(Operation::Load, |link| async move {
            match link.load(get).await {
                Ok(Value::Nil) => Ok(None),
                Ok(Value::BulkString(bytes)) => Ok(Some(Loaded {
                    version: names::version(&bytes),
                    bytes,
                })),
                // Like a corrupt entry: a miss, replaced by the next store.
                Err(Failure::Refused(refused)) if error::is_no_entry(&refused) => {
                    Ok(Some(Loaded {
                        version: names::absent_version(),
                        bytes: Vec::new(),
                    }))
                }
                Err(failure) => Err(link.error(Operation::Load, failure)),
                Ok(_) => Err(link.fault(Operation::Load)),
            }
        })
    }

    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        Box::pin(async move {
            let token = match &request.lease {
                None => "",
                Some(lease) => match lease.state::<Owner>() {
                    Some(owner) => &owner.token,
                    None => return Ok(StoreReply::Superseded),
                },
            };
            let reply = self.store_under(key, &request, token).await;
            if matches!(reply, Ok(StoreReply::TooLarge)) && !token.is_empty() {
                // The script, which would have ended the lease, did not run. If this fails, the lease expires.
                let _ = self.run_releasing(key, token).await;
            }
            reply
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool> {
        let call = self.about(key, Operation::Remove, &scripts::REMOVE);
        self.clients.run(Operation::Remove, |link| async move {
            Ok(call.number(&link).await? > 0)
        })
    }

    fn clear<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
        let cleared = self
            .all_shards(scope, Operation::Clear)
            .exhaust(&scripts::CLEAR, None);
        Box::pin(async { cleared.await.map(Some) })
    }

    fn lease<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
        period: Duration,
    ) -> BoxFuture<'a, LeaseReply> {
        let token = self.token();
        let call = self
            .about(key, Operation::Lease, &scripts::LEASE)
            .arg(names::seen(seen))
            .arg(&token)
            .arg(millis(period));
        let compensation = self.compensate_lease(key, &token);
        let lease = Lease::new(key.clone(), seen.cloned(), Owner { token });
        self.clients.run(Operation::Lease, move |link| async move {
            let leased = call.run(&link).await;
            compensation.disarm_if_answered(&leased);
            match leased? {
                Value::BulkString(reply) if reply == b"granted" => {
                    Ok(LeaseReply::Granted(lease.expiring_after(period)))
                }
                Value::BulkString(reply) if reply == b"changed" => Ok(LeaseReply::Changed),
                Value::Array(held) => {
                    let token = token_of(&held).ok_or_else(|| link.fault(Operation::Lease))?;
                    let (key, seen) = (lease.key().clone(), lease.seen().cloned());
                    Ok(LeaseReply::Held(Some(Lease::new(
                        key,
                        seen,
                        Owner { token },
                    ))))
                }
                _ => Err(link.fault(Operation::Lease)),
            }
        })
    }

    fn take_over<'a>(&'a self, key: &'a Key, period: Duration) -> BoxFuture<'a, Lease> {
        let token = self.token();
        let call = self
            .about(key, Operation::Lease, &scripts::TAKE_OVER)
            .arg(&token)
            .arg(millis(period));
        let compensation = self.compensate_lease(key, &token);
        let lease = Lease::new(key.clone(), None, Owner { token }).expiring_after(period);
        self.clients.run(Operation::Lease, move |link| async move {
            let leased = call.run(&link).await;
            compensation.disarm_if_answered(&leased);
            leased.map(|_| lease)
        })
    }

    fn vacate(&self, lease: Lease) -> BoxFuture<'_, Vacated> {
        let Some(owner) = lease.state::<Owner>() else {
            return answer(Vacated::Superseded);
        };
        let call = self
            .about(lease.key(), Operation::Remove, &scripts::VACATE)
            .arg(&owner.token);
        self.clients.run(Operation::Remove, |link| async move {
            Ok(match call.number_if_any(&link).await? {
                Some(removed) => Vacated::Done {
                    lease: lease.seeing(None),
                    removed: removed > 0,
                },
                None => Vacated::Superseded,
            })
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Renewal> {
        let (Some(owner), Some(period)) = (lease.state::<Owner>(), lease.period()) else {
            return answer(Renewal::Lost);
        };
        let call = self
            .about(lease.key(), Operation::Lease, &scripts::RENEW)
            .arg(&owner.token)
            .arg(millis(period));
        self.clients.run(Operation::Lease, |link| async move {
            Ok(match call.number(&link).await? {
                0 => Renewal::Lost,
                _ => Renewal::Renewed,
            })
        })
    }

    fn release(&self, lease: Lease) -> BoxFuture<'_, ()> {
        let Some(owner) = lease.state::<Owner>() else {
            return answer(());
        };
        self.run_releasing(lease.key(), &owner.token)
    }

    fn wait<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
    ) -> Option<BoxFuture<'a, ()>> {
        if self.listener.is_interrupted() {
            return None;
        }
        let call = self
            .about(key, Operation::Lease, &scripts::WAIT)
            .arg(names::seen(seen));
        // Subscribed before looking at the server, so that no change is missed.
        let changed = self.listener.waiters().of_entry(key);
        self.listener.subscribe_to(key.scope());
        let subscribed = self.listener.subscribed(key.scope());
        Some(Box::pin(async move {
            // A synchronous caller waits no longer than an operation may take.
            let most = blocking::allowance().map_or(Duration::MAX, |allowance| allowance / 2);
            let waiting = self.clients.run(Operation::Lease, move |link| async move {
                let told = async {
                    if !subscribed.await {
                        sleep(POLL_INTERVAL).await;
                        return Ok(());
                    }
                    let leased = Duration::from_millis(call.number(&link).await?);
                    // The expiry of a lease is not published.
                    let _ = timeout(leased, changed).await;
                    Ok(())
                };
                timeout(most, told).await.unwrap_or(Ok(()))
            });
            waiting.await
        }))
    }

    fn watch(&self, scope: &Arc<Scope>, watcher: Arc<Watcher>) -> Option<Watch> {
        if !self.server.source.can_subscribe() {
            return None;
        }
        let watch = self.listener.watchers().watch(scope, watcher);
        self.listener.subscribe_to(scope);
        Some(watch)
    }

    fn clear_leases<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, ()> {
        self.all_shards(scope, Operation::Clear)
            .run(&scripts::CLEAR_LEASES)
    }

    fn cleanup<'a>(
        &'a self,
        scope: &'a Arc<Scope>,
        created_before: SystemTime,
    ) -> BoxFuture<'a, Option<u64>> {
        let shards = self.all_shards(scope, Operation::Remove);
        let removed = shards.exhaust(&scripts::CLEANUP, Some(created_before));
        Box::pin(async { removed.await.map(Some) })
    }

    fn usage<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Usage> {
        self.all_shards(scope, Operation::Load).usage()
    }

    fn figures(&self) -> Figures {
        let links = self.clients.connected();
        let of = |busy| {
            links
                .iter()
                .filter(move |link| link.is_busy() == Some(busy))
        };
        Figures {
            round_trips: self.server.round_trips.totals(),
            pool: Some(Pool::new(
                of(false).count() as u64,
                of(true).count() as u64,
                None,
            )),
        }
    }

    fn observe_waits(&self, observer: Arc<WaitObserver>) {
        self.clients.observe_waits(observer);
    }

    fn check(&self) -> BoxFuture<'_, ()> {
        self.clients.run(Operation::Load, |link| async move {
            let ping = redis::cmd("PING");
            link.query(Operation::Load, &ping).await.map(drop)
        })
    }
}

/// The owner's token in an answer.
fn token_of(held: &[Value]) -> Option<String> {
    match held {
        [Value::BulkString(token)] => String::from_utf8(token.clone()).ok(),
        _ => None,
    }
}

/// An answer that needs no request.
fn answer<'a, T: Send + 'a>(answer: T) -> BoxFuture<'a, T> {
    Box::pin(async { Ok(answer) })
}
