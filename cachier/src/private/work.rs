//! A call's function body and its result, as the driver uses them.

use std::future::Future;

use cachier_backends::entry::AgeLimit;
use cachier_backends::{Error, ErrorKind, Operation};

use super::return_type::ReturnType;
use super::value_codec::ValueCodec;
use super::value_spec::ValueSpec;
use crate::background::{WorkerPool, run_as_task, run_on_thread};
use crate::decision::ResultKind;
use crate::driver::{
    AsyncWork, Cacheable, DriveBlocking, RefreshRequest, RefreshSpawner, Served, Slot, SyncWork,
    Work, refresh, refresh_blocking,
};
use crate::flight::SharedError;
use crate::options::WantSize;
use crate::stamp::Stamp;
use crate::storage::{Found, Store};
use crate::verification::Finding;

/// Whether to run the function for this call or in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    Now,
    Later,
}

/// An invoked function: its result, or the future of it, or the function deferred to the background.
pub enum Invocation<N, L> {
    Now(N),
    Later(L),
}

/// A function deferred to the background.
///
/// A type of its own: the compiler cannot prove that a future holding a plain box is `Send`.
pub struct Deferred<T: Store, F>(Box<dyn FnOnce(RefreshRequest<T>, F) + Send>);

impl<S: ReturnType + Send + 'static> ValueSpec<S> {
    /// Defers a sync function to a background thread.
    pub fn in_thread<T, F>(
        self,
        body: impl FnOnce() -> S::Return + Send + 'static,
    ) -> Deferred<T, F>
    where
        T: DriveBlocking,
        F: ValueCodec<S::Value, Encoded = T::Value>,
    {
        Deferred(Box::new(move |request: RefreshRequest<T>, codec| {
            let context = request.core().function.context;
            run_on_thread(context, WorkerPool::Functions, move || {
                let mut body = Some(body);
                let mut run = |_| Invocation::Now(take_once(&mut body)());
                let mut work = SyncCall::<T, _, _>::from(ResultSlot::new(self, Some(codec), None));
                work.body = Some(&mut run);
                refresh_blocking(request, &mut work);
            });
        }))
    }

    /// Defers an async function to a background task.
    pub fn in_task<T, F, B>(self, body: B) -> Deferred<T, F>
    where
        T: Store,
        F: ValueCodec<S::Value, Encoded = T::Value>,
        B: Future<Output = S::Return> + Send + 'static,
        S::Return: Send,
        S::Value: Send,
    {
        Deferred(Box::new(move |request: RefreshRequest<T>, codec| {
            let function = &request.core().function;
            let run = |_| Invocation::<B, Deferred<T, F>>::Now(body);
            let work = AsyncCall::<T, _, _, _>::new(ResultSlot::new(self, Some(codec), None), run);
            run_as_task(function, refresh(request, work));
        }))
    }
}

/// The result of one call, served or computed.
pub struct ResultSlot<S: ReturnType, F> {
    spec: ValueSpec<S>,
    /// `None` for a call without a key, which neither loads nor stores.
    codec: Option<F>,
    value: Option<S::Value>,
    /// The age limit that the computed value has of its own.
    age_limit: Option<AgeLimit>,
    /// A result that is never stored: an error. Set alone.
    other: Option<S::Return>,
}

impl<S: ReturnType, F> ResultSlot<S, F> {
    pub(crate) fn new(spec: ValueSpec<S>, codec: Option<F>, value: Option<S::Value>) -> Self {
        Self {
            spec,
            codec,
            value,
            age_limit: None,
            other: None,
        }
    }

    /// The slot with what a user stores by hand.
    pub(crate) fn with_stored(self, stored: S::Stored) -> Self {
        let value = self.spec.return_type.wrap_stored(stored);
        Self {
            age_limit: self.spec.age_limit_of(&value),
            value: Some(value),
            ..self
        }
    }

    /// The result, once the driver is done.
    pub(crate) fn finish(&mut self) -> S::Return {
        match (self.value.take(), self.other.take()) {
            (Some(value), _) => self.spec.return_type.join(value),
            (None, Some(other)) => other,
            (None, None) => unreachable!("the driver ends with a result"),
        }
    }

