//! Cached functions by name, for tools that know no types.

use std::collections::HashSet;
use std::fmt;

use cachier_backends::{BoxFuture, Error, Usage};
use cachier_metrics::{CacheMetrics, Snapshot, Stats};

use crate::block_on::block_on;
use crate::call::CallMode;
use crate::context;
use crate::handle::ExpectedFunction;
use crate::registered::RegisteredFunction;

/// A cached function that has been called or is [expected](crate::expect), whatever its types.
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
pub struct CachedFunction {
    function: Known,
    reach: Reach,
}

/// A function that has been called, or is expected.
#[derive(Clone, Copy)]
enum Known {
    Registered(&'static dyn RegisteredFunction),
    Expected(&'static ExpectedFunction),
}

/// The functions that operations apply to.
#[derive(Clone, Copy)]
enum Reach {
    /// One function, or one instantiation of a generic one.
    Instantiation,
    /// All functions of its name.
    Name,
    /// All functions of its name with type arguments.
    TypedName,
}

impl CachedFunction {
    /// The function's name in metrics and messages: without type arguments.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.function.name()
    }

    /// The name of the function's backend.
    #[must_use]
    pub fn backend(self) -> String {
        self.function.backend()
    }

    /// Whether its cache is on: neither all caches nor those of a pattern that its name matches are
    /// [switched off](crate::disable), and it shares its name in storage with no other function.
    ///
    /// ```
    /// # use cachier::cachier;
    /// #[cachier(backend = "memory", name = "half")]
    /// fn half(n: u64) -> u64 {
    ///     n / 2
    /// }
    ///
    /// half(4);
    /// cachier::disable("half");
    /// let is_enabled = cachier::function("half").map(|known| known.is_enabled());
    /// assert_eq!(is_enabled, Some(false));
    /// ```
    #[must_use]
    pub fn is_enabled(self) -> bool {
        let mut reached = self.reached().into_iter();
        reached.any(Known::is_enabled)
    }

    /// The function's metrics, if it has `enable_metrics`. If several functions share the name, those of the first that has
    /// some; [`stats`](Self::stats) adds them up.
    #[must_use]
    pub fn metrics(self) -> Option<&'static CacheMetrics> {
        self.all_metrics().into_iter().next()
    }

    /// The figures since the beginning, added up over all functions of the name that have `enable_metrics`, as an exporter
    /// adds them up; `None` if none has.
    ///
    /// ```
    /// # use cachier::cachier;
    /// #[cachier(backend = "memory", name = "cube", enable_metrics)]
    /// fn cube(n: u64) -> u64 {
    ///     n.pow(3)
    /// }
    ///
    /// cube(4);
    /// let stats = cachier::function("cube").and_then(|known| known.stats());
    /// assert_eq!(stats.map(|stats| stats.misses), Some(1));
    /// ```
    #[must_use]
    pub fn stats(self) -> Option<Stats> {
        let metrics = self.all_metrics();
        let sum: Snapshot = metrics.iter().map(|metrics| metrics.snapshot()).sum();
        (!metrics.is_empty()).then(|| Stats::from(&sum))
    }

    /// Forgets all entries of the function, of all versions; how many, where the backend can tell. Blocks the thread.
    ///
    /// # Errors
    /// The backend's first error; all that can be forgotten is forgotten nevertheless.
    pub fn clear_cache(self) -> Result<Option<u64>, Error> {
        block_on(self.clear(CallMode::Sync))
    }

    /// [`clear_cache`](Self::clear_cache), without blocking the thread.
    ///
    /// # Errors
    /// As `clear_cache`.
    pub async fn clear_cache_async(self) -> Result<Option<u64>, Error> {
        self.clear(CallMode::Async).await
    }

    /// Drops all marks of running computations; what they compute is returned but not stored. Blocks the thread.
    ///
    /// # Errors
    /// The backend's first error.
    pub fn clear_being_calculated(self) -> Result<(), Error> {
        block_on(self.clear_leases(CallMode::Sync))
    }

