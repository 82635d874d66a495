//! Dispatches calls from their site to the driver, and results back.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use cachier_backends::Error;
use cachier_metrics::{NearResult, Outcome, Sampled, Tier};

use super::arguments::{Arguments, DetailedHit};
use super::instance::StoreKind;
use super::return_type::ReturnType;
use super::site::Site;
use super::value_codec::ValueCodec;
use super::value_spec::ValueSpec;
use super::work::{AsyncCall, Deferred, Invocation, ResultSlot, RunMode, SyncBody, SyncCall};
use crate::call::{Call, CallMode, CallOptions, Completion};
use crate::decision::is_fresh;
use crate::driver::{
    BlockingDriver, DriveBlocking, EntryOperation, PreparedRequest, Request, Response, TaskDriver,
    Work, drive,
};
use crate::function::Function;
use crate::session::CallStart;
use crate::stamp::Stamp;
use crate::storage::Store;

/// A request of a function or its companion, with its types.
///
/// Two words, which are passed in registers to save stack.
pub enum TypedRequest<Stored> {
    /// A call of the function that missed the fast path: how many calls it stands for, if it is sampled.
    First(Option<Sampled>),
    /// The same for a function whose cache is disabled: not decided yet.
    FirstUndecided,
    /// A call of the companion.
    Call(Box<CallOptions>),
    /// Forgets one entry.
    Invalidate,
    /// Reads one entry.
    Peek,
    /// Stores one entry.
    Precache(Box<Stored>),
}

impl<Stored> TypedRequest<Stored> {
    /// A call of the function that missed the fast path.
    #[inline]
    pub fn first(start: CallStart) -> Self {
        match start {
            CallStart::Decided(sampled) => Self::First(sampled),
            CallStart::Undecided => Self::FirstUndecided,
        }
    }

    /// A call of the companion.
    pub fn with(options: CallOptions) -> Self {
        Self::Call(Box::new(options))
    }

    /// A value for the companion to store.
    pub fn precache(stored: Stored) -> Self {
        Self::Precache(Box::new(stored))
    }

    /// The untyped request, and its value.
    fn into_parts(self) -> (Request, Option<Stored>) {
        match self {
            Self::First(sampled) => (
                Request::Call(CallOptions::new(), CallStart::Decided(sampled)),
                None,
            ),
            Self::FirstUndecided => (
                Request::Call(CallOptions::new(), CallStart::Undecided),
                None,
            ),
            Self::Call(options) => (Request::Call(*options, CallStart::Undecided), None),
            Self::Invalidate => (Request::Entry(EntryOperation::Invalidate), None),
            Self::Peek => (Request::Entry(EntryOperation::Peek), None),
            Self::Precache(stored) => (Request::Entry(EntryOperation::Precache), Some(*stored)),
        }
    }
}

/// The response to a [`TypedRequest`].
pub enum TypedResponse<R, Stored> {
    Call(R, Box<Call<()>>),
    /// The same where nobody asked for details.
    Value(R),
    /// Boxed to keep a call's response small.
    Entry(Box<EntryResponse<Stored>>),
}

/// Drops what an ordinary call does not return. Not inlined, so that no function has a copy of it.
#[inline(never)]
fn drop_call(_: Box<Call<()>>) {}

/// The response to an operation on one entry, variant by variant.
pub enum EntryResponse<Stored> {
    Invalidated(Result<bool, Error>),
    Peeked(Result<Option<Stored>, Error>),
    Precached(Result<(), Error>),
}

impl<R, Stored> TypedResponse<R, Stored> {
    /// The value of an ordinary call.
    pub fn value(self) -> R {
        match self {
            Self::Call(value, call) => {
                drop_call(call);
                value
            }
            Self::Value(value) => value,
            Self::Entry(_) => unreachable!("a response has the variant of its request"),
        }
    }

    /// The call with its value.
    pub fn call(self) -> Call<R> {
        match self {
            Self::Call(value, call) => call.with(value),
            Self::Value(_) | Self::Entry(_) => {
                unreachable!("a response has the variant of its request")
            }
        }
    }
}

/// A response always has the variant of its request.
macro_rules! responses {
    ($($name:ident: $variant:ident => $content:ty;)*) => {
        impl<R, Stored> TypedResponse<R, Stored> {
            $(
                pub fn $name(self) -> $content {
                    if let Self::Entry(reply) = self
                        && let EntryResponse::$variant(content) = *reply
                    {
                        return content;
                    }
                    unreachable!("a response has the variant of its request")
                }
            )*
        }
    };
}

responses! {
    invalidated: Invalidated => Result<bool, Error>;
    peeked: Peeked => Result<Option<Stored>, Error>;
    precached: Precached => Result<(), Error>;
}

/// A request with what it needs of the arguments, before those go to the function.
///
/// Boxed, so that it takes no room on the stack while the function runs. The arguments' types are erased here: functions
/// with one return type share their code. Driver and work are those of a sync function, or those of an async one, whose future
/// goes to other threads.
pub struct Prepared<D, W> {
    driver: D,
    /// With the value to store, or the value at hand for a call of the companion; other calls have looked already.
    work: W,
}

