//! A map as a backend, with faults on demand.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cachier::testing::Clock;
use cachier::{Backend, Error, ErrorKind};
use cachier_backends::{
    BoxFuture, Capabilities, Capability, EntryVersion, Key, Lease, LeaseReply, Loaded, Operation,
    Scope, StoreReply, StoreRequest, Usage,
};

use crate::gate::panic_silently;

/// Entries in a map shared by all clones.
#[derive(Clone, Default)]
pub struct MapBackend {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    entries: Mutex<HashMap<Key, Vec<u8>>>,
    fault: Mutex<Fault>,
    asked: AtomicU64,
    asked_for_leases: AtomicU64,
    asked_for_usage: AtomicU64,
    before_storing: Mutex<Option<fn()>>,
    has_leases: bool,
}

/// A fault of the backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Every operation fails with an error of this kind.
    Fails(ErrorKind),
    /// The next operation fails with an error of this kind, and no other.
    FailsOnce(ErrorKind),
    /// Storing fails with an error of this kind.
    FailsToStore(ErrorKind),
    /// Every value is too large to be stored, and removing fails with an error of this kind.
    FailsToReplace(ErrorKind),
    /// Giving a lease fails with an error of this kind.
    FailsToLease(ErrorKind),
    /// No operation ever answers.
    Hangs,
    /// Every operation panics.
    Panics,
    /// Loads take this long on the test's clock; nothing else ever answers.
    LoadsSlowly(Duration),
    /// Loads return bytes that nobody stored.
    LoadsGarbage,
    /// Other processes are computing every key.
    OthersCompute,
    /// Every store is superseded by a newer value.
    Refuses,
}

impl MapBackend {
    /// One whose stores need leases, which it grants to all who have seen the current entry.
    #[must_use]
    pub fn with_leases() -> Self {
        let shared = Shared {
            has_leases: true,
            ..Shared::default()
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Sets the fault.
    pub fn set(&self, fault: Fault) {
        *lock(&self.shared.fault) = fault;
    }

    /// Runs `happens` while the next entry is being stored.
    pub fn before_storing(&self, happens: fn()) {
        *lock(&self.shared.before_storing) = Some(happens);
    }

    /// Requests so far, other than for usage.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Requests for leases so far.
    #[must_use]
    pub fn asked_for_leases(&self) -> u64 {
        self.shared.asked_for_leases.load(Ordering::SeqCst)
    }

    /// Requests for usage so far.
    #[must_use]
    pub fn asked_for_usage(&self) -> u64 {
        self.shared.asked_for_usage.load(Ordering::SeqCst)
    }

    fn version(&self, key: &Key) -> Option<EntryVersion> {
        let entries = lock(&self.shared.entries);
        entries
            .get(key)
            .map(|entry| EntryVersion::of_content(entry))
    }

    /// Counts a request and answers as the fault allows.
    async fn answer<T>(
        &self,
        operation: Operation,
        answer: impl FnOnce(&mut HashMap<Key, Vec<u8>>) -> T,
    ) -> Result<T, Error> {
        self.shared.asked.fetch_add(1, Ordering::SeqCst);
        self.try_to(operation, answer).await
    }

    async fn try_to<T>(
        &self,
        operation: Operation,
        answer: impl FnOnce(&mut HashMap<Key, Vec<u8>>) -> T,
    ) -> Result<T, Error> {
        let fault = *lock(&self.shared.fault);
        match fault {
            Fault::Fails(kind) => Err(on_purpose(kind, operation)),
            Fault::FailsOnce(kind) => {
                self.set(Fault::None);
                Err(on_purpose(kind, operation))
            }
            Fault::FailsToStore(kind) if operation == Operation::Store => {
                Err(on_purpose(kind, operation))
            }
            Fault::FailsToReplace(kind) if operation == Operation::Remove => {
                Err(on_purpose(kind, operation))
            }
            Fault::LoadsSlowly(duration) if operation == Operation::Load => {
                Clock::advance(duration);
                Ok(answer(&mut lock(&self.shared.entries)))
            }
            Fault::Hangs | Fault::LoadsSlowly(_) => pending().await,
            Fault::Panics => panic_silently(),
            _ => Ok(answer(&mut lock(&self.shared.entries))),
        }
    }
}

impl Backend for MapBackend {
    fn kind(&self) -> &str {
        "map"
    }

    fn store_name(&self) -> String {
        "a map of the test".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        match self.shared.has_leases {
            true => Capabilities::NONE.with(Capability::Leases),
            false => Capabilities::NONE,
        }
    }

    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        Box::pin(async move {
            let garbage = *lock(&self.shared.fault) == Fault::LoadsGarbage;
            let load = |entries: &mut HashMap<Key, Vec<u8>>| match garbage {
                true => Some(b"garbage".to_vec()),
                false => entries.get(key).cloned(),
            };
            let bytes = self.answer(Operation::Load, load).await?;
            Ok(bytes.map(|bytes| {
                let version = EntryVersion::of_content(&bytes);
                Loaded::new(bytes, version)
            }))
        })
    }

    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        Box::pin(async move {
            let store = |entries: &mut HashMap<Key, Vec<u8>>| {
                entries.insert(key.clone(), request.entry.to_vec());
            };
            match *lock(&self.shared.fault) {
                Fault::Refuses => return Ok(StoreReply::Superseded),
                Fault::FailsToReplace(_) => return Ok(StoreReply::TooLarge),
                _ => {}
            }
            let happens = lock(&self.shared.before_storing).take();
            if let Some(happens) = happens {
                happens();
            }
            self.answer(Operation::Store, store).await?;
            Ok(StoreReply::Stored { evicted: 0 })
        })
    }

