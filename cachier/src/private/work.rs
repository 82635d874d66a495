//! One call's function body and its result, as the driver is shown them.

use std::future::Future;

use cachier_backends::{Error, ErrorKind, Operation};

use super::form::Form;
use super::recipe::Recipe;
use super::shape::Shape;
use crate::background::{Crew, run_as_task, run_on_thread};
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

/// What to do with the function: run it for this call, or keep it for the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Now,
    Later,
}

/// What became of the function: `N` is its result (or the future of it), or it waits for the background.
pub enum Step<N, L> {
    Now(N),
    Later(L),
}

/// A function that waits for the background.
///
/// A type of its own: the compiler loses its way in a naked box when it proves that a future can be sent.
pub struct Later<T: Store, F>(Box<dyn FnOnce(RefreshRequest<T>, F) + Send>);

impl<S: Shape + Send + 'static> Recipe<S> {
    /// Keeps a synchronous function for a background thread.
    pub fn in_thread<T, F>(self, body: impl FnOnce() -> S::Return + Send + 'static) -> Later<T, F>
    where
        T: DriveBlocking,
        F: Form<S::Value, Kept = T::Value>,
    {
        Later(Box::new(move |request: RefreshRequest<T>, form| {
            let context = request.core().function.context;
            run_on_thread(context, Crew::Functions, move || {
                let mut body = Some(body);
                let mut run = |_| Step::Now(once(&mut body)());
                let mut work =
                    SyncCall::<T, _, _>::new(ResultSlot::new(self, Some(form), None), &mut run);
                refresh_blocking(request, &mut work);
            });
        }))
    }

    /// Keeps an asynchronous function for a background task.
    pub fn in_task<T, F, B>(self, body: B) -> Later<T, F>
    where
        T: Store,
        F: Form<S::Value, Kept = T::Value>,
        B: Future<Output = S::Return> + Send + 'static,
        S::Return: Send,
        S::Value: Send,
    {
        Later(Box::new(move |request: RefreshRequest<T>, form| {
            let function = &request.core().function;
            let run = |_| Step::<B, Later<T, F>>::Now(body);
            let work = AsyncCall::<T, _, _, _>::new(ResultSlot::new(self, Some(form), None), run);
            run_as_task(function, refresh(request, work));
        }))
    }
}

/// The result of one call, whether served or computed.
pub(crate) struct ResultSlot<S: Shape, F> {
    recipe: Recipe<S>,
    /// `None` for a call without a key, which neither loads nor stores.
    form: Option<F>,
    value: Option<S::Value>,
    /// A result that is never stored: an error. Set alone.
    other: Option<S::Return>,
}

impl<S: Shape, F> ResultSlot<S, F> {
    pub(crate) fn new(recipe: Recipe<S>, form: Option<F>, value: Option<S::Value>) -> Self {
        Self {
            recipe,
            form,
            value,
            other: None,
        }
    }

    /// The result, which there is once the driver has come to an end.
    pub(crate) fn finish(self) -> S::Return {
        match (self.value, self.other) {
            (Some(value), _) => self.recipe.shape.join(value),
            (None, Some(other)) => other,
            (None, None) => unreachable!("the driver ends with a result"),
        }
    }

    /// What users read of the value.
    pub(crate) fn show(self) -> Option<S::Stored> {
        self.recipe.shape.show(self.value?)
    }

    fn form(&self) -> &F {
        match &self.form {
            Some(form) => form,
            None => unreachable!("values are loaded and stored under a key"),
        }
    }