    /// [`clear_being_calculated`](Self::clear_being_calculated), without blocking the thread.
    ///
    /// # Errors
    /// As `clear_being_calculated`.
    pub async fn clear_being_calculated_async(self) -> Result<(), Error> {
        self.clear_leases(CallMode::Async).await
    }

    /// Entries and bytes held, where the backend can tell. Blocks the thread.
    ///
    /// # Errors
    /// The backend's error.
    pub fn usage(self) -> Result<Usage, Error> {
        block_on(self.total_usage(CallMode::Sync))
    }

    /// [`usage`](Self::usage), without blocking the thread.
    ///
    /// # Errors
    /// The backend's error.
    pub async fn usage_async(self) -> Result<Usage, Error> {
        self.total_usage(CallMode::Async).await
    }

    async fn clear(self, mode: CallMode) -> Result<Option<u64>, Error> {
        let mut sum = Ok(Some(0));
        let functions = self.reached();
        // At once, as waiting for the stores may take long, or end.
        functions.iter().for_each(|function| function.clear_near());
        for function in functions {
            let cleared = function.clear(mode).await;
            sum = sum.and_then(|sum| Ok(add(sum, cleared?)));
        }
        sum
    }

    async fn clear_leases(self, mode: CallMode) -> Result<(), Error> {
        let mut all = Ok(());
        for function in self.reached() {
            let cleared = function.clear_leases(mode).await;
            all = all.and(cleared);
        }
        all
    }

    async fn total_usage(self, mode: CallMode) -> Result<Usage, Error> {
        let mut sum = Usage::new(Some(0), Some(0));
        for function in self.reached() {
            let usage = function.usage(mode).await?;
            sum.entries = add(sum.entries, usage.entries);
            sum.bytes = add(sum.bytes, usage.bytes);
        }
        Ok(sum)
    }

    /// The functions that operations apply to at the moment.
    fn reached(self) -> Vec<Known> {
        match self.reach {
            Reach::Instantiation => vec![self.function],
            Reach::Name => known(|known| known.name() == self.name()),
            Reach::TypedName => {
                let name = self.function.typed_name();
                known(|known| known.typed_name() == name)
            }
        }
    }

    /// The metrics of those functions, and of those of the name that are out of service for a name in storage that another
    /// has.
    fn all_metrics(self) -> Vec<&'static CacheMetrics> {
        match self.reach {
            Reach::Name => metrics_of(|name| name == self.name()),
            _ => distinct_metrics(self.reached()),
        }
    }
}

impl Known {
    fn name(self) -> &'static str {
        match self {
            Self::Registered(function) => function.name(),
            Self::Expected(function) => &function.name,
        }
    }

    fn typed_name(self) -> &'static str {
        match self {
            Self::Registered(function) => function.typed_name(),
            Self::Expected(function) => &function.typed_name,
        }
    }

    fn backend(self) -> String {
        match self {
            Self::Registered(function) => function.backend(),
            Self::Expected(function) => {
                let backends = &context::current().backends;
                backends.label(&function.store_config.options.backend)
            }
        }
    }

    fn is_enabled(self) -> bool {
        match self {
            Self::Registered(function) => function.is_enabled(),
            Self::Expected(function) => context::current().registry.is_on(function),
        }
    }

    fn metrics(self) -> Option<&'static CacheMetrics> {
        match self {
            Self::Registered(function) => function.metrics(),
            Self::Expected(of) => of.function.metrics(of.instantiation),
        }
    }

    /// An expected function has nothing near.
    fn clear_near(self) {
        if let Self::Registered(function) = self {
            function.clear_near();
        }
    }

    fn clear(self, mode: CallMode) -> BoxFuture<'static, Option<u64>> {
        match self {
            Self::Registered(function) => function.clear(mode),
            Self::Expected(of) => of.function.clear_unregistered(of.instantiation, mode),
        }
    }

    fn clear_leases(self, mode: CallMode) -> BoxFuture<'static, ()> {
        match self {
            Self::Registered(function) => function.clear_leases(mode),
            Self::Expected(of) => of
                .function
                .clear_leases_unregistered(of.instantiation, mode),
        }
    }

    fn usage(self, mode: CallMode) -> BoxFuture<'static, Usage> {
        match self {
            Self::Registered(function) => function.usage(mode),
            Self::Expected(of) => of.function.usage_unregistered(of.instantiation, mode),
        }
    }
}

