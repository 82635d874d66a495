//! The companion's operations on one entry.

use cachier_backends::{Error, ErrorKind, Operation};
use cachier_metrics::RemovalCause;

use super::core::Core;
use super::transition::{Response, Transition};
use super::work::{Slot, encode_checked};
use crate::call::CallMode;
use crate::session::Session;
use crate::storage::{Found, Loaded, Store, StoreOutcome};

/// An operation on one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryOperation {
    /// Forgets the entry.
    Invalidate,
    /// Reads the entry into the slot.
    Peek,
    /// Stores the value in the slot.
    Precache,
}

/// Drives one operation.
pub(crate) struct EntryDriver<T: Store> {
    core: &'static Core<T>,
    session: Session<'static>,
    /// `None` once the operation is done.
    state: Option<State<T>>,
}

/// The next step: an operation on the store, or its result.
enum State<T: Store> {
    Invalidate(T::Key),
    Invalidated(Result<bool, Error>),
    Peek(T::Key),
    Peeked(Result<Option<Found<T::Value>>, Error>),
    Precache(T::Key, Found<T::Value>),
    Precached(Result<StoredEntry<T>, Error>),
}

/// A value in the shared store.
struct StoredEntry<T: Store> {
    key: T::Key,
    found: Found<T::Value>,
    stored: StoreOutcome,
}

impl<T: Store> EntryDriver<T> {
    pub(super) fn new(
        core: &'static Core<T>,
        mode: CallMode,
        operation: EntryOperation,
        key: Result<T::Key, Error>,
        slot: &dyn Slot<T::Value>,
    ) -> Self {
        let mut session = match operation {
            EntryOperation::Peek => Session::uncounted(&core.function, mode),
            EntryOperation::Invalidate | EntryOperation::Precache => {
                Session::for_one_key(&core.function, mode)
            }
        };
        // The entries of this name may be another function's.
        let key = core.function.in_service().and(key);
        let key = key.inspect_err(|error| note_unfaithful(&session, error));
        let state = match operation {
            EntryOperation::Invalidate => {
                key.map_or_else(|error| State::Invalidated(Err(error)), State::Invalidate)
            }
            EntryOperation::Precache => {
                match key.and_then(|key| Ok((key, fitting(core, &session, slot)?))) {
                    Ok((key, found)) => {
                        // Sizes are often unknown in memory, which needs no limit.
                        session.extend_for_value(found.bytes.unwrap_or(u64::MAX));
                        State::Precache(key, found)
                    }
                    Err(error) => State::Precached(Err(error)),
                }
            }
            EntryOperation::Peek => key.map_or_else(|error| State::Peeked(Err(error)), State::Peek),
        };
        Self {
            core,
            session,
            state: Some(state),
        }
    }

    /// Runs the operation on the store.
    pub(super) async fn proceed(&mut self) {
        let Core { store, flights, .. } = self.core;
        let session = &self.session;
        self.state = match self.state.take() {
            Some(State::Invalidate(key)) => {
                flights.forget(&key);
                Some(State::Invalidated(store.remove(session, &key).await))
            }
            Some(State::Peek(key)) => {
                let loaded = store.load(session, &key).await;
                Some(State::Peeked(loaded.map(|Loaded { found, .. }| found)))
            }
            Some(State::Precache(key, found)) => {
                let entry = self.precache(key, found).await;
                Some(State::Precached(entry))
            }
            due => due,
        };
    }

    /// Stores a value over any entry: running computations began earlier.
    async fn precache(&self, key: T::Key, found: Found<T::Value>) -> Result<StoredEntry<T>, Error> {
        let Core { store, flights, .. } = self.core;
        flights.forget(&key);
        let unshared = flights.unshared(&key);
        let lease = Some(store.take_over(&self.session, &key).await?);
        let mut stored = store.store(&self.session, &key, &found, lease).await?;
        let is_overtaken = match store.fences(&self.core.function) {
            true => stored == StoreOutcome::Refused,
            // Without a lease the store may have arrived after an invalidation.
            false => T::IS_REMOTE && unshared.is_superseded(),
        };
        if is_overtaken {
            // Counts as stored and then forgotten: the new owner of the lease may never store anything, and the old
            // entry must not stay.
            store.remove(&self.session, &key).await?;
            stored = StoreOutcome::Done;
        }
        drop(unshared);
        Ok(StoredEntry { key, found, stored })
    }