    #[inline(never)]
    fn computed(&mut self, returned: S::Return, cacheable: Cacheable) -> ResultKind {
        match self.recipe.shape.split(returned) {
            Ok(value) => {
                let storable = self.is_storable(&value, cacheable);
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
        match self.recipe.shape.judged(value) {
            Some(stored) => self.recipe.cache_if.is_none_or(|cache_if| cache_if(stored)),
            None => cacheable == Cacheable::ValuesAndNone,
        }
    }
}

impl<S: Shape, F: Form<S::Value>> Slot<F::Kept> for ResultSlot<S, F> {
    fn serve(&mut self, found: Found<F::Kept>) -> Result<(), Error> {
        self.value = Some(self.form().take(found)?);
        self.other = None;
        Ok(())
    }

    fn kept(&self, stamp: Stamp, size: WantSize) -> Result<Found<F::Kept>, Error> {
        let value = self.value.as_ref().ok_or_else(nothing_to_keep)?;
        self.form().give(value, stamp, size, self.recipe.measure)
    }

    fn comes_back(&self, found: &Found<F::Kept>) -> Result<(), Finding> {
        let (Some(comes_back), Some(value)) = (self.recipe.comes_back, &self.value) else {
            return Ok(());
        };
        match self.form().take(found.clone()) {
            Ok(back) if comes_back(value, &back) => Ok(()),
            Ok(_) => Err(Finding::Altered),
            Err(error) => Err(Finding::Lost(error)),
        }
    }

    fn stored(&mut self, stamp: Stamp) {
        if let Some(value) = &self.value {
            self.form().stored(value, stamp);
        }
    }

    fn share_error(&self) -> Option<SharedError> {
        self.recipe.shape.share_error(self.other.as_ref()?)
    }

    fn serve_error(&mut self, error: &SharedError) -> Served {
        self.other = self.recipe.shape.join_error(error);
        if self.other.is_some() {
            Served::Yes
        } else {
            Served::No
        }
    }

    fn propagate(&mut self, error: &Error) -> Served {
        self.other = self
            .recipe
            .propagate
            .map(|propagate| propagate(error.clone()));
        if self.other.is_some() {
            Served::Yes
        } else {
            Served::No
        }
    }

    fn invalidated(&self) {
        if let Some(form) = &self.form {
            form.invalidated();
        }
    }
}

/// A synchronous function, called at most once. Its type is forgotten, so that all functions with the same types of key
/// and value share one body of code.
pub type SyncBody<'b, T, S, F> = &'b mut dyn FnMut(Mode) -> Step<<S as Shape>::Return, Later<T, F>>;

/// A synchronous function and its result.
pub(crate) struct SyncCall<'b, T: Store, S: Shape, F> {
    pub(crate) returned: ResultSlot<S, F>,
    body: Option<SyncBody<'b, T, S, F>>,
}

impl<'b, T: Store, S: Shape, F> SyncCall<'b, T, S, F> {
    pub(crate) fn new(returned: ResultSlot<S, F>, body: SyncBody<'b, T, S, F>) -> Self {
        Self {
            returned,
            body: Some(body),
        }
    }
}

impl<T, S, F> Work<T> for SyncCall<'_, T, S, F>
where
    T: Store,
    S: Shape,
    F: Form<S::Value, Kept = T::Value>,
{
    fn slot(&mut self) -> &mut dyn Slot<T::Value> {
        &mut self.returned
    }

    fn defer(&mut self) -> Option<RefreshSpawner<T>> {
        defer(&mut self.body, self.returned.form())
    }
}

impl<T, S, F> SyncWork<T> for SyncCall<'_, T, S, F>
where
    T: Store,
    S: Shape,
    F: Form<S::Value, Kept = T::Value>,
{
    fn run(&mut self, cacheable: Cacheable) -> ResultKind {
        // Not in a function of its own, whose frame would be there in each level of a recursion.
        match once(&mut self.body)(Mode::Now) {
            Step::Now(returned) => self.returned.computed(returned, cacheable),
            Step::Later(_) => unreachable!("a function that is told to run now runs now"),
        }
    }
}

/// An asynchronous function and its result.
pub(crate) struct AsyncCall<T, S: Shape, F, B> {
    pub(crate) returned: ResultSlot<S, F>,
    body: Option<B>,
    store: std::marker::PhantomData<fn() -> T>,
}

impl<T, S: Shape, F, B> AsyncCall<T, S, F, B> {
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
    S: Shape,
    F: Form<S::Value, Kept = T::Value>,
    B: FnOnce(Mode) -> Step<N, Later<T, F>>,
{
    fn slot(&mut self) -> &mut dyn Slot<T::Value> {
        &mut self.returned
    }

    fn defer(&mut self) -> Option<RefreshSpawner<T>> {
        defer(&mut self.body, self.returned.form())
    }
}

impl<T, S, F, B, N> AsyncWork<T, N> for AsyncCall<T, S, F, B>
where
    T: Store,
    S: Shape,
    F: Form<S::Value, Kept = T::Value>,
    B: FnOnce(Mode) -> Step<N, Later<T, F>>,
    N: Future<Output = S::Return>,
{
    fn begin(&mut self, _: Cacheable) -> N {
        match once(&mut self.body)(Mode::Now) {
            Step::Now(future) => future,
            Step::Later(_) => unreachable!("a function that is told to run now runs now"),
        }
    }

    fn end(&mut self, returned: S::Return, cacheable: Cacheable) -> ResultKind {
        self.returned.computed(returned, cacheable)
    }
}

/// What a call gives to its function, which it does once.
pub fn once<T>(given: &mut Option<T>) -> T {
    match given.take() {
        Some(given) => given,
        None => unreachable!("a call runs its function once"),
    }
}

/// Calls what is over before the function runs, in a frame that is gone by then: it takes no stack of a recursion.
#[inline(never)]
pub fn in_own_frame<R>(prepare: impl FnOnce() -> R) -> R {
    prepare()
}

/// Calls a function that holds what it is given.
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
fn defer<T, F, B, N>(body: &mut Option<B>, form: &F) -> Option<RefreshSpawner<T>>
where
    T: Store,
    F: Clone + Send + 'static,
    B: FnOnce(Mode) -> Step<N, Later<T, F>>,
{
    match body.take()?(Mode::Later) {
        Step::Later(later) => {
            let form = form.clone();
            Some(Box::new(move |request| (later.0)(request, form)))
        }
        Step::Now(_) => None,
    }
}