/// The metrics of the functions with such names, of those out of service, too: their calls count.
pub(crate) fn metrics_of(is_meant: impl Fn(&str) -> bool) -> Vec<&'static CacheMetrics> {
    let mut functions = known(|known| is_meant(known.name()));
    functions.extend(out_of_service(is_meant));
    distinct_metrics(functions)
}

/// The functions with such names that another has the name in storage of.
fn out_of_service(is_meant: impl Fn(&str) -> bool) -> Vec<Known> {
    let duplicates = context::current().registry.duplicates();
    let meant = duplicates.iter().filter(|known| is_meant(known.name()));
    meant.copied().map(Known::Registered).collect()
}

/// Instantiations of one function share theirs.
fn distinct_metrics(functions: Vec<Known>) -> Vec<&'static CacheMetrics> {
    let mut seen = HashSet::new();
    let metrics = functions.into_iter().filter_map(Known::metrics);
    metrics
        .filter(|metrics| seen.insert(std::ptr::from_ref(*metrics)))
        .collect()
}

/// The functions for which this holds: those that have been called, then those that are expected. For an expected one that
/// has been called, the second only reaches what the first does not.
fn known(is_meant: impl Fn(Known) -> bool) -> Vec<Known> {
    let registry = &context::current().registry;
    let expected: Vec<_> = registry
        .expected()
        .into_iter()
        .filter(|function| is_meant(Known::Expected(function)))
        .collect();
    // Not under the lock: this may add functions.
    expected
        .iter()
        .for_each(|function| function.function.register());
    let functions = registry.functions();
    let registered = functions.values().copied().map(Known::Registered);
    let mut all: Vec<Known> = registered.filter(|function| is_meant(*function)).collect();
    all.extend(expected.into_iter().map(Known::Expected));
    all
}

/// The sum, if both are known.
fn add(sum: Option<u64>, more: Option<u64>) -> Option<u64> {
    Some(sum?.saturating_add(more?))
}

impl fmt::Debug for CachedFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CachedFunction").field(&self.name()).finish()
    }
}

/// Every cached function that has been called, by package and name; of a generic function, each instantiation.
///
/// ```
/// # use cachier::cachier;
/// #[cachier(backend = "memory")]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// square(4);
/// for known in cachier::functions() {
///     println!("{} on {}: {:?}", known.name(), known.backend(), known.usage());
/// }
/// assert!(!cachier::functions().is_empty());
/// ```
#[must_use]
pub fn functions() -> Vec<CachedFunction> {
    let functions = context::current().registry.functions();
    let alone = |function: &&'static dyn RegisteredFunction| CachedFunction {
        function: Known::Registered(*function),
        reach: Reach::Instantiation,
    };
    functions.values().map(alone).collect()
}

/// The cached function of this name, if it has been called or is [expected](crate::expect).
///
/// Several functions may share a name: the instantiations of a generic function, the impls of a trait, and functions of
/// other packages. Operations apply to all of them, and [`stats`](CachedFunction::stats) adds them up. A name with type
/// arguments, as in `parse<u64>`, finds one instantiation.
///
/// ```
/// # use cachier::cachier;
/// #[cachier(backend = "memory", name = "rate", enable_metrics)]
/// fn rate(currency: &str) -> f64 {
///     currency.len() as f64
/// }
///
/// assert!(cachier::function("rate").is_none());
/// cachier::expect([rate::handle()]);
/// let known = cachier::function("rate").expect("it is expected");
/// assert_eq!(known.clear_cache()?, Some(0));
/// # Ok::<(), cachier::Error>(())
/// ```
#[must_use]
pub fn function(name: &str) -> Option<CachedFunction> {
    let find = |is_it: fn(Known) -> &'static str, reach| {
        let function = known(|known| is_it(known) == name).into_iter().next()?;
        Some(CachedFunction { function, reach })
    };
    find(Known::name, Reach::Name).or_else(|| find(Known::typed_name, Reach::TypedName))
}
