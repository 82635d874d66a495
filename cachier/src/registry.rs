//! Cached functions by name, for tools that know no types.

use std::fmt;

use cachier_backends::{BoxFuture, Error, Usage};
use cachier_metrics::{CacheMetrics, Gauges, Holding, RemovalCause, Shared};

use crate::background::{Crew, run_on_thread_if_any};
use crate::block_on::block_on;
use crate::call::Flavour;
use crate::drive::Core;
use crate::function::Function;
use crate::known_usage::{GOOD_FOR, Turn};
use crate::private::{Front, Instance, Storage};
use crate::session::Session;
use crate::storage::Tiers;
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
    pub(crate) fn new(registered: &'static dyn Registered) -> Self {
        Self(registered)
    }

    pub(crate) fn registered(self) -> &'static dyn Registered {
        self.0
    }

    pub(crate) fn function(self) -> &'static Function {
        self.0.function()
    }

    /// The function's name, type arguments included; in storage its package stands before it.
    #[must_use]
    pub fn name(self) -> &'static str {
        &self.function().name
    }

    /// The name of the function's backend.
    #[must_use]
    pub fn backend(self) -> String {
        let function = self.function();
        function.world.backends.label(&function.options.backend)
    }

    /// The function's metrics, if it has `enable_metrics`.
    #[must_use]
    pub fn metrics(self) -> Option<&'static CacheMetrics> {
        self.function().metrics
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
    world::current().functions().values().copied().collect()
}

/// The cached function of this name, if it has been called.
///
/// Where types belong to the name, as they do of a generic function or a method of a trait impl, it may also be given
/// without them; of several instantiations, and of functions of one name in several packages, one is found.
#[must_use]
pub fn function(name: &str) -> Option<CachedFunction> {
    let functions = world::current().functions();
    let find = |is_it: fn(&Function) -> &str| {
        let mut functions = functions.values();
        functions.find(|known| is_it(known.function()) == name)
    };
    let exactly = find(|function| &function.name);
    exactly
        .or_else(|| find(|function| &function.metrics_name))
        .copied()
}

/// What can be asked of a function without knowing its types.
pub(crate) trait Registered: Send + Sync {
    fn function(&self) -> &Function;
    fn clear(&self, flavour: Flavour) -> BoxFuture<'_, Option<u64>>;
    fn clear_leases(&self, flavour: Flavour) -> BoxFuture<'_, ()>;
    /// Empties the near tier.
    fn forget_near(&self);
    fn usage(&self, flavour: Flavour) -> BoxFuture<'_, Usage>;
    /// What the function holds, as far as that is known without waiting.
    fn gauges(&'static self) -> Gauges;
}

impl<S: Storage> Registered for Instance<S> {
    fn function(&self) -> &Function {
        &self.core.function
    }

    fn clear(&self, flavour: Flavour) -> BoxFuture<'_, Option<u64>> {
        Box::pin(clear(&self.core, &self.front, flavour))
    }

    fn clear_leases(&self, flavour: Flavour) -> BoxFuture<'_, ()> {
        Box::pin(clear_leases(&self.core, flavour))
    }

    fn forget_near(&self) {
        self.front.forget_all();
    }

    fn usage(&self, flavour: Flavour) -> BoxFuture<'_, Usage> {
        Box::pin(async move {
            let session = Session::of_companion(&self.core.function, flavour);
            usage(&self.core, &session).await
        })
    }

    fn gauges(&'static self) -> Gauges {
        gauges(&self.core, self.front.entries())
    }
}

async fn clear<T: Tiers>(
    core: &Core<T>,
    front: &dyn Front,
    flavour: Flavour,
) -> Result<Option<u64>, Error> {
    core.function.in_service()?;
    let session = Session::of_companion(&core.function, flavour);
    core.flights.forget_all();
    front.forget_all();
    let cleared = core.tiers.clear(&session).await;
    core.function.known_usage.forget();
    // Fetches that began before the store was cleared end before or find the tier changed. Also where the store was not.
    front.forget_all();
    let cleared = cleared?;
    if let (Some(metrics), Some(entries)) = (core.function.metrics, cleared) {
        metrics.removed(RemovalCause::Cleared, entries);
    }
    Ok(cleared)
}

async fn clear_leases<T: Tiers>(core: &Core<T>, flavour: Flavour) -> Result<(), Error> {
    core.function.in_service()?;
    let session = Session::of_companion(&core.function, flavour);
    core.flights.forget_all();
    core.tiers.clear_leases(&session).await
}

async fn usage<T: Tiers>(core: &Core<T>, session: &Session<'_>) -> Result<Usage, Error> {
    let function = &core.function;
    function.in_service()?;
    let question = function.known_usage.ask();
    let usage = core.tiers.usage(session).await;
    let known = usage.as_ref().copied().unwrap_or_default();
    function
        .known_usage
        .learn(question, known, function.world.clock.now());
    usage
}

/// What the function holds: asks the backend only in the background, and then for those who look later.
fn gauges<T: Tiers>(core: &'static Core<T>, near_entries: Option<u64>) -> Gauges {
    let options = &core.function.options;
    let mut gauges = Gauges::default();
    if core.function.duplicate().is_some() {
        return gauges;
    }
    gauges.near = Holding::new(near_entries, None);
    gauges.capacity_entries = options.capacity.or(options.near_cache);
    if let Some(usage) = core.tiers.usage_at_hand() {
        gauges.memory = holding(usage);
        gauges.memory_capacity_bytes = options.capacity_bytes;
    } else if let Some(name) = core.tiers.shared_as(&core.function) {
        let shared = Shared::new(holding(known_usage(core)), options.capacity_bytes);
        gauges.shared.insert(name, shared);
    }
    gauges
}

fn holding(usage: Usage) -> Holding {
    Holding::new(usage.entries, usage.bytes)
}

/// What the backend last said, after seeing to it that it is asked again when that is a while ago.
fn known_usage<T: Tiers>(core: &'static Core<T>) -> Usage {
    let function = &core.function;
    let (known, turn) = function.known_usage.look(function.world.clock.now());
    if turn == Turn::Mine {
        let asked = run_on_thread_if_any(function.world, Crew::Storage, || {
            let session = Session::within(function, Flavour::Sync, GOOD_FOR);
            // A failure has been counted; nothing is known then.
            let _ = block_on(usage(core, &session));
        });
        if asked.is_err() {
            // Whoever looks next tries again.
            function.known_usage.not_asked();
        }
    }
    known
}
