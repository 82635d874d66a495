//! From a call site to the driver and back: calls, and the operations of the companion.

use std::future::Future;
use std::time::Duration;

use cachier_backends::Error;
use cachier_metrics::{ComputeRecorder, ComputeResult, NearResult, Outcome, Tier};
use futures_lite::future::block_on;

use super::arguments::{Arguments, FrontHit, Keyed, Storage};
use super::form::Form;
use super::job::{AsyncWork, Later, Mode, Recipe, Returned, Step, SyncBody, SyncWork, run_now};
use super::operate::operate;
use super::shape::Shape;
use super::site::Site;
use crate::call::{Call, CallOptions};
use crate::decision::{Intent, is_fresh};
use crate::drive::{Core, Flavour, Session, Settled, Start, clean_up, run};
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
///
/// From here on the types of the arguments are forgotten: functions that return the same share their code.
pub struct Prepared<T: Tiers, Sh: Shape, F> {
    core: &'static Core<T>,
    operation: Operation<Sh::Stored>,
    /// What a call of the companion can be given at once; other calls have looked already.
    given: Option<(Settled, Sh::Value)>,
    /// `None` when the call bypasses the cache.
    keyed: MaybeKeyed<T, F>,
}

impl<S: Storage> Site<S> {
    /// Takes what the operation needs of the arguments.
    pub fn prepare<Sh: Shape, A>(
        &'static self,
        _: Sh,
        operation: Operation<Sh::Stored>,
        arguments: &A,
    ) -> Prepared<S::Tiers, Sh, A::Form>
    where
        A: Arguments<Sh, Storage = S>,
    {
        let instance = self.instance();
        let core = &instance.core;
        let bypasses = match &operation {
            Operation::Call(options, _) => options.bypasses || !core.function.is_enabled(),
            _ => false,
        };
        let given = match &operation {
            Operation::Call(options, Start::Undecided)
                if options.intent == Intent::Use && !bypasses =>
            {
                let tier = match S::HAS_FRONT {
                    true => Tier::Near,
                    false => Tier::Backend,
                };
                let hit = arguments.detailed_hit(instance);
                give(&core.function, tier, hit, options)
            }
            _ => None,
        };
        let keyed = (given.is_none() && !bypasses).then(|| arguments.key(instance));
        Prepared {
            core,
            operation,
            given,
            keyed,
        }
    }
}

/// What a call of the companion is given of a value at hand.
fn give<V>(
    function: &Function,
    tier: Tier,
    hit: Option<FrontHit<V>>,
    options: &CallOptions,
) -> Option<(Settled, V)> {
    let age = |hit: &FrontHit<V>| {
        Duration::from_nanos(function.world.clock.now().saturating_sub(hit.computed))
    };
    let hit = hit.filter(|hit| is_fresh(age(hit), None, options.max_age));
    if tier == Tier::Near
        && let Some(metrics) = function.metrics
    {
        metrics.near_lookup(match hit {
            Some(_) => NearResult::Hit,
            None => NearResult::Miss,
        });
    }
    let hit = hit?;
    let settled = Settled {
        outcome: Outcome::Hit,
        age: Some(age(&hit)),
        tier: Some(tier),
        compute_nanos: Some(hit.compute_nanos),
    };
    Some((settled, hit.value))
}

/// Carries out an operation of a synchronous function.
pub fn dispatch<T, Sh, F>(
    recipe: Recipe<Sh>,
    prepared: Prepared<T, Sh, F>,
    body: SyncBody<'_, T, Sh, F>,
) -> Reply<Sh::Return, Sh::Stored>
where
    T: Tiers,
    Sh: Shape,
    F: Form<Sh::Value, Kept = T::Value>,
{
    let core = prepared.core;
    let (session, way) = match prepared.open(Flavour::Sync, recipe.shape) {
        Opened::Call(session, way) => (session, way),
        Opened::Other(operation, keyed) => {
            let operated = operate(core, Flavour::Sync, recipe, operation, keyed);
            return block_on(operated);
        }
    };
    Reply::Call(match way {
        Way::Given(settled, value) => session.end(settled, value),
        Way::Bypass => {
            let computing = session.start_bypass();
            let value = run_now(body);
            let value = end_bypass(recipe.shape, computing, value);
            session.end(Settled::BYPASS, value)
        }
        Way::Driven(Keyed { key, form }) => {
            let mut work = SyncWork::new(Returned::new(recipe, form), body);
            let settled = T::drive_on_thread(core, &session, &key, &mut work);
            session.end(settled, work.returned.finish())
        }
    })
}

