//! Backends with blocking clients.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::backend::{
    Backend, BoxFuture, Capabilities, EntryVersion, Lease, LeaseReply, Loaded, Renewal, StoreReply,
    StoreRequest, Usage, Vacated,
};
use crate::error::Error;
use crate::key::{Key, Scope};
use crate::queue::QueueTimer;
use crate::unblock::unblock;

/// A [`Backend`] whose operations block the thread; the methods and their contracts are the same.
///
/// [`Blocking`] makes a [`Backend`] of it, as does whatever takes an [`IntoBackend`](crate::IntoBackend).
///
/// A backend that keeps entries in a map:
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
/// use cachier_backends::{
///     BlockingBackend, EntryVersion, Error, Key, Loaded, Scope, StoreReply, StoreRequest,
/// };
///
/// #[derive(Default)]
/// struct MapBackend {
///     entries: Mutex<HashMap<Key, Vec<u8>>>,
/// }
///
/// impl MapBackend {
///     fn entries(&self) -> MutexGuard<'_, HashMap<Key, Vec<u8>>> {
///         self.entries.lock().unwrap_or_else(PoisonError::into_inner)
///     }
/// }
///
/// impl BlockingBackend for MapBackend {
///     fn kind(&self) -> &str {
///         "map"
///     }
///
///     fn store_name(&self) -> String {
///         "this process".to_owned()
///     }
///
///     fn load(&self, key: &Key) -> Result<Option<Loaded>, Error> {
///         let bytes = self.entries().get(key).cloned();
///         Ok(bytes.map(|bytes| {
///             let version = EntryVersion::of_content(&bytes);
///             Loaded::new(bytes, version)
///         }))
///     }
///
///     fn store(&self, key: &Key, request: StoreRequest<'_>) -> Result<StoreReply, Error> {
///         self.entries().insert(key.clone(), request.entry.to_vec());
///         Ok(StoreReply::Stored { evicted: 0 })
///     }
///
///     fn remove(&self, key: &Key) -> Result<bool, Error> {
///         Ok(self.entries().remove(key).is_some())
///     }
///
///     fn clear(&self, scope: &Arc<Scope>) -> Result<Option<u64>, Error> {
///         let removed = self.entries().extract_if(|key, _| key.scope() == scope).count();
///         Ok(Some(removed as u64))
///     }
/// }
/// ```
#[expect(missing_docs, reason = "each method is documented on `Backend`")]
pub trait BlockingBackend: Send + Sync + 'static {
    fn kind(&self) -> &str;

    fn store_name(&self) -> String;

    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
    }

    fn load(&self, key: &Key) -> Result<Option<Loaded>, Error>;

    fn store(&self, key: &Key, request: StoreRequest<'_>) -> Result<StoreReply, Error>;

    fn remove(&self, key: &Key) -> Result<bool, Error>;

    fn clear(&self, scope: &Arc<Scope>) -> Result<Option<u64>, Error>;

    fn lease(
        &self,
        key: &Key,
        seen: Option<&EntryVersion>,
        period: Duration,
    ) -> Result<LeaseReply, Error> {
        let _ = period;
        let lease = Lease::new(key.clone(), seen.cloned(), ());
        Ok(LeaseReply::Granted(lease))
    }

    fn take_over(&self, key: &Key, period: Duration) -> Result<Lease, Error> {
        let _ = period;
        Ok(Lease::new(key.clone(), None, ()))
    }

    fn vacate(&self, lease: Lease) -> Result<Vacated, Error> {
        let removed = self.remove(lease.key())?;
        let lease = Lease::new(lease.key().clone(), None, ());
        Ok(Vacated::Done { lease, removed })
    }

    fn renew(&self, lease: &Lease) -> Result<Renewal, Error> {
        let _ = lease;
        Ok(Renewal::Renewed)
    }

    fn release(&self, lease: Lease) -> Result<(), Error> {
        drop(lease);
        Ok(())
    }

    fn clear_leases(&self, scope: &Arc<Scope>) -> Result<(), Error> {
        let _ = scope;
        Ok(())
    }

    fn cleanup(
        &self,
        scope: &Arc<Scope>,
        created_before: SystemTime,
    ) -> Result<Option<u64>, Error> {
        let _ = (scope, created_before);
        Ok(None)
    }

    fn usage(&self, scope: &Arc<Scope>) -> Result<Usage, Error> {
        let _ = scope;
        Ok(Usage::default())
    }

    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Makes a [`Backend`] of a [`BlockingBackend`].
///
/// An operation first polled inside [`inline`] runs on the polling thread, any other on a thread pool that serves every
/// executor. [`queue::observe`](crate::queue::observe) tells how long it has waited for a thread.
///
/// ```
/// # #[cfg(feature = "file")] {
/// use cachier_backends::{Backend, Blocking, file::FileBackend};
///
/// let backend = Blocking::new(FileBackend::new("/var/cache/app"));
/// assert_eq!(Backend::kind(&backend), "file");
/// assert!(backend.get_ref().dir().is_some());
/// # }
/// ```
#[derive(Debug)]
pub struct Blocking<B> {
    backend: Arc<B>,
}

thread_local! {
    /// The use that operations may make of this thread, if it is specified.
    static MODE: Cell<Option<Mode>> = const { Cell::new(None) };
}

/// The use that an operation polled now may make of its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It may block for that long.
    Inline(Duration),
    /// None, nor of a runtime that it drives: the thread waits for the operation and for other things.
    Offload,
}

