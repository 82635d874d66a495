//! Companions of methods, which cannot have an enum of their name next to them.

use std::path::PathBuf;
use std::pin::Pin;

use cachier_backends::{Error, Usage};
use cachier_metrics::CacheMetrics;

use super::absent::{CollectsMetrics, HasFolder};
use super::all_entries::IsAsync;
use super::dispatch::{TypedRequest, TypedResponse};
use super::erased_site::ErasedSite;
use crate::block_on::block_on;
use crate::call::{Call, CallOptions};
use crate::handle::Handle;

/// The companion of a method without `enable_metrics`.
///
/// ```
/// use cachier::types::{InNoFolder, Unmetered};
/// use cachier::{MethodCache, cachier};
///
/// struct Shop;
///
/// impl Shop {
///     #[cachier(backend = "memory", skip(self))]
///     fn price(&self, item: u64) -> u64 {
///         item * 10
///     }
/// }
///
/// let _: MethodCache<(&Shop, u64), u64, u64, (Unmetered, InNoFolder)> = Shop::price_cache();
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Unmetered {}

/// The companion of a method with `enable_metrics`.
///
/// ```
/// use cachier::types::{InNoFolder, Metered};
/// use cachier::{MethodCache, cachier};
///
/// struct Shop;
///
/// impl Shop {
///     #[cachier(backend = "memory", enable_metrics, skip(self))]
///     fn price(&self, item: u64) -> u64 {
///         item * 10
///     }
/// }
///
/// let _: MethodCache<(&Shop, u64), u64, u64, (Metered, InNoFolder)> = Shop::price_cache();
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Metered {}

/// The companion of a method that the file backend may serve.
///
/// ```
/// use cachier::types::{InFolder, Unmetered};
/// use cachier::{MethodCache, cachier};
///
/// struct Shop;
///
/// impl Shop {
///     #[cachier(backend = "file", skip(self))]
///     fn price(&self, item: u64) -> u64 {
///         item * 10
///     }
/// }
///
/// let _: MethodCache<(&Shop, u64), u64, u64, (Unmetered, InFolder)> = Shop::price_cache();
/// ```
#[derive(Clone, Copy, Debug)]
pub enum InFolder {}

/// The companion of a method with another backend.
///
/// ```
/// use cachier::types::{InNoFolder, Unmetered};
/// use cachier::{MethodCache, cachier};
///
/// struct Shop;
///
/// impl Shop {
///     #[cachier(backend = "memory", skip(self))]
///     fn price(&self, item: u64) -> u64 {
///         item * 10
///     }
/// }
///
/// let _: MethodCache<(&Shop, u64), u64, u64, (Unmetered, InNoFolder)> = Shop::price_cache();
/// ```
#[derive(Clone, Copy, Debug)]
pub enum InNoFolder {}

/// The operations on the cache of a method `my_fn`, returned by `my_fn_cache()`.
///
/// Each takes the arguments of the method, the receiver first.
///
/// ```
/// # use cachier::cachier;
/// struct Shop;
///
/// impl Shop {
///     #[cachier(backend = "memory", skip(self))]
///     fn price(&self, item: &str) -> usize {
///         item.len() * 10
///     }
/// }
///
/// let shop = Shop;
/// assert_eq!(shop.price("tea"), 30);
/// assert_eq!(Shop::price_cache().peek(&shop, "tea")?, Some(30));
/// # Ok::<(), cachier::Error>(())
/// ```
pub struct MethodCache<A, R, S = R, M = (Unmetered, InNoFolder)> {
    method: MethodSite<M>,
    dispatch: fn(TypedRequest<S>, A) -> TypedResponse<R, S>,
}

/// The operations on the cache of an `async` method, each asynchronous.
///
/// ```
/// # use cachier::cachier;
/// struct Shop;
///
/// impl Shop {
///     #[cachier(backend = "memory", skip(self))]
///     async fn price(&self, item: &str) -> usize {
///         item.len() * 10
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cachier::Error> {
/// let shop = Shop;
/// assert_eq!(shop.price("tea").await, 30);
/// assert_eq!(Shop::price_cache().peek(&shop, "tea").await?, Some(30));
/// # Ok(())
/// # }
/// ```
pub struct AsyncMethodCache<'a, A, R, S = R, M = (Unmetered, InNoFolder)> {
    method: MethodSite<M>,
    dispatch: fn(TypedRequest<S>, A) -> ResponseFuture<'a, R, S>,
}