    fn lease<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
        _: Duration,
    ) -> BoxFuture<'a, LeaseReply> {
        self.shared.asked_for_leases.fetch_add(1, Ordering::SeqCst);
        let reply = match *lock(&self.shared.fault) {
            Fault::FailsToLease(kind) => Err(on_purpose(kind, Operation::Lease)),
            Fault::OthersCompute => Ok(LeaseReply::Held(None)),
            _ if self.shared.has_leases && self.version(key).as_ref() != seen => {
                Ok(LeaseReply::Changed)
            }
            _ => Ok(LeaseReply::Granted(Lease::new(
                key.clone(),
                seen.cloned(),
                (),
            ))),
        };
        Box::pin(async { reply })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool> {
        Box::pin(self.answer(Operation::Remove, |entries| entries.remove(key).is_some()))
    }

    fn usage<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Usage> {
        self.shared.asked_for_usage.fetch_add(1, Ordering::SeqCst);
        Box::pin(self.try_to(Operation::Load, move |entries| {
            let held = entries.iter().filter(|(key, _)| key.scope() == scope);
            let sizes: Vec<_> = held.map(|(_, entry)| entry.len() as u64).collect();
            Usage::new(Some(sizes.len() as u64), Some(sizes.iter().sum()))
        }))
    }

    fn clear<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
        Box::pin(self.answer(Operation::Clear, move |entries| {
            let before = entries.len();
            entries.retain(|key, _| key.scope() != scope);
            Some((before - entries.len()) as u64)
        }))
    }
}

fn on_purpose(kind: ErrorKind, operation: Operation) -> Error {
    Error::new(kind, operation, "the test wants it so")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls that other processes' leases keep from a recomputation: the first asks for the lease, and one a second later.
///
/// # Panics
/// If another one asks.
pub fn assert_that_leases_are_rarely_asked_for(map: &MapBackend, call: impl Fn()) {
    map.set(Fault::OthersCompute);
    let before = map.asked_for_leases();
    let asked = || {
        call();
        cachier::flush();
        map.asked_for_leases() - before
    };
    (0..10).for_each(|_| assert_eq!(asked(), 1));
    Clock::advance(Duration::from_secs(1));
    assert_eq!(asked(), 2, "that process may have died");
}

/// Runs a test in a context whose backend `map` is this one.
///
/// # Panics
/// If the backend cannot be registered.
pub fn with_map<R>(test: impl FnOnce(&MapBackend) -> R) -> R {
    cachier::testing::isolated(|| {
        let map = MapBackend::default();
        cachier::register_backend("map", map.clone()).expect("the name is not built in");
        test(&map)
    })
}