/// Lets operations polled by `f` run on this thread, which may block.
///
/// An operation that waits for a network times out after `allowance`; one that waits for the operating system cannot.
///
/// ```
/// use std::time::Duration;
/// use cachier_backends::blocking;
///
/// assert_eq!(blocking::inline(Duration::from_secs(1), || 6 * 7), 42);
/// ```
pub fn inline<R>(allowance: Duration, f: impl FnOnce() -> R) -> R {
    with_mode(Mode::Inline(allowance), f)
}

/// Has operations polled by `f` run on other threads, even if this one is the only thread of a runtime.
///
/// Lets a synchronous caller wait for longer than a moment and give up, which a blocked thread could not.
///
/// ```
/// use cachier_backends::blocking;
///
/// assert_eq!(blocking::offload(|| 6 * 7), 42);
/// ```
pub fn offload<R>(f: impl FnOnce() -> R) -> R {
    with_mode(Mode::Offload, f)
}

fn with_mode<R>(mode: Mode, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Mode>);
    impl Drop for Restore {
        fn drop(&mut self) {
            MODE.set(self.0);
        }
    }
    let _restore = Restore(MODE.replace(Some(mode)));
    f()
}

#[cfg_attr(
    not(feature = "_network"),
    allow(dead_code, reason = "only what waits for a network asks")
)]
pub(crate) fn mode() -> Option<Mode> {
    MODE.get()
}

/// How long an operation polled now may block this thread; `None` if it may not.
pub(crate) fn allowance() -> Option<Duration> {
    match MODE.get() {
        Some(Mode::Inline(allowance)) => Some(allowance),
        Some(Mode::Offload) | None => None,
    }
}

impl<B> Blocking<B> {
    /// Wraps `backend`.
    pub fn new(backend: B) -> Self {
        Self {
            backend: Arc::new(backend),
        }
    }

    /// The wrapped backend.
    #[must_use]
    pub fn get_ref(&self) -> &B {
        &self.backend
    }
}

impl<B: BlockingBackend> Blocking<B> {
    /// Runs an operation here or on the pool.
    fn run<'a, T, O>(&'a self, operation: O) -> BoxFuture<'a, T>
    where
        T: Send + 'static,
        O: FnOnce(&B) -> Result<T, Error> + Send + 'static,
    {
        Box::pin(async move {
            if allowance().is_some() {
                return operation(&self.backend);
            }
            let backend = Arc::clone(&self.backend);
            let timer = QueueTimer::default();
            let on_thread = timer.clone();
            let task = unblock(move || on_thread.run(|| operation(&backend)));
            timer.observe_future(task).await
        })
    }
}

impl<B: BlockingBackend> Backend for Blocking<B> {
    fn kind(&self) -> &str {
        self.backend.kind()
    }

    fn store_name(&self) -> String {
        self.backend.store_name()
    }

    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        let key = key.clone();
        self.run(move |backend| backend.load(&key))
    }

    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        Box::pin(async move {
            if allowance().is_some() {
                return self.backend.store(key, request);
            }
            let (key, entry) = (key.clone(), request.entry.to_vec());
            let StoreRequest {
                created,
                expires,
                lease,
                capacity_bytes,
                ..
            } = request;
            self.run(move |backend| {
                let request = StoreRequest {
                    entry: &entry,
                    created,
                    expires,
                    lease,
                    capacity_bytes,
                };
                backend.store(&key, request)
            })
            .await
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool> {
        let key = key.clone();
        self.run(move |backend| backend.remove(&key))
    }

    fn clear<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
        let scope = Arc::clone(scope);
        self.run(move |backend| backend.clear(&scope))
    }

    fn lease<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
        period: Duration,
    ) -> BoxFuture<'a, LeaseReply> {
        let (key, seen) = (key.clone(), seen.cloned());
        self.run(move |backend| backend.lease(&key, seen.as_ref(), period))
    }

    fn take_over<'a>(&'a self, key: &'a Key, period: Duration) -> BoxFuture<'a, Lease> {
        let key = key.clone();
        self.run(move |backend| backend.take_over(&key, period))
    }

    fn vacate(&self, lease: Lease) -> BoxFuture<'_, Vacated> {
        self.run(move |backend| backend.vacate(lease))
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Renewal> {
        let lease = lease.share();
        self.run(move |backend| backend.renew(&lease))
    }

    fn release(&self, lease: Lease) -> BoxFuture<'_, ()> {
        self.run(move |backend| backend.release(lease))
    }

    fn clear_leases<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, ()> {
        let scope = Arc::clone(scope);
        self.run(move |backend| backend.clear_leases(&scope))
    }

    fn cleanup<'a>(
        &'a self,
        scope: &'a Arc<Scope>,
        created_before: SystemTime,
    ) -> BoxFuture<'a, Option<u64>> {
        let scope = Arc::clone(scope);
        self.run(move |backend| backend.cleanup(&scope, created_before))
    }

    fn usage<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Usage> {
        let scope = Arc::clone(scope);
        self.run(move |backend| backend.usage(&scope))
    }

    fn check(&self) -> BoxFuture<'_, ()> {
        self.run(|backend| backend.check())
    }
}

#[cfg(test)]
mod tests;
