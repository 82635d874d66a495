//! From a call site to the driver and back: calls, and the operations of the companion.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use cachier_backends::{Error, Usage};
use cachier_metrics::{Outcome, RemovalCause, Tier};
use futures_lite::future::block_on;

use super::arguments::{Arguments, FrontHit, Keyed, Storage};
use super::form::Form;
use super::job::{AsyncWork, Later, Mode, OnThread, Recipe, Returned, Step, SyncWork, run_now};
use super::shape::Shape;
use super::site::{ErasedSite, Instance, Site};
use crate::background::{run_as_task, run_on_thread};
use crate::call::{Call, CallOptions};
use crate::decision::{Intent, is_fresh};
use crate::drive::{Core, Flavour, Session, Settled, Start, run};
use crate::function::Function;
use crate::registry::Registered;
use crate::storage::{Loaded, Stamp, Tiers};
use crate::world;

/// What the companion, or the function itself, asks for.
pub enum Operation<Stored> {
    /// One call.
    Call(CallOptions, Start),
    /// Forget one entry.
    Invalidate,
    /// Read one entry.
    Peek,
    /// Store one entry.
    Precache(Stored),
}

/// What came of an [`Operation`], variant by variant.
pub enum Reply<R, Stored> {
    Call(Call<R>),
    Invalidated(Result<bool, Error>),
    Peeked(Result<Option<Stored>, Error>),
    Precached(Result<(), Error>),
}

/// A reply is always of the operation's own variant.
macro_rules! replies {
    ($($name:ident: $variant:ident => $content:ty;)*) => {
        impl<R, Stored> Reply<R, Stored> {
            $(
                pub fn $name(self) -> $content {
                    match self {
                        Self::$variant(content) => content,
                        _ => unreachable!("a reply is of its operation's variant"),
                    }
                }
            )*
        }
    };
}

replies! {
    call: Call => Call<R>;
    invalidated: Invalidated => Result<bool, Error>;
    peeked: Peeked => Result<Option<Stored>, Error>;
    precached: Precached => Result<(), Error>;
}

/// An operation and what it needs of the arguments, taken before the arguments go to the function.
pub struct Prepared<S: Storage, Sh: Shape, F> {
    instance: &'static Instance<S>,
    operation: Operation<Sh::Stored>,
    /// What a call of the companion can be given at once; other calls have looked already.
    hit: Option<FrontHit<Sh::Value>>,
    /// `None` when the call bypasses the cache.
    keyed: Option<Result<Keyed<S, F>, Error>>,
}

impl<S: Storage> Site<S> {
    /// Takes what the operation needs of the arguments.
    pub fn prepare<Sh: Shape, A>(
        &'static self,
        _: Sh,
        operation: Operation<Sh::Stored>,
        arguments: &A,
    ) -> Prepared<S, Sh, A::Form>
    where
        A: Arguments<Sh, Storage = S>,
    {
        let instance = self.instance();
        let function = &instance.core.function;
        let (mut hit, mut keyed) = (None, None);
        match &operation {
            Operation::Call(..) if !function.is_enabled() => {}
            Operation::Call(options, Start::Undecided) if options.intent == Intent::Use => {
                let wanted =
                    |hit: &FrontHit<Sh::Value>| is_fresh(hit.age(function), None, options.max_age);
                hit = arguments.hit(instance).filter(wanted);
            }
            _ => {}
        }
        let is_bypass = matches!(operation, Operation::Call(..)) && !function.is_enabled();
        if hit.is_none() && !is_bypass {
            keyed = Some(arguments.key(instance));
        }
        Prepared {
            instance,
            operation,
            hit,
            keyed,
        }
    }

    /// Forgets all entries.
    pub async fn clear(&'static self, flavour: IsAsync) -> Result<Option<u64>, Error> {
        self.instance().clear(flavour.into()).await
    }

    /// Drops all marks of running computations.
    pub async fn clear_leases(&'static self, flavour: IsAsync) -> Result<(), Error> {
        self.instance().clear_leases(flavour.into()).await
    }

    /// Entries and bytes held.
    pub async fn usage(&'static self, flavour: IsAsync) -> Result<Usage, Error> {
        self.instance().usage(flavour.into()).await
    }

    /// The folder of the file backend.
    pub fn cache_dir(&'static self) -> PathBuf {
        cache_dir(&self.instance().core.function)
    }
}

/// Whether the annotated function is an `async fn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsAsync {
    No,
    Yes,
}

impl From<IsAsync> for Flavour {
    fn from(is_async: IsAsync) -> Self {
        match is_async {
            IsAsync::No => Self::Sync,
            IsAsync::Yes => Self::Async,
        }
    }
}

impl ErasedSite {
    /// Forgets all entries of all instantiations; how many, if each can tell.
    pub async fn clear(
        &'static self,
        marker: &'static str,
        flavour: IsAsync,
    ) -> Result<Option<u64>, Error> {
        let mut sum = Some(0);
        for function in self.instantiations(marker) {
            let cleared = function.registered().clear(flavour.into()).await?;
            sum = sum.zip(cleared).map(|(sum, cleared)| sum + cleared);
        }
        Ok(sum)
    }

    /// The folder of the file backend.
    pub fn cache_dir(&'static self, marker: &'static str) -> PathBuf {
        cache_dir(&Function::new(
            self.definition(marker),
            world::current(),
            None,
        ))
    }

    /// Drops all marks of running computations of all instantiations.
    pub async fn clear_leases(
        &'static self,
        marker: &'static str,
        flavour: IsAsync,
    ) -> Result<(), Error> {
        for function in self.instantiations(marker) {
            function.registered().clear_leases(flavour.into()).await?;
        }
        Ok(())
    }