impl<S: StoreKind> Site<S> {
    /// Takes what the request needs of the arguments.
    ///
    /// Not inlined: functions with the same types share it.
    #[inline(never)]
    pub fn prepare<Sh: ReturnType, A, D, W>(
        &'static self,
        spec: ValueSpec<Sh>,
        operation: TypedRequest<Sh::Stored>,
        arguments: &A,
    ) -> Box<Prepared<D, W>>
    where
        A: Arguments<Sh, StoreKind = S>,
        D: From<PreparedRequest<S::Store>>,
        W: From<ResultSlot<Sh, A::Codec>>,
    {
        let instance = self.instance();
        let function = &instance.core.function;
        let (request, stored) = operation.into_parts();
        let mut value = None;
        let ready = request.immediate_max_age(function).and_then(|max_age| {
            let hit = arguments.detailed_hit(instance);
            let ready = ready_at_hand(
                function,
                S::TIER,
                hit.as_ref().map(DetailedHit::stamp),
                max_age,
            );
            value = hit.filter(|_| ready.is_some()).map(|hit| hit.value);
            ready
        });
        let needs_key = ready.is_none() && !request.bypasses(function);
        let key = needs_key.then(|| {
            let key = arguments.key()?;
            if request.relies_on_entry() {
                arguments.verify(instance, &key)?;
            }
            Ok(key)
        });
        let codec = match &key {
            Some(Ok(key)) => Some(arguments.codec(instance, key)),
            _ => None,
        };
        let prepared = PreparedRequest {
            core: &instance.core,
            request,
            ready,
            key,
        };
        let slot = ResultSlot::new(spec, codec, value);
        let slot = match stored {
            Some(stored) => slot.with_stored(stored),
            None => slot,
        };
        Box::new(Prepared {
            driver: prepared.into(),
            work: slot.into(),
        })
    }
}

/// The completion of a companion's call with a value at hand.
fn ready_at_hand(
    function: &Function,
    tier: Tier,
    stamp: Option<Stamp>,
    max_age: Option<Duration>,
) -> Option<Completion> {
    let now = function.context.clock.now();
    let age = |stamp: &Stamp| Duration::from_nanos(now.saturating_sub(stamp.created));
    // It is at hand because it is within its age limit.
    let stamp = stamp.filter(|stamp| is_fresh(age(stamp), None, max_age));
    if tier == Tier::Near
        && let Some(metrics) = function.metrics
    {
        metrics.near_lookup(match stamp {
            Some(_) => NearResult::Hit,
            None => NearResult::Miss,
        });
    }
    stamp.map(|stamp| Completion {
        outcome: Outcome::Hit,
        age: Some(age(&stamp)),
        tier: Some(tier),
        compute_nanos: Some(stamp.compute_nanos),
    })
}

/// Dispatches a request of a sync function.
///
/// Not inlined: functions with the same types share it, and a recursion keeps only what it needs on the stack.
#[inline(never)]
pub fn dispatch<'b, T, Sh, F>(
    mut prepared: Box<Prepared<BlockingDriver<T>, SyncCall<'b, T, Sh, F>>>,
    body: SyncBody<'b, T, Sh, F>,
) -> TypedResponse<Sh::Return, Sh::Stored>
where
    T: DriveBlocking,
    Sh: ReturnType,
    F: ValueCodec<Sh::Value, Encoded = T::Value>,
{
    prepared.work.body = Some(body);
    let Prepared { driver, work } = &mut *prepared;
    driver.finish(work);
    respond(prepared)
}

/// Not inlined, so that its frame is not there while the function runs.
#[inline(never)]
#[expect(clippy::boxed_local, reason = "so it takes no stack of a recursion")]
fn respond<T: Store, Sh: ReturnType, F>(
    mut prepared: Box<Prepared<BlockingDriver<T>, SyncCall<'_, T, Sh, F>>>,
) -> TypedResponse<Sh::Return, Sh::Stored> {
    let response = prepared.driver.response();
    prepared.work.returned.respond(response)
}

/// Dispatches a request of an async function.
///
/// The arguments are consumed before the future is made, which keeps it small: the call begins here, and the future must be
/// awaited at once. Boxed to keep a hit's future small: it is made and moved for each call. Not inlined, so that the box is made
/// in a frame that is gone when the function runs.
#[inline(never)]
#[expect(clippy::boxed_local, reason = "so no future has it in it")]
pub fn dispatch_async<T, Sh, F, B, N>(
    prepared: Box<Prepared<TaskDriver<T>, ResultSlot<Sh, F>>>,
    body: B,
) -> Pin<Box<impl Future<Output = TypedResponse<Sh::Return, Sh::Stored>>>>
where
    T: Store,
    Sh: ReturnType,
    F: ValueCodec<Sh::Value, Encoded = T::Value>,
    B: FnOnce(RunMode) -> Invocation<N, Deferred<T, F>>,
    N: Future<Output = Sh::Return>,
{
    let Prepared { driver, work } = *prepared;
    let (TaskDriver(mut driver), mut work) = (driver, AsyncCall::new(work, body));
    driver.open(CallMode::Async, work.slot());
    Box::pin(async move {
        let response = drive(&mut driver, &mut work).await;
        work.returned.respond(response)
    })
}

impl<Sh: ReturnType, F> ResultSlot<Sh, F> {
    /// The typed response, once.
    ///
    /// Not inlined, and by reference: what it needs of the stack is not there while the function runs.
    #[inline(never)]
    fn respond(&mut self, response: Response) -> TypedResponse<Sh::Return, Sh::Stored> {
        let reply = match response {
            Response::Call(call) => return TypedResponse::Call(self.finish(), call),
            Response::Value => return TypedResponse::Value(self.finish()),
            Response::Invalidated(removed) => EntryResponse::Invalidated(removed),
            Response::Peeked(found) => EntryResponse::Peeked(found.map(|_| self.take_stored())),
            Response::Precached(stored) => EntryResponse::Precached(stored),
        };
        TypedResponse::Entry(Box::new(reply))
    }
}