    /// Takes the result of the store.
    pub(super) fn step(&mut self, slot: &mut dyn Slot<T::Value>) -> Transition<Response> {
        match self.state.take() {
            Some(State::Invalidated(removed)) => {
                slot.invalidated();
                Transition::Done(Response::Invalidated(
                    removed.inspect(|removed| self.count(*removed)),
                ))
            }
            Some(State::Peeked(loaded)) => Transition::Done(Response::Peeked(
                loaded.and_then(|found| self.show(found, slot)),
            )),
            Some(State::Precached(entry)) => {
                // Even if storing it failed: it may arrive nevertheless.
                slot.invalidated();
                Transition::Done(Response::Precached(
                    entry.and_then(|entry| self.insert(entry)),
                ))
            }
            _ => unreachable!("the store is used first, and once"),
        }
    }

    fn count(&self, removed: bool) {
        if let Some(metrics) = self.core.function.metrics {
            metrics.removed(RemovalCause::Invalidated, removed.into());
        }
    }

    fn show(
        &self,
        found: Option<Found<T::Value>>,
        slot: &mut dyn Slot<T::Value>,
    ) -> Result<bool, Error> {
        match found {
            Some(found) => slot.serve(found).map(|()| true),
            None => self.session.first_error().map_or(Ok(false), Err),
        }
    }

    /// Inserts the value into the memory of the process.
    fn insert(&self, entry: StoredEntry<T>) -> Result<(), Error> {
        let Core {
            store, function, ..
        } = self.core;
        let mut inserted = StoreOutcome::Done;
        store.insert(function, &entry.key, entry.found, |insert| {
            inserted = insert();
        });
        match (entry.stored, inserted) {
            (StoreOutcome::Done, StoreOutcome::Done) => Ok(()),
            (StoreOutcome::TooLarge, _) | (_, StoreOutcome::TooLarge) => {
                Err(too_large().with_hint("see `capacity_bytes`, and the limits of the backend"))
            }
            (StoreOutcome::Refused, _) | (_, StoreOutcome::Refused) => Err(overtaken()),
        }
    }
}

/// The encoded value, unless it is larger than the function allows.
fn fitting<T: Store>(
    core: &Core<T>,
    session: &Session<'_>,
    slot: &dyn Slot<T::Value>,
) -> Result<Found<T::Value>, Error> {
    let now = core.function.context.clock.now();
    let created = core.store.created_at(&core.function, now);
    let ageing = session
        .policy
        .ageing(slot.age_limit(), &core.function.context.random);
    let stamp = session.policy.stamp(created, 0, now, ageing);
    let want_size = core.function.wants_size(&session.policy);
    let found = encode_checked(&core.function, slot, stamp, want_size)
        .inspect_err(|error| note_unfaithful(session, error))?;
    if session.is_too_large(found.bytes) {
        return Err(too_large().with_hint("the limit is `entry_size_limit`"));
    }
    Ok(found)
}

/// Counts findings of the verification, as a call does. Other errors are only returned.
fn note_unfaithful(session: &Session<'_>, error: &Error) {
    if error.kind() == ErrorKind::Unfaithful {
        session.record_failure(error);
    }
}

/// A call returns its value all the same; an operation that was to store one has failed.
fn too_large() -> Error {
    let message = "the value is too large to be stored";
    Error::new(ErrorKind::Full, Operation::Store, message)
}

fn overtaken() -> Error {
    let message = "the value was not stored: the entry was changed or forgotten at the same time";
    Error::new(ErrorKind::Io, Operation::Store, message)
}