    /// Entries and bytes held by all instantiations together.
    pub async fn usage(
        &'static self,
        marker: &'static str,
        flavour: IsAsync,
    ) -> Result<Usage, Error> {
        let mut sum = Usage {
            entries: Some(0),
            bytes: Some(0),
        };
        for function in self.instantiations(marker) {
            let usage = function.registered().usage(flavour.into()).await?;
            sum.entries = sum
                .entries
                .zip(usage.entries)
                .map(|(sum, entries)| sum + entries);
            sum.bytes = sum.bytes.zip(usage.bytes).map(|(sum, bytes)| sum + bytes);
        }
        Ok(sum)
    }
}

/// Carries out an operation of a synchronous function.
pub fn dispatch<S, Sh, F, B>(
    recipe: Recipe<Sh>,
    prepared: Prepared<S, Sh, F>,
    body: B,
) -> Reply<Sh::Return, Sh::Stored>
where
    S: Storage,
    Sh: Shape,
    F: Form<Sh::Value, Kept = <S::Tiers as Tiers>::Value>,
    B: FnOnce(Mode) -> Step<Sh::Return, Later<S::Tiers, F>>,
{
    let Prepared {
        instance,
        operation,
        hit,
        keyed,
    } = prepared;
    let Operation::Call(options, start) = operation else {
        return block_on(operate(
            instance,
            Flavour::Sync,
            recipe.shape,
            operation,
            keyed,
        ));
    };
    let session = Session::of_call(&instance.core.function, Flavour::Sync, options, start);
    if let Some(hit) = hit {
        let settled = hit.settled::<S>(&instance.core.function);
        return Reply::Call(session.end(settled, recipe.shape.join(hit.value)));
    }
    let Some(Keyed { key, form }) = session.usable(keyed) else {
        let computing = session.start_bypass();
        let value = run_now(body);
        session.end_bypass(computing);
        return Reply::Call(session.end(Settled::BYPASS, value));
    };
    let mut work = SyncWork::new(Returned::new(recipe, form), body);
    let settled = block_on(run(
        &instance.core,
        &session,
        &key,
        &mut OnThread(&mut work),
    ));
    clean_up(instance, &session);
    Reply::Call(session.end(settled, work.returned.finish()))
}

/// Carries out an operation of an asynchronous function.
pub async fn dispatch_async<S, Sh, F, B, N>(
    recipe: Recipe<Sh>,
    prepared: Prepared<S, Sh, F>,
    body: B,
) -> Reply<Sh::Return, Sh::Stored>
where
    S: Storage,
    Sh: Shape,
    F: Form<Sh::Value, Kept = <S::Tiers as Tiers>::Value>,
    B: FnOnce(Mode) -> Step<N, Later<S::Tiers, F>>,
    N: Future<Output = Sh::Return>,
{
    let Prepared {
        instance,
        operation,
        hit,
        keyed,
    } = prepared;
    let Operation::Call(options, start) = operation else {
        return operate(instance, Flavour::Async, recipe.shape, operation, keyed).await;
    };
    let session = Session::of_call(&instance.core.function, Flavour::Async, options, start);
    if let Some(hit) = hit {
        let settled = hit.settled::<S>(&instance.core.function);
        return Reply::Call(session.end(settled, recipe.shape.join(hit.value)));
    }
    let Some(Keyed { key, form }) = session.usable(keyed) else {
        let computing = session.start_bypass();
        let value = run_now(body).await;
        session.end_bypass(computing);
        return Reply::Call(session.end(Settled::BYPASS, value));
    };
    let mut work = AsyncWork::new(Returned::new(recipe, form), body);
    let settled = run(&instance.core, &session, &key, &mut work).await;
    clean_up(instance, &session);
    Reply::Call(session.end(settled, work.returned.finish()))
}

impl<V> FrontHit<V> {
    fn age(&self, function: &Function) -> Duration {
        Duration::from_nanos(function.world.clock.now().saturating_sub(self.computed))
    }

    fn settled<S: Storage>(&self, function: &Function) -> Settled {
        Settled {
            outcome: Outcome::Hit,
            age: Some(self.age(function)),
            tier: Some(if S::HAS_FRONT {
                Tier::Near
            } else {
                Tier::Backend
            }),
            compute_nanos: Some(self.compute_nanos),
        }
    }
}

/// Carries out an operation that runs no function.
async fn operate<S, Sh, F>(
    instance: &'static Instance<S>,
    flavour: Flavour,
    shape: Sh,
    operation: Operation<Sh::Stored>,
    keyed: Option<Result<Keyed<S, F>, Error>>,
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
    tiers.insert(function, &key, found);
    Ok(())
}

/// Starts the removal of stale entries in the background, when it is due.
fn clean_up<S: Storage>(instance: &'static Instance<S>, session: &Session<'_>) {
    let function = &instance.core.function;
    let policy = &session.policy;
    let (Some(interval), Some(age)) = (policy.cleanup_interval, policy.useless_age()) else {
        return;
    };
    if !function.cleanup_is_due(interval) {
        return;
    }
    let flavour = session.flavour;
    let task = async move {
        let session = Session::unmeasured(function, flavour);
        // A failure has been counted; the next clean-up comes after another interval.
        let removed = instance
            .core
            .tiers
            .cleanup(&session, age)
            .await
            .unwrap_or(0);
        if let Some(metrics) = function.metrics {
            metrics.removed(RemovalCause::Cleanup, removed);
        }
    };
    match flavour {
        Flavour::Sync => run_on_thread(function.world, || block_on(task)),
        Flavour::Async => run_as_task(function.world, task),
    }
}

fn cache_dir(function: &Function) -> PathBuf {
    function.world.backends.cache_dir(&function.policy())
}
