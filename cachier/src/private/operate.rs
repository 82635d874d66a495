//! The operations of the companion on one entry.

use cachier_backends::Error;
use cachier_metrics::RemovalCause;

use super::arguments::{Keyed, Storage};
use super::dispatch::{MaybeKeyed, Operation, Reply};
use super::form::Form;
use super::shape::Shape;
use super::site::Instance;
use crate::drive::{Core, Flavour, Session};
use crate::storage::{Loaded, Stamp, Tiers};

/// Carries out an operation that runs no function.
pub(super) async fn operate<S, Sh, F>(
    instance: &'static Instance<S>,
    flavour: Flavour,
    shape: Sh,
    operation: Operation<Sh::Stored>,
    keyed: MaybeKeyed<S, F>,
) -> Reply<Sh::Return, Sh::Stored>
where
    S: Storage,
    Sh: Shape,
    F: Form<Sh::Value, Kept = <S::Tiers as Tiers>::Value>,
{
    let session = Session::unmeasured(&instance.core.function, flavour);
    let keyed = keyed.unwrap_or_else(|| unreachable!("only calls go without a key"));
    match operation {
        Operation::Invalidate => Reply::Invalidated(match keyed {
            Ok(keyed) => invalidate(instance, &session, keyed).await,
            Err(error) => Err(error),
        }),
        Operation::Peek => Reply::Peeked(match keyed {
            Ok(keyed) => peek(instance, &session, shape, keyed).await,
            Err(error) => Err(error),
        }),
        Operation::Precache(stored) => Reply::Precached(match keyed {
            Ok(keyed) => precache(instance, &session, shape.keep(stored), keyed).await,
            Err(error) => Err(error),
        }),
        Operation::Call(..) => unreachable!("calls are carried out by `dispatch`"),
    }
}

async fn invalidate<S: Storage, V, F>(
    instance: &'static Instance<S>,
    session: &Session<'_>,
    keyed: Keyed<S, F>,
) -> Result<bool, Error>
where
    F: Form<V, Kept = <S::Tiers as Tiers>::Value>,
{
    let Keyed { key, form } = keyed;
    instance.core.flights.forget(&key);
    let removed = instance.core.tiers.remove(session, &key).await;
    form.invalidated();
    let removed = removed?;
    if let Some(metrics) = instance.core.function.metrics {
        metrics.removed(RemovalCause::Invalidated, removed.into());
    }
    Ok(removed)
}

async fn peek<S: Storage, Sh: Shape, F>(
    instance: &'static Instance<S>,
    session: &Session<'_>,
    shape: Sh,
    keyed: Keyed<S, F>,
) -> Result<Option<Sh::Stored>, Error>
where
    F: Form<Sh::Value, Kept = <S::Tiers as Tiers>::Value>,
{
    let Loaded { found, .. } = instance.core.tiers.load(session, &keyed.key).await?;
    match found {
        Some(found) => Ok(shape.show(keyed.form.take(found)?)),
        None => session.first_error().map_or(Ok(None), Err),
    }
}

async fn precache<S: Storage, V, F>(
    instance: &'static Instance<S>,
    session: &Session<'_>,
    value: V,
    keyed: Keyed<S, F>,
) -> Result<(), Error>
where
    F: Form<V, Kept = <S::Tiers as Tiers>::Value>,
{
    let Keyed { key, form } = keyed;
    let Core {
        function,
        tiers,
        flights,
    } = &instance.core;
    let stamp = Stamp {
        created: tiers.now(function),
        compute_nanos: 0,
    };
    let found = form.give(&value, stamp, function.wants_size(), None)?;
    drop(value);
    flights.forget(&key);
    tiers.store(session, &key, &found, None).await?;
    form.invalidated();
    tiers.insert(function, key, found);
    Ok(())
}