    /// The value as users read it.
    pub(crate) fn take_stored(&mut self) -> Option<S::Stored> {
        self.spec.return_type.unwrap_stored(self.value.take()?)
    }

    fn codec(&self) -> &F {
        match &self.codec {
            Some(codec) => codec,
            None => unreachable!("values are loaded and stored under a key"),
        }
    }

    #[inline(never)]
    fn computed(&mut self, returned: S::Return, cacheable: Cacheable) -> ResultKind {
        match self.spec.return_type.split(returned) {
            Ok(value) => {
                let storable = self.is_storable(&value, cacheable);
                if storable {
                    self.age_limit = self.spec.age_limit_of(&value);
                }
                self.value = Some(value);
                if storable {
                    ResultKind::Storable
                } else {
                    ResultKind::Unstorable
                }
            }
            Err(other) => {
                self.other = Some(other);
                ResultKind::Failed
            }
        }
    }

    fn is_storable(&self, value: &S::Value, cacheable: Cacheable) -> bool {
        if cacheable == Cacheable::Nothing {
            return false;
        }
        match self.spec.return_type.stored_ref(value) {
            Some(stored) => self.spec.cache_if.is_none_or(|cache_if| cache_if(stored)),
            None => cacheable == Cacheable::ValuesAndNone,
        }
    }
}

impl<S: ReturnType, F: ValueCodec<S::Value>> Slot<F::Encoded> for ResultSlot<S, F> {
    fn serve(&mut self, found: Found<F::Encoded>) -> Result<(), Error> {
        self.value = Some(self.codec().decode(found)?);
        self.other = None;
        Ok(())
    }

    fn encode(&self, stamp: Stamp, size: WantSize) -> Result<Found<F::Encoded>, Error> {
        let value = self.value.as_ref().ok_or_else(nothing_to_keep)?;
        self.codec().encode(value, stamp, size, self.spec.measure)
    }

    fn age_limit(&self) -> Option<AgeLimit> {
        self.age_limit
    }

    fn round_trips(&self, found: &Found<F::Encoded>) -> Result<(), Finding> {
        let (Some(round_trips), Some(value)) = (self.spec.round_trips, &self.value) else {
            return Ok(());
        };
        match self.codec().decode(found.clone()) {
            Ok(back) if round_trips(value, &back) => Ok(()),
            Ok(_) => Err(Finding::Altered),
            Err(error) => Err(Finding::Lost(error)),
        }
    }

    fn loaded(&mut self, stamp: Stamp, rests_until: Option<u64>) {
        if let Some(value) = &self.value {
            self.codec().loaded(value, stamp, rests_until);
        }
    }

    fn stored(&mut self, stamp: Stamp) {
        if let Some(value) = &self.value {
            self.codec().stored(value, stamp);
        }
    }

    fn share_error(&self) -> Option<SharedError> {
        self.spec.return_type.share_error(self.other.as_ref()?)
    }

    fn serve_error(&mut self, error: &SharedError) -> Served {
        self.other = self.spec.return_type.join_error(error);
        if self.other.is_some() {
            Served::Yes
        } else {
            Served::No
        }
    }

    fn propagate(&mut self, error: &Error) -> Served {
        self.other = self
            .spec
            .propagate
            .map(|propagate| propagate(error.clone()));
        if self.other.is_some() {
            Served::Yes
        } else {
            Served::No
        }
    }

    fn invalidated(&self) {
        if let Some(codec) = &self.codec {
            codec.invalidated();
        }
    }
}

/// A sync function, called at most once. Type-erased, so that functions with the same types of key and value share their
/// code.
pub type SyncBody<'b, T, S, F> =
    &'b mut dyn FnMut(RunMode) -> Invocation<<S as ReturnType>::Return, Deferred<T, F>>;

/// A sync function and its result.
pub struct SyncCall<'b, T: Store, S: ReturnType, F> {
    pub(super) returned: ResultSlot<S, F>,
    /// Set before it is driven.
    pub(super) body: Option<SyncBody<'b, T, S, F>>,
}

/// The call of a function that is not known yet.
impl<T: Store, S: ReturnType, F> From<ResultSlot<S, F>> for SyncCall<'_, T, S, F> {
    fn from(returned: ResultSlot<S, F>) -> Self {
        let body = None;
        Self { returned, body }
    }
}

