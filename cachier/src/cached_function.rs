//! Cached functions by name, for tools that know no types.

use std::fmt;

use cachier_backends::{Error, Usage};
use cachier_metrics::CacheMetrics;

use crate::block_on::block_on;
use crate::call::Flavour;
use crate::registered::Registered;
use crate::world;

/// One cached function that has been called, whatever its types.
///
/// ```
/// # use cachier::cachier;
/// #[cachier(backend = "memory", name = "square")]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// square(4);
/// let known = cachier::function("square").expect("it has been called");
/// assert_eq!(known.usage()?.entries, Some(1));
/// known.clear_cache()?;
/// # Ok::<(), cachier::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct CachedFunction(&'static dyn Registered);

impl CachedFunction {
    /// The function's name, type arguments included; in storage its package stands before it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The name of the function's backend.
    #[must_use]
    pub fn backend(self) -> String {
        self.0.backend()
    }

    /// The function's metrics, if it has `enable_metrics`.
    #[must_use]
    pub fn metrics(self) -> Option<&'static CacheMetrics> {
        self.0.metrics()
    }

    /// Forgets all entries of the function, of all versions; how many, where the backend can tell. Blocks the thread.
    ///
    /// # Errors
    /// What the backend failed with.
    pub fn clear_cache(self) -> Result<Option<u64>, Error> {
        block_on(self.0.clear(Flavour::Sync))
    }

    /// [`clear_cache`](Self::clear_cache), without blocking the thread.
    ///
    /// # Errors
    /// What the backend failed with.
    pub async fn clear_cache_async(self) -> Result<Option<u64>, Error> {
        self.0.clear(Flavour::Async).await
    }

    /// Drops all marks of running computations; what they compute is returned but not stored. Blocks the thread.
    ///
    /// # Errors
    /// What the backend failed with.
    pub fn clear_being_calculated(self) -> Result<(), Error> {
        block_on(self.0.clear_leases(Flavour::Sync))
    }

    /// [`clear_being_calculated`](Self::clear_being_calculated), without blocking the thread.
    ///
    /// # Errors
    /// What the backend failed with.
    pub async fn clear_being_calculated_async(self) -> Result<(), Error> {
        self.0.clear_leases(Flavour::Async).await
    }

    /// Entries and bytes held, where the backend can tell. Blocks the thread.
    ///
    /// # Errors
    /// What the backend failed with.
    pub fn usage(self) -> Result<Usage, Error> {
        block_on(self.0.usage(Flavour::Sync))
    }

    /// [`usage`](Self::usage), without blocking the thread.
    ///
    /// # Errors
    /// What the backend failed with.
    pub async fn usage_async(self) -> Result<Usage, Error> {
        self.0.usage(Flavour::Async).await
    }
}

impl fmt::Debug for CachedFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CachedFunction").field(&self.name()).finish()
    }
}

/// Every cached function that has been called, by package and name.
#[must_use]
pub fn functions() -> Vec<CachedFunction> {
    let functions = world::current().registry.functions();
    functions.values().copied().map(CachedFunction).collect()
}

/// The cached function of this name, if it has been called.
///
/// Where types belong to the name, as they do of a generic function or a method of a trait impl, it may also be given
/// without them; of several instantiations, and of functions of one name in several packages, one is found.
#[must_use]
pub fn function(name: &str) -> Option<CachedFunction> {
    let functions = world::current().registry.functions();
    let find = |is_it: fn(&dyn Registered) -> &str| {
        let mut functions = functions.values();
        functions.find(|known| is_it(**known) == name)
    };
    let exactly = find(|function| function.name());
    exactly
        .or_else(|| find(|function| function.metrics_name()))
        .copied()
        .map(CachedFunction)
}
