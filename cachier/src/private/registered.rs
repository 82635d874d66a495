//! Instances, with their types erased.

use cachier_backends::{BoxFuture, Error, Usage};
use cachier_metrics::{CacheMetrics, Gauges, Holding, RemovalCause, Shared};

use super::instance::{Instance, NearTier, StoreKind};
use crate::background::{WorkerPool, run_on_thread_if_any};
use crate::block_on::block_on;
use crate::call::CallMode;
use crate::driver::Core;
use crate::function::Function;
use crate::handle::StoreConfig;
use crate::registered::{RegisteredFunction, SiteId};
use crate::session::Session;
use crate::storage::Store;
use crate::switches::Switches;
use crate::usage_cache::{Query, USAGE_TTL};

/// An instance without the types of its keys and values: compiled once for all functions with one kind of store.
pub(super) struct ErasedInstance<T: Store> {
    pub(super) core: &'static Core<T>,
    near: &'static dyn NearTier,
    site: SiteId,
}

impl<S: StoreKind> Instance<S> {
    /// The instance without the types of its keys and values.
    pub(super) fn erased(&'static self) -> ErasedInstance<S::Store> {
        ErasedInstance {
            core: &self.core,
            near: &self.near,
            site: self.site,
        }
    }
}

impl<T: Store> RegisteredFunction for ErasedInstance<T> {
    fn name(&self) -> &str {
        &self.core.function.name
    }

    fn typed_name(&self) -> &str {
        &self.core.function.typed_name
    }

    fn storage_name(&self) -> &str {
        &self.core.function.storage_name
    }

    fn site(&self) -> SiteId {
        self.site
    }

    fn backend(&self) -> String {
        let function = &self.core.function;
        function.context.backends.label(&function.options.backend)
    }

    fn is_enabled(&self) -> bool {
        self.core.function.is_enabled()
    }

    fn store_config(&self) -> Option<StoreConfig> {
        let function = &self.core.function;
        self.is_enabled().then(|| StoreConfig {
            options: function.options.clone(),
            package: function.package,
        })
    }

    fn metrics(&self) -> Option<&'static CacheMetrics> {
        self.core.function.metrics
    }

    fn update_params(&self) {
        self.core.function.update_params();
    }

    fn apply_switches(&self, switches: &Switches) {
        let function = &self.core.function;
        function.set_enabled(function.is_on(switches));
    }

    fn mark_ambiguous(&self) {
        self.core.function.mark_ambiguous();
    }

    fn report_if_out_of_service(&self) {
        report_if_out_of_service(&self.core.function);
    }

    fn clear_near(&self) {
        self.near.forget_all();
    }

    fn clear(&self, mode: CallMode) -> BoxFuture<'_, Option<u64>> {
        Box::pin(clear(self.core, self.near, mode))
    }

    fn clear_leases(&self, mode: CallMode) -> BoxFuture<'_, ()> {
        Box::pin(clear_leases(self.core, mode))
    }

    fn usage(&self, mode: CallMode) -> BoxFuture<'_, Usage> {
        Box::pin(async move {
            let session = Session::for_companion(&self.core.function, mode);
            usage(self.core, &session).await
        })
    }

    fn gauges(&'static self) -> Gauges {
        gauges(self.core, self.near.entries())
    }
}

/// Runs the program's code: not under a lock.
pub(super) fn report_if_out_of_service(function: &Function) {
    if let Some(error) = function.out_of_service() {
        function.report(error, function.metrics);
    }
}

async fn clear<T: Store>(
    core: &Core<T>,
    near: &dyn NearTier,
    mode: CallMode,
) -> Result<Option<u64>, Error> {
    core.function.in_service()?;
    let session = Session::for_companion(&core.function, mode);
    #[cfg(feature = "memory")]
    core.function.forget_computes();
    core.flights.forget_all();
    near.forget_all();
    // Even if the store was not cleared, or nobody waits for its answer: fetches in between may have kept old values.
    let forgetting = ForgetNearOnDrop(near);
    let cleared = core.store.clear(&session).await;
    core.function.usage_cache.invalidate();
    drop(forgetting);
    let cleared = cleared?;
    if let (Some(metrics), Some(entries)) = (core.function.metrics, cleared) {
        metrics.removed(RemovalCause::Cleared, entries);
    }
    Ok(cleared)
}

struct ForgetNearOnDrop<'a>(&'a dyn NearTier);

impl Drop for ForgetNearOnDrop<'_> {
    fn drop(&mut self) {
        self.0.forget_all();
    }
}

async fn clear_leases<T: Store>(core: &Core<T>, mode: CallMode) -> Result<(), Error> {
    core.function.in_service()?;
    let session = Session::for_companion(&core.function, mode);
    core.flights.forget_all();
    core.store.clear_leases(&session).await
}

async fn usage<T: Store>(core: &Core<T>, session: &Session<'_>) -> Result<Usage, Error> {
    let function = &core.function;
    function.in_service()?;
    let token = function.usage_cache.begin_query();
    let usage = core.store.usage(session).await;
    let known = usage.as_ref().copied().unwrap_or_default();
    function
        .usage_cache
        .record(token, known, function.context.clock.now());
    usage
}

/// The function's gauges. The backend is queried only in the background, for later readers.
fn gauges<T: Store>(core: &'static Core<T>, near_entries: Option<u64>) -> Gauges {
    let options = &core.function.options;
    let mut gauges = Gauges::default();
    if core.function.out_of_service().is_some() {
        return gauges;
    }
    gauges.near = Holding::new(near_entries, None);
    gauges.capacity_entries = options.capacity.or(options.near_cache);
    if let Some(usage) = core.store.usage_at_hand() {
        gauges.memory = holding(usage);
        gauges.memory_capacity_bytes = options.capacity_bytes;
    } else if let Some(name) = core.store.shared_name(&core.function) {
        let shared = Shared::new(holding(cached_usage(core)), options.capacity_bytes);
        gauges.shared.insert(name, shared);
    }
    gauges
}

fn holding(usage: Usage) -> Holding {
    Holding::new(usage.entries, usage.bytes)
}

/// The backend's last known usage; starts a query if that is old.
fn cached_usage<T: Store>(core: &'static Core<T>) -> Usage {
    let function = &core.function;
    let (known, query) = function.usage_cache.read(function.context.clock.now());
    if query == Query::Due {
        let submitted = run_on_thread_if_any(function.context, WorkerPool::Figures, || {
            let session = Session::with_allowance(function, CallMode::Sync, USAGE_TTL);
            // The failure has been counted; the usage is then unknown.
            let _ = block_on(usage(core, &session));
        });
        if submitted.is_err() {
            // The next reader tries again.
            function.usage_cache.cancel_query();
        }
    }
    known
}