impl<T, S, F> Work<T> for SyncCall<'_, T, S, F>
where
    T: Store,
    S: ReturnType,
    F: ValueCodec<S::Value, Encoded = T::Value>,
{
    fn slot(&mut self) -> &mut dyn Slot<T::Value> {
        &mut self.returned
    }

    fn defer(&mut self) -> Option<RefreshSpawner<T>> {
        defer(&mut self.body, self.returned.codec())
    }
}

impl<T, S, F> SyncWork<T> for SyncCall<'_, T, S, F>
where
    T: Store,
    S: ReturnType,
    F: ValueCodec<S::Value, Encoded = T::Value>,
{
    fn run(&mut self, cacheable: Cacheable) -> ResultKind {
        // Inlined here: a function of its own would add a frame to each level of a recursion.
        match take_once(&mut self.body)(RunMode::Now) {
            Invocation::Now(returned) => self.returned.computed(returned, cacheable),
            Invocation::Later(_) => unreachable!("`RunMode::Now` runs the function"),
        }
    }
}

/// An async function and its result.
pub(crate) struct AsyncCall<T, S: ReturnType, F, B> {
    pub(crate) returned: ResultSlot<S, F>,
    body: Option<B>,
    store: std::marker::PhantomData<fn() -> T>,
}

impl<T, S: ReturnType, F, B> AsyncCall<T, S, F, B> {
    pub(crate) fn new(returned: ResultSlot<S, F>, body: B) -> Self {
        Self {
            returned,
            body: Some(body),
            store: std::marker::PhantomData,
        }
    }
}

impl<T, S, F, B, N> Work<T> for AsyncCall<T, S, F, B>
where
    T: Store,
    S: ReturnType,
    F: ValueCodec<S::Value, Encoded = T::Value>,
    B: FnOnce(RunMode) -> Invocation<N, Deferred<T, F>>,
{
    fn slot(&mut self) -> &mut dyn Slot<T::Value> {
        &mut self.returned
    }

    fn defer(&mut self) -> Option<RefreshSpawner<T>> {
        defer(&mut self.body, self.returned.codec())
    }
}

impl<T, S, F, B, N> AsyncWork<T, N> for AsyncCall<T, S, F, B>
where
    T: Store,
    S: ReturnType,
    F: ValueCodec<S::Value, Encoded = T::Value>,
    B: FnOnce(RunMode) -> Invocation<N, Deferred<T, F>>,
    N: Future<Output = S::Return>,
{
    fn begin(&mut self, _: Cacheable) -> N {
        match take_once(&mut self.body)(RunMode::Now) {
            Invocation::Now(future) => future,
            Invocation::Later(_) => unreachable!("`RunMode::Now` runs the function"),
        }
    }

    fn end(&mut self, returned: S::Return, cacheable: Cacheable) -> ResultKind {
        self.returned.computed(returned, cacheable)
    }
}

/// Takes what a call passes to its function, once.
pub fn take_once<T>(captured: &mut Option<T>) -> T {
    match captured.take() {
        Some(captured) => captured,
        None => unreachable!("a call runs its function once"),
    }
}

/// Calls what is over before the function runs, in a frame that is gone by then, to save stack in recursions.
#[inline(never)]
pub fn in_own_frame<R>(prepare: impl FnOnce() -> R) -> R {
    prepare()
}

/// Calls a function with its captures.
pub fn call_once<R>(function: impl FnOnce() -> R) -> R {
    function()
}

fn nothing_to_keep() -> Error {
    Error::new(
        ErrorKind::Codec,
        Operation::Store,
        "an error has no value to store",
    )
}

/// Takes the function out of its call, if the attribute allows it to run in the background.
fn defer<T, F, B, N>(body: &mut Option<B>, codec: &F) -> Option<RefreshSpawner<T>>
where
    T: Store,
    F: Clone + Send + 'static,
    B: FnOnce(RunMode) -> Invocation<N, Deferred<T, F>>,
{
    match body.take()?(RunMode::Later) {
        Invocation::Later(later) => {
            let codec = codec.clone();
            Some(Box::new(move |request| (later.0)(request, codec)))
        }
        Invocation::Now(_) => None,
    }
}
