//! Arguments that `next_time` takes to the background, owned there and lent to the function, and its future.
//!
//! The compiler is asked whether an argument can go, as in [`argument`](super::argument). One that cannot gets a stand-in
//! with which the rest compiles, so that a mistake is one error, at its type.

use std::borrow::Borrow;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;

use super::fit::{Answer, Fit, Unfit};

/// An argument by value.
pub struct ByValue<T: ?Sized>(AnyArgument<T>);

/// An argument behind a reference, of which the background has a clone.
pub struct ByReference<T: ?Sized>(AnyArgument<T>);

/// An argument of any type.
pub struct AnyArgument<T: ?Sized>(PhantomData<fn(*const T)>);

/// An argument by value.
pub fn value<T>(_: &T) -> ByValue<T> {
    ByValue(AnyArgument(PhantomData))
}

/// An argument behind a reference.
pub fn reference<T: ?Sized>(_: &T) -> ByReference<T> {
    ByReference(AnyArgument(PhantomData))
}

/// An argument behind a reference, if there is one.
pub fn optional_reference<T: ?Sized>(_: &Option<&T>) -> ByReference<T> {
    ByReference(AnyArgument(PhantomData))
}

impl<T: ?Sized> Deref for ByValue<T> {
    type Target = AnyArgument<T>;

    fn deref(&self) -> &AnyArgument<T> {
        &self.0
    }
}

impl<T: ?Sized> Deref for ByReference<T> {
    type Target = AnyArgument<T>;

    fn deref(&self) -> &AnyArgument<T> {
        &self.0
    }
}

impl<T: Send + 'static> ByValue<T> {
    pub fn in_thread(&self) -> Answer<T, Fit, Goes> {
        Answer::new(Goes)
    }

    pub fn in_task(&self) -> Answer<T, Fit, Goes> {
        Answer::new(Goes)
    }
}

impl<T: ToOwned<Owned: Send + 'static> + ?Sized> ByReference<T> {
    pub fn in_thread(&self) -> Answer<T, Fit, Goes> {
        Answer::new(Goes)
    }
}

/// A task borrows in whichever thread it runs.
impl<T: ToOwned<Owned: Send + Sync + 'static> + Sync + ?Sized> ByReference<T> {
    pub fn in_task(&self) -> Answer<T, Fit, Goes> {
        Answer::new(Goes)
    }
}

impl<T: ?Sized> AnyArgument<T> {
    pub fn in_thread(&self) -> Answer<T, Unfit, Stays> {
        Answer::new(Stays)
    }

    pub fn in_task(&self) -> Answer<T, Unfit, Stays> {
        Answer::new(Stays)
    }
}

/// Makes the argument ready to go.
#[derive(Clone, Copy)]
pub struct Goes;

impl Goes {
    pub fn value<T>(self, argument: T) -> Value<T> {
        Value(argument)
    }

    pub fn reference<T: ToOwned + ?Sized>(self, argument: &T) -> Reference<T> {
        Reference(argument.to_owned())
    }

    pub fn optional_reference<T>(self, argument: Option<&T>) -> OptionalReference<T>
    where
        T: ToOwned + ?Sized,
    {
        OptionalReference(argument.map(T::to_owned))
    }
}

/// An argument by value.
pub struct Value<T>(T);

/// The clone of an argument.
pub struct Reference<T: ToOwned + ?Sized>(T::Owned);

/// The clone of an argument, if there is one.
pub struct OptionalReference<T: ToOwned + ?Sized>(Option<T::Owned>);

impl<T> Value<T> {
    pub fn give(self) -> T {
        self.0
    }
}

impl<T: ToOwned + ?Sized> Reference<T> {
    pub fn lend(&self) -> &T {
        self.0.borrow()
    }
}

impl<T: ToOwned + ?Sized> OptionalReference<T> {
    pub fn lend_if_any(&self) -> Option<&T> {
        self.0.as_ref().map(Borrow::borrow)
    }
}

/// Stands in for an argument that cannot go, which is an error elsewhere.
#[derive(Clone, Copy)]
pub struct Stays;

impl Stays {
    pub fn value<T>(self, _: T) -> Missing<T> {
        Missing(PhantomData)
    }

    pub fn reference<T: ?Sized>(self, _: &T) -> Missing<T> {
        Missing(PhantomData)
    }

    pub fn optional_reference<T: ?Sized>(self, _: Option<&T>) -> Missing<T> {
        Missing(PhantomData)
    }
}

/// Stands in for an argument there. What has one does not compile, so it never runs.
pub struct Missing<T: ?Sized>(PhantomData<fn(*const T)>);

impl<T: ?Sized> Missing<T> {
    pub fn give(self) -> T
    where
        T: Sized,
    {
        unreachable!("{MISSING}")
    }

    pub fn lend(&self) -> &T {
        unreachable!("{MISSING}")
    }

    pub fn lend_if_any(&self) -> Option<&T> {
        unreachable!("{MISSING}")
    }
}

const MISSING: &str = "what has this argument does not compile";

/// The argument of a function with `next_time` as the background has it.
#[doc(hidden)]
#[macro_export]
macro_rules! __owned {
    (value $probe:expr, $argument:ident) => {
        $crate::__private::ArgumentInBackground::checked($probe).value($argument)
    };
    ($how:ident $probe:expr, $argument:ident) => {
        $crate::__private::ReferenceInBackground::checked($probe).$how($argument)
    };
}

/// The future of a function with `next_time`, which a task in the background runs: whatever threads it is on there, so what it
/// keeps across an `.await` is `Send`.
///
/// ```
/// use std::rc::Rc;
/// use cachier::cachier;
///
/// #[cachier(backend = "memory", stale_after = "1m", next_time)]
/// async fn user(id: u64) -> u64 {
///     // An `Rc` is gone before the first `.await`, or else it is an `Arc`.
///     let id = *Rc::new(id);
///     std::future::ready(id).await
/// }
/// # drop(user(1));
/// ```
pub fn in_background<'f, F: Future + Send + 'f>(future: F) -> SentFuture<'f, F::Output> {
    Box::pin(future)
}

/// The future of an operation of an async method's companion, which can go to other threads. So what the method keeps across an
/// `.await` is `Send`, or it has no companion.
///
/// ```
/// use std::rc::Rc;
/// use cachier::cachier;
///
/// struct Shop;
///
/// impl Shop {
///     #[cachier(backend = "memory", skip(self), companion = false)]
///     async fn price(&self, item: u64) -> u64 {
///         let item = Rc::new(item);
///         std::future::ready(()).await;
///         *item * 10
///     }
/// }
/// # drop(Shop.price(1));
/// ```
pub fn in_companion<'f, F: Future + Send + 'f>(future: F) -> SentFuture<'f, F::Output> {
    Box::pin(future)
}

/// A future that can go to other threads.
type SentFuture<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;