/// Carries out an operation of an asynchronous function.
pub async fn dispatch_async<T, Sh, F, B, N>(
    recipe: Recipe<Sh>,
    prepared: Prepared<T, Sh, F>,
    body: B,
) -> Reply<Sh::Return, Sh::Stored>
where
    T: Tiers,
    Sh: Shape,
    F: Form<Sh::Value, Kept = T::Value>,
    B: FnOnce(Mode) -> Step<N, Later<T, F>>,
    N: Future<Output = Sh::Return>,
{
    let core = prepared.core;
    let (session, way) = match prepared.open(Flavour::Async, recipe.shape) {
        Opened::Call(session, way) => (session, way),
        Opened::Other(operation, keyed) => {
            let operated = operate(core, Flavour::Async, recipe, operation, keyed);
            return Box::pin(operated).await;
        }
    };
    Reply::Call(match way {
        Way::Given(settled, value) => session.end(settled, value),
        Way::Bypass => {
            let computing = session.start_bypass();
            let value = Box::pin(run_now(body)).await;
            let value = end_bypass(recipe.shape, computing, value);
            session.end(Settled::BYPASS, value)
        }
        Way::Driven(Keyed { key, form }) => {
            let mut work = AsyncWork::new(Returned::new(recipe, form), body);
            let settled = run(core, &session, &key, &mut work).await;
            clean_up(core, &session);
            session.end(settled, work.returned.finish())
        }
    })
}

/// A call that bypasses the cache has run its function, which may have failed.
fn end_bypass<Sh: Shape>(
    shape: Sh,
    computing: Option<ComputeRecorder>,
    returned: Sh::Return,
) -> Sh::Return {
    let Some(computing) = computing else {
        return returned;
    };
    let (result, returned) = match shape.split(returned) {
        Ok(value) => (ComputeResult::Value, shape.join(value)),
        Err(other) => (ComputeResult::Error, other),
    };
    computing.finish(result);
    returned
}

/// A key, an error in making one, or none for a call that bypasses the cache.
pub(super) type MaybeKeyed<T, F> = Option<Result<Keyed<T, F>, Error>>;

/// An operation on its way.
enum Opened<T: Tiers, Sh: Shape, F> {
    Call(Session<'static>, Way<T, Sh, F>),
    Other(Operation<Sh::Stored>, MaybeKeyed<T, F>),
}

/// How a call comes to its result.
enum Way<T: Tiers, Sh: Shape, F> {
    /// It was found in memory.
    Given(Settled, Sh::Return),
    /// The function runs, and nothing else.
    Bypass,
    /// The driver knows.
    Driven(Keyed<T, F>),
}

impl<T: Tiers, Sh: Shape, F> Prepared<T, Sh, F> {
    /// Decides the way of a call, the same for both flavours.
    fn open(self, flavour: Flavour, shape: Sh) -> Opened<T, Sh, F> {
        let Operation::Call(options, start) = self.operation else {
            return Opened::Other(self.operation, self.keyed);
        };
        let session = Session::of_call(&self.core.function, flavour, options, start);
        let way = match (self.given, session.usable(self.keyed)) {
            (Some((settled, value)), _) => Way::Given(settled, shape.join(value)),
            (None, Some(keyed)) => Way::Driven(keyed),
            (None, None) => Way::Bypass,
        };
        Opened::Call(session, way)
    }
}