/// The future of a response.
pub type ResponseFuture<'a, R, S> = Pin<Box<dyn Future<Output = TypedResponse<R, S>> + Send + 'a>>;

/// The method, and what its attribute says of operations that not all have.
struct MethodSite<M> {
    site: &'static ErasedSite,
    marker: &'static str,
    has: std::marker::PhantomData<fn() -> M>,
}

impl<M> MethodSite<M> {
    fn new(site: &'static ErasedSite, marker: &'static str) -> Self {
        Self {
            site,
            marker,
            has: std::marker::PhantomData,
        }
    }
}

/// The operations without arguments, for both modes.
macro_rules! without_arguments {
    ([$($lifetime:lifetime)?] $name:ident, $dispatch:ty) => {
        impl<$($lifetime,)? A, R, S, M> $name<$($lifetime,)? A, R, S, M> {
            #[doc(hidden)]
            pub fn new(site: &'static ErasedSite, marker: &'static str, dispatch: $dispatch) -> Self {
                Self { method: MethodSite::new(site, marker), dispatch }
            }

            /// The method, for [`expect`](crate::expect).
            pub fn handle(&self) -> Handle {
                self.method.site.handle(self.method.marker)
            }
        }

        impl<$($lifetime,)? A, R, S, M> $name<$($lifetime,)? A, R, S, (M, InNoFolder)> {
            #[doc(hidden)]
            pub fn cache_dir(&self) -> PathBuf
            where
                for<'never> Self: HasFolder<'never>,
            {
                unreachable!("the bound holds for nothing")
            }
        }

        impl<$($lifetime,)? A, R, S, M> $name<$($lifetime,)? A, R, S, (M, InFolder)> {
            /// The folder of the file backend.
            #[doc(alias = "cache_dpath")]
            pub fn cache_dir(&self) -> PathBuf {
                self.method.site.cache_dir(self.method.marker)
            }
        }

        impl<$($lifetime,)? A, R, S, F> $name<$($lifetime,)? A, R, S, (Unmetered, F)> {
            #[doc(hidden)]
            pub fn metrics(&self) -> &'static CacheMetrics
            where
                for<'never> Self: CollectsMetrics<'never>,
            {
                unreachable!("the bound holds for nothing")
            }
        }

        impl<$($lifetime,)? A, R, S, F> $name<$($lifetime,)? A, R, S, (Metered, F)> {
            /// The metrics of the method, of all instantiations together.
            pub fn metrics(&self) -> &'static CacheMetrics {
                self.method.site.metrics(self.method.marker)
            }
        }
    };
}

without_arguments!([] MethodCache, fn(TypedRequest<S>, A) -> TypedResponse<R, S>);
without_arguments!(['a] AsyncMethodCache, fn(TypedRequest<S>, A) -> ResponseFuture<'a, R, S>);

impl<A, R, S, M> MethodCache<A, R, S, M> {
    /// Forgets all entries of the method, of all versions; how many, where that is known. In a generic impl, these are the
    /// entries of the instantiations that this process has called.
    #[must_use = "the backend may have failed"]
    pub fn clear_cache(&self) -> Result<Option<u64>, Error> {
        block_on(self.method.site.clear(self.method.marker, IsAsync::No))
    }

    /// Drops all marks of running computations.
    #[must_use = "the backend may have failed"]
    pub fn clear_being_calculated(&self) -> Result<(), Error> {
        block_on(
            self.method
                .site
                .clear_leases(self.method.marker, IsAsync::No),
        )
    }

    /// Entries and bytes held, where that is known: for a generic method only in memory.
    #[must_use = "the backend may have failed"]
    pub fn usage(&self) -> Result<Usage, Error> {
        block_on(self.method.site.usage(self.method.marker, IsAsync::No))
    }
}

impl<A, R, S, M> AsyncMethodCache<'_, A, R, S, M> {
    /// Forgets all entries of the method, of all versions; how many, where that is known. In a generic impl, these are the
    /// entries of the instantiations that this process has called.
    #[must_use = "the backend may have failed"]
    pub async fn clear_cache(&self) -> Result<Option<u64>, Error> {
        self.method
            .site
            .clear(self.method.marker, IsAsync::Yes)
            .await
    }

    /// Drops all marks of running computations.
    #[must_use = "the backend may have failed"]
    pub async fn clear_being_calculated(&self) -> Result<(), Error> {
        self.method
            .site
            .clear_leases(self.method.marker, IsAsync::Yes)
            .await
    }

    /// Entries and bytes held, where that is known: for a generic method only in memory.
    #[must_use = "the backend may have failed"]
    pub async fn usage(&self) -> Result<Usage, Error> {
        self.method
            .site
            .usage(self.method.marker, IsAsync::Yes)
            .await
    }
}

