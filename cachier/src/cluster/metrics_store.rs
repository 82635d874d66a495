//! Where figures are kept in a store: under keys that belong to no function.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cachier_backends::entry::{self, Header};
use cachier_backends::{
    Backend, EntryVersion, Error, ErrorKind, Key, KeyHash, LeaseReply, Operation, Scope,
    StoreReply, StoreRequest, Version,
};
use cachier_metrics::{Form, InstanceId, Ledger, Unreadable};

use crate::backend_handle::BackendHandle;
use crate::budget::Bounded;
use crate::timer::Timer;

/// The part of a store that figures are kept in. Its operations pass neither the breaker nor the limiters of calls.
pub(super) struct MetricsStore {
    handle: Arc<BackendHandle>,
    scope: Arc<Scope>,
}

/// What a key is for.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    Ledger,
    Figures(InstanceId, Form),
}

/// What to do with the ledger.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Keep,
    Store,
}

/// The ledger's lease, held during a change.
const LEASE_PERIOD: Duration = Duration::from_secs(10);
/// Pauses between attempts while other instances change the ledger.
const MIN_PAUSE: Duration = Duration::from_millis(2);
const MAX_PAUSE: Duration = Duration::from_millis(200);

impl MetricsStore {
    pub(super) fn new(handle: Arc<BackendHandle>, namespace: &str) -> Self {
        // Names of functions in storage begin with a package's name.
        let scope = Arc::new(Scope::new(namespace, ":metrics"));
        Self { handle, scope }
    }

    /// Whether it is the same store, and the same namespace.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.handle, &other.handle) && self.scope == other.scope
    }

    /// The same store, for a forked child.
    pub(super) fn share(&self) -> Self {
        Self {
            handle: Arc::clone(&self.handle),
            scope: Arc::clone(&self.scope),
        }
    }

    /// The stored bytes; `None` if another entry format wrote them.
    pub(super) async fn load(&self, slot: Slot) -> Result<Option<Vec<u8>>, Error> {
        let (bytes, _) = self.load_version(slot).await?;
        Ok(bytes)
    }

    pub(super) async fn store(&self, slot: Slot, bytes: &[u8]) -> Result<(), Error> {
        let (key, now) = (self.key(slot), SystemTime::now());
        let entry = entry::encode(&key, &Header::new(now), bytes);
        let request = StoreRequest::new(&entry, now);
        match self.backend().store(&key, request).await? {
            StoreReply::TooLarge => {
                let message = "the figures are larger than the store's limit";
                Err(Error::new(ErrorKind::Full, Operation::Store, message))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn remove(&self, slot: Slot) -> Result<(), Error> {
        self.backend().remove(&self.key(slot)).await.map(drop)
    }

    pub(super) async fn ledger(&self) -> Result<Ledger, Error> {
        let bytes = self.load(Slot::Ledger).await?;
        bytes.map_or_else(|| Ok(Ledger::default()), |bytes| read_ledger(&bytes))
    }

    /// Changes the ledger. Calls `change` again if another instance changed it meanwhile.
    pub(super) async fn update(
        &self,
        mut change: impl FnMut(&mut Ledger) -> Change,
    ) -> Result<Ledger, Error> {
        let key = self.key(Slot::Ledger);
        let mut pause = MIN_PAUSE;
        loop {
            let (bytes, version) = self.load_version(Slot::Ledger).await?;
            let mut ledger = bytes.map_or_else(|| Ok(Ledger::default()), |it| read_ledger(&it))?;
            if change(&mut ledger) == Change::Keep {
                return Ok(ledger);
            }
            ledger.revision += 1;
            let lease = self.backend().lease(&key, version.as_ref(), LEASE_PERIOD);
            if let LeaseReply::Granted(lease) = lease.await? {
                let now = SystemTime::now();
                let entry = entry::encode(&key, &Header::new(now), &ledger.write());
                let request = StoreRequest::new(&entry, now).under(lease);
                if let StoreReply::Stored { .. } = self.backend().store(&key, request).await? {
                    return Ok(ledger);
                }
            }
            Timer::system().sleep(pause.mul_f64(fastrand::f64())).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    async fn load_version(
        &self,
        slot: Slot,
    ) -> Result<(Option<Vec<u8>>, Option<EntryVersion>), Error> {
        let key = self.key(slot);
        let Some(loaded) = self.backend().load(&key).await? else {
            return Ok((None, None));
        };
        let entry = entry::decode(&key, &loaded.bytes)?;
        let bytes = entry.map(|entry| entry.value.to_vec());
        Ok((bytes, Some(loaded.version)))
    }

    fn key(&self, slot: Slot) -> Key {
        let mut hash = [0; 32];
        if let Slot::Figures(InstanceId(instance), form) = slot {
            hash[..16].copy_from_slice(&instance.to_be_bytes());
            hash[16] = match form {
                Form::Full => 1,
                Form::Change => 2,
            };
        }
        let scope = Arc::clone(&self.scope);
        Key::new(scope, Version::Unversioned, KeyHash::from_bytes(hash))
    }

    fn backend(&self) -> &dyn Backend {
        &**self.handle.backend(Bounded::OUTSIDE_CALLS)
    }
}

/// A damaged ledger counts as absent, which loses the counts of ended instances; a newer one is an error.
fn read_ledger(bytes: &[u8]) -> Result<Ledger, Error> {
    match Ledger::read(bytes) {
        Err(Unreadable::Newer) => {
            let message = "the figures in this store are those of a newer version of cachier";
            Err(Error::new(ErrorKind::Codec, Operation::Load, message)
                .with_hint("update this program, or set another namespace"))
        }
        read => Ok(read.unwrap_or_default()),
    }
}
