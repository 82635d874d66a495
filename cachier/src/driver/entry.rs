//! The operations of the companion on one entry.

use cachier_backends::{Error, ErrorKind, Operation};
use cachier_metrics::RemovalCause;

use super::core::Core;
use super::transition::{Response, Transition};
use super::work::{Slot, encode_checked};
use crate::call::CallMode;
use crate::session::Session;
use crate::storage::{Found, Loaded, Store, StoreOutcome};

/// What the companion asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryOperation {
    /// Forget the entry.
    Invalidate,
    /// Read the entry into the slot.
    Peek,
    /// Store what is in the slot.
    Precache,
}

/// One operation on its way.
pub(crate) struct EntryDriver<T: Store> {
    core: &'static Core<T>,
    session: Session<'static>,
    /// `None` when it has ended.
    state: Option<State<T>>,
}

/// What is to be done next: ask the storage, or tell what it said.
enum State<T: Store> {
    Invalidate(T::Key),
    Invalidated(Result<bool, Error>),
    Peek(T::Key),
    Peeked(Result<Option<Found<T::Value>>, Error>),
    Precache(T::Key, Found<T::Value>),
    Precached(Result<StoredEntry<T>, Error>),
}

/// A value that other processes can see, where they are to.
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
        // The entries of the name are another function's.
        let key = core.function.in_service().and(key);
        let key = key.inspect_err(|error| note_unfaithful(&session, error));
        let state = match operation {
            EntryOperation::Invalidate => {
                key.map_or_else(|error| State::Invalidated(Err(error)), State::Invalidate)
            }
            EntryOperation::Precache => {
                match key.and_then(|key| Ok((key, fitting(core, &session, slot)?))) {
                    Ok((key, found)) => {
                        // In memory, where sizes are seldom known, there is no limit.
                        session.bring(found.bytes.unwrap_or(u64::MAX));
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

    /// Asks the storage.
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

    /// Stores a value in place of whatever there is: what is being computed by now began earlier.
    async fn precache(&self, key: T::Key, found: Found<T::Value>) -> Result<StoredEntry<T>, Error> {
        let Core { store, flights, .. } = self.core;
        flights.forget(&key);
        let unshared = flights.unshared(&key);
        let lease = Some(store.take_over(&self.session, &key).await?);
        let mut stored = store.store(&self.session, &key, &found, lease).await?;
        let is_overtaken = match store.fences(&self.core.function) {
            true => stored == StoreOutcome::Refused,
            // No lease has kept it from arriving after an invalidation.
            false => T::IS_REMOTE && unshared.is_superseded(),
        };
        if is_overtaken {
            // As if it had been stored, and then forgotten: whoever has taken its lease may never store anything, and what it
            // was to replace must not stay.
            store.remove(&self.session, &key).await?;
            stored = StoreOutcome::Done;
        }
        drop(unshared);
        Ok(StoredEntry { key, found, stored })
    }

    /// Takes over what the storage said.
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
                // Also where storing it has failed: it may arrive nevertheless.
                slot.invalidated();
                Transition::Done(Response::Precached(
                    entry.and_then(|entry| self.insert(entry)),
                ))
            }
            _ => unreachable!("the storage is asked first, and once"),
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

    /// Stores in the memory of the process.
    fn insert(&self, entry: StoredEntry<T>) -> Result<(), Error> {
        let Core {
            store, function, ..
        } = self.core;
        let insertion = store.insertion(function, &entry.key, entry.found);
        match (entry.stored, insertion()) {
            (StoreOutcome::Done, StoreOutcome::Done) => Ok(()),
            (StoreOutcome::TooLarge, _) | (_, StoreOutcome::TooLarge) => {
                Err(too_large().with_hint("see `capacity_bytes`, and the limits of the backend"))
            }
            (StoreOutcome::Refused, _) | (_, StoreOutcome::Refused) => Err(overtaken()),
        }
    }
}

/// The value to store, unless it is larger than the function allows.
fn fitting<T: Store>(
    core: &Core<T>,
    session: &Session<'_>,
    slot: &dyn Slot<T::Value>,
) -> Result<Found<T::Value>, Error> {
    let stamp = session.stamp(core.store.now(&core.function), 0);
    let found = encode_checked(&core.function, slot, stamp, core.function.wants_size())
        .inspect_err(|error| note_unfaithful(session, error))?;
    if session.is_too_large(found.bytes) {
        return Err(too_large().with_hint("the limit is `entry_size_limit`"));
    }
    Ok(found)
}

/// Counts what was found in arguments or values, as in a call. What else stands in the way of an operation is only reported.
fn note_unfaithful(session: &Session<'_>, error: &Error) {
    if error.kind() == ErrorKind::Unfaithful {
        session.record_failure(error);
    }
}

/// Unlike a call, which returns its value all the same, storing a value has failed where it is not stored.
fn too_large() -> Error {
    let message = "the value is too large to be stored";
    Error::new(ErrorKind::Full, Operation::Store, message)
}

fn overtaken() -> Error {
    let message = "the value was not stored: the entry was changed or forgotten at the same time";
    Error::new(ErrorKind::Io, Operation::Store, message)
}