/// The operations with the method's arguments, for one number of them.
macro_rules! with_arguments {
    ($(($($argument:ident: $type:ident),*))*) => {$(
        #[allow(clippy::too_many_arguments, reason = "the method has as many")]
        impl<$($type,)* R, S, M> MethodCache<($($type,)*), R, S, M> {
            /// One call of the method, with options.
            pub fn call_with(&self, options: CallOptions, $($argument: $type),*) -> R {
                self.call_detailed(options, $($argument),*).value
            }

            /// One call of the method, with options, and what happened.
            #[must_use]
            pub fn call_detailed(&self, options: CallOptions, $($argument: $type),*) -> Call<R> {
                (self.dispatch)(TypedRequest::with(options), ($($argument,)*)).call()
            }

            /// Forgets the entry of these arguments; whether there was one.
            #[must_use = "the backend may have failed"]
            pub fn invalidate(&self, $($argument: $type),*) -> Result<bool, Error> {
                (self.dispatch)(TypedRequest::Invalidate, ($($argument,)*)).invalidated()
            }

            /// Stores a value for these arguments without computing it; an error (`Full`) where it is too large for a bound.
            #[must_use = "the backend may have failed"]
            pub fn precache_value(&self, $($argument: $type,)* stored: S) -> Result<(), Error> {
                (self.dispatch)(TypedRequest::precache(stored), ($($argument,)*)).precached()
            }

            /// Reads the entry of these arguments without computing it, and without touching metrics.
            #[must_use = "the backend may have failed"]
            pub fn peek(&self, $($argument: $type),*) -> Result<Option<S>, Error> {
                (self.dispatch)(TypedRequest::Peek, ($($argument,)*)).peeked()
            }
        }

        #[allow(clippy::too_many_arguments, reason = "the method has as many")]
        impl<'a, $($type,)* R, S, M> AsyncMethodCache<'a, ($($type,)*), R, S, M> {
            /// One call of the method, with options.
            pub async fn call_with(&self, options: CallOptions, $($argument: $type),*) -> R {
                self.call_detailed(options, $($argument),*).await.value
            }

            /// One call of the method, with options, and what happened.
            #[must_use]
            pub async fn call_detailed(&self, options: CallOptions, $($argument: $type),*) -> Call<R> {
                let operation = TypedRequest::with(options);
                (self.dispatch)(operation, ($($argument,)*)).await.call()
            }

            /// Forgets the entry of these arguments; whether there was one.
            #[must_use = "the backend may have failed"]
            pub async fn invalidate(&self, $($argument: $type),*) -> Result<bool, Error> {
                (self.dispatch)(TypedRequest::Invalidate, ($($argument,)*)).await.invalidated()
            }

            /// Stores a value for these arguments without computing it; an error (`Full`) where it is too large for a bound.
            #[must_use = "the backend may have failed"]
            pub async fn precache_value(&self, $($argument: $type,)* stored: S) -> Result<(), Error> {
                (self.dispatch)(TypedRequest::precache(stored), ($($argument,)*)).await.precached()
            }

            /// Reads the entry of these arguments without computing it, and without touching metrics.
            #[must_use = "the backend may have failed"]
            pub async fn peek(&self, $($argument: $type),*) -> Result<Option<S>, Error> {
                (self.dispatch)(TypedRequest::Peek, ($($argument,)*)).await.peeked()
            }
        }
    )*};
}

with_arguments! {
    ()
    (a: A)
    (a: A, b: B)
    (a: A, b: B, c: C)
    (a: A, b: B, c: C, d: D)
    (a: A, b: B, c: C, d: D, e: E)
    (a: A, b: B, c: C, d: D, e: E, f: F)
    (a: A, b: B, c: C, d: D, e: E, f: F, g: G)
    (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H)
    (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I)
    (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J)
    (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J, k: K)
    (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J, k: K, l: L)
    (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J, k: K, l: L, m: N)
}
