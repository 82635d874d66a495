//! From a call site to the driver and back: calls, and the operations of the companion.

use std::future::Future;
use std::time::Duration;

use cachier_backends::Error;
use cachier_metrics::{NearResult, Outcome, RemovalCause, Tier};
use futures_lite::future::block_on;

use super::arguments::{Arguments, FrontHit, Keyed, Storage};
use super::form::Form;
use super::job::{
    AsyncWork, Later, Mode, OnThread, Recipe, Returned, Step, SyncBody, SyncWork, run_now,
};
use super::operate::operate;
use super::shape::Shape;
use super::site::{Instance, Site};
use crate::background::{run_as_task, run_on_thread};
use crate::call::{Call, CallOptions};
use crate::decision::{Intent, is_fresh};
use crate::drive::{Flavour, Session, Settled, Start, run};
use crate::function::Function;
use crate::storage::Tiers;

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
    keyed: MaybeKeyed<S, F>,
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
        let is_off = matches!(operation, Operation::Call(..)) && !function.is_enabled();
        let hit = match &operation {
            Operation::Call(options, Start::Undecided)
                if options.intent == Intent::Use && !is_off =>
            {
                let wanted =
                    |hit: &FrontHit<Sh::Value>| is_fresh(hit.age(function), None, options.max_age);
                let hit = arguments.hit(instance).filter(wanted);
                if S::HAS_FRONT
                    && let Some(metrics) = function.metrics
                {
                    let is_hit = hit.is_some();
                    metrics.near_lookup(if is_hit {
                        NearResult::Hit
                    } else {
                        NearResult::Miss
                    });
                }
                hit
            }
            _ => None,
        };
        let keyed = (hit.is_none() && !is_off).then(|| arguments.key(instance));
        Prepared {
            instance,
            operation,
            hit,
            keyed,
        }
    }
}

/// Carries out an operation of a synchronous function.
pub fn dispatch<S, Sh, F>(
    recipe: Recipe<Sh>,
    prepared: Prepared<S, Sh, F>,
    body: SyncBody<'_, S::Tiers, Sh, F>,
) -> Reply<Sh::Return, Sh::Stored>
where
    S: Storage,
    Sh: Shape,
    F: Form<Sh::Value, Kept = <S::Tiers as Tiers>::Value>,
{
    let instance = prepared.instance;
    let (session, way) = match prepared.open(Flavour::Sync, recipe.shape) {
        Opened::Call(session, way) => (session, way),
        Opened::Other(operation, keyed) => {
            return block_on(operate(
                instance,
                Flavour::Sync,
                recipe.shape,
                operation,
                keyed,
            ));
        }
    };
    Reply::Call(match way {
        Way::Given(settled, value) => session.end(settled, value),
        Way::Bypass => {
            let computing = session.start_bypass();
            let value = run_now(body);
            session.end_bypass(computing);
            session.end(Settled::BYPASS, value)
        }
        Way::Driven(Keyed { key, form }) => {
            let mut work = SyncWork::new(Returned::new(recipe, form), body);
            let mut on_thread = OnThread(&mut work);
            let settled = block_on(run(&instance.core, &session, &key, &mut on_thread));
            clean_up(instance, &session);
            session.end(settled, work.returned.finish())
        }
    })
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
    let instance = prepared.instance;
    let (session, way) = match prepared.open(Flavour::Async, recipe.shape) {
        Opened::Call(session, way) => (session, way),
        Opened::Other(operation, keyed) => {
            return operate(instance, Flavour::Async, recipe.shape, operation, keyed).await;
        }
    };
    Reply::Call(match way {
        Way::Given(settled, value) => session.end(settled, value),
        Way::Bypass => {
            let computing = session.start_bypass();
            let value = run_now(body).await;
            session.end_bypass(computing);
            session.end(Settled::BYPASS, value)
        }
        Way::Driven(Keyed { key, form }) => {
            let mut work = AsyncWork::new(Returned::new(recipe, form), body);
            let settled = run(&instance.core, &session, &key, &mut work).await;
            clean_up(instance, &session);
            session.end(settled, work.returned.finish())
        }
    })
}

/// A key, an error in making one, or none for a call that bypasses the cache.
pub(super) type MaybeKeyed<S, F> = Option<Result<Keyed<S, F>, Error>>;

/// An operation on its way.
enum Opened<S: Storage, Sh: Shape, F> {
    Call(Session<'static>, Way<S, Sh, F>),
    Other(Operation<Sh::Stored>, MaybeKeyed<S, F>),
}

/// How a call comes to its result.
enum Way<S: Storage, Sh: Shape, F> {
    /// It was found in memory.
    Given(Settled, Sh::Return),
    /// The function runs, and nothing else.
    Bypass,
    /// The driver knows.
    Driven(Keyed<S, F>),
}

impl<S: Storage, Sh: Shape, F> Prepared<S, Sh, F> {
    /// Decides the way of a call, the same for both flavours.
    fn open(self, flavour: Flavour, shape: Sh) -> Opened<S, Sh, F> {
        let function = &self.instance.core.function;
        let Operation::Call(options, start) = self.operation else {
            return Opened::Other(self.operation, self.keyed);
        };
        let session = Session::of_call(function, flavour, options, start);
        let way = match (self.hit, session.usable(self.keyed)) {
            (Some(hit), _) => Way::Given(hit.settled::<S>(function), shape.join(hit.value)),
            (None, Some(keyed)) => Way::Driven(keyed),
            (None, None) => Way::Bypass,
        };
        Opened::Call(session, way)
    }
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
