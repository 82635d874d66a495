//! The operations of the companion on one entry.

use cachier_backends::{Error, ErrorKind, Operation as BackendOperation};
use cachier_metrics::RemovalCause;

use super::arguments::Keyed;
use super::dispatch::{MaybeKeyed, Operation, Reply};
use super::form::{Form, Measure};
use super::job::Recipe;
use super::shape::Shape;
use crate::drive::{Core, Flavour, Session};
use crate::storage::{Loaded, Stored, Tiers};

/// Carries out an operation that runs no function.
pub(super) async fn operate<T, Sh, F>(
    core: &'static Core<T>,
    flavour: Flavour,
    Recipe { shape, measure, .. }: Recipe<Sh>,
    operation: Operation<Sh::Stored>,
    keyed: MaybeKeyed<T, F>,
) -> Reply<Sh::Return, Sh::Stored>
where
    T: Tiers,
    Sh: Shape,
    F: Form<Sh::Value, Kept = T::Value>,
{
    let session = Session::unmeasured(&core.function, flavour);
    let keyed = keyed.unwrap_or_else(|| unreachable!("only calls go without a key"));
    match operation {
        Operation::Invalidate => Reply::Invalidated(match keyed {
            Ok(keyed) => invalidate(core, &session, keyed).await,
            Err(error) => Err(error),
        }),
        Operation::Peek => Reply::Peeked(match keyed {
            Ok(keyed) => peek(core, &session, shape, keyed).await,
            Err(error) => Err(error),
        }),
        Operation::Precache(stored) => Reply::Precached(match keyed {
            Ok(keyed) => precache(core, &session, shape.keep(stored), measure, keyed).await,
            Err(error) => Err(error),
        }),
        Operation::Call(..) => unreachable!("calls are carried out by `dispatch`"),
    }
}

async fn invalidate<T: Tiers, V, F>(
    core: &'static Core<T>,
    session: &Session<'_>,
    keyed: Keyed<T, F>,
) -> Result<bool, Error>
where
    F: Form<V, Kept = T::Value>,
{
    let Keyed { key, form } = keyed;
    core.flights.forget(&key);
    let removed = core.tiers.remove(session, &key).await;
    form.invalidated();
    let removed = removed?;
    if let Some(metrics) = core.function.metrics {
        metrics.removed(RemovalCause::Invalidated, removed.into());
    }
    Ok(removed)
}

async fn peek<T: Tiers, Sh: Shape, F>(
    core: &'static Core<T>,
    session: &Session<'_>,
    shape: Sh,
    keyed: Keyed<T, F>,
) -> Result<Option<Sh::Stored>, Error>
where
    F: Form<Sh::Value, Kept = T::Value>,
{
    let Loaded { found, .. } = core.tiers.load(session, &keyed.key).await?;
    match found {
        Some(found) => Ok(shape.show(keyed.form.take(found)?)),
        None => session.first_error().map_or(Ok(None), Err),
    }
}

async fn precache<T: Tiers, V, F>(
    core: &'static Core<T>,
    session: &Session<'_>,
    value: V,
    measure: Measure<V>,
    keyed: Keyed<T, F>,
) -> Result<(), Error>
where
    F: Form<V, Kept = T::Value>,
{
    let Keyed { key, form } = keyed;
    let Core {
        function,
        tiers,
        flights,
    } = core;
    let stamp = session.stamp(tiers.now(function), 0);
    let found = form.give(&value, stamp, function.wants_size(), measure)?;
    drop(value);
    if session.is_too_large(found.bytes) {
        let hint = "the limit is `entry_size_limit`";
        return Err(too_large().with_hint(hint));
    }
    flights.forget(&key);
    let stored = tiers.store(session, &key, &found, None).await?;
    form.invalidated();
    match (stored, tiers.insertion(function, &key, found)()) {
        (Stored::Done, Stored::Done) => Ok(()),
        (Stored::TooLarge, _) | (_, Stored::TooLarge) => {
            Err(too_large().with_hint("see `capacity_bytes`, and the limits of the backend"))
        }
        (Stored::Refused, _) | (_, Stored::Refused) => Err(overtaken()),
    }
}

/// Unlike a call, which returns its value all the same, storing a value has failed where it is not stored.
fn too_large() -> Error {
    let message = "the value is too large to be stored";
    Error::new(ErrorKind::Full, BackendOperation::Store, message)
}

fn overtaken() -> Error {
    let message = "the value was not stored: the entry was changed or forgotten at the same time";
    Error::new(ErrorKind::Io, BackendOperation::Store, message)
}
