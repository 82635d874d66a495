//! The instantiations of one function.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cachier_backends::process::{PerProcess, copied};
use cachier_metrics::{CacheMetrics, Gauges, MetricsOptions};

use crate::context::{Context, ContextId};
use crate::identity;
use crate::identity::FunctionSpec;
use crate::registered::RegisteredFunction;

type GaugeSource = Arc<dyn Fn() -> Gauges + Send + Sync>;

/// All instantiations of one function, in each context.
pub(crate) struct Instantiations {
    called: PerProcess<Mutex<Called>>,
    metrics: PerProcess<Mutex<Vec<ContextMetrics>>>,
}

/// The instantiations that have been called.
#[derive(Clone, Default)]
struct Called {
    functions: Vec<(ContextId, &'static dyn RegisteredFunction)>,
    /// Names that several of them share.
    ambiguous: Vec<String>,
}

/// The metrics that the instantiations share in one context.
#[derive(Clone)]
struct ContextMetrics {
    context: ContextId,
    metrics: &'static CacheMetrics,
    gauges: Arc<PerProcess<Mutex<Vec<GaugeSource>>>>,
}

impl Instantiations {
    pub(crate) const fn new() -> Self {
        Self {
            called: PerProcess::new(copied),
            metrics: PerProcess::new(copied),
        }
    }

    /// The metrics of all instantiations, if the function has any.
    pub(crate) fn metrics(
        &self,
        spec: &FunctionSpec,
        context: &'static Context,
    ) -> Option<&'static CacheMetrics> {
        let mut known = locked(&self.metrics);
        if let Some(of_context) = known
            .iter()
            .find(|of_context| of_context.context == context.id)
        {
            return Some(of_context.metrics);
        }
        let metrics = create_metrics(spec, context)?;
        known.push(ContextMetrics {
            context: context.id,
            metrics,
            gauges: Arc::new(PerProcess::new(copied)),
        });
        Some(metrics)
    }

    /// Adds an instantiation at its first call in a context.
    pub(crate) fn add(&self, instantiation: &'static dyn RegisteredFunction, context: &Context) {
        {
            let mut called = locked(&self.called);
            // One of the same site was never found there: see `Registry::register`.
            let is_other = |known: &dyn RegisteredFunction| known.site() != instantiation.site();
            called
                .functions
                .retain(|(id, known)| *id != context.id || is_other(*known));
            called.functions.push((context.id, instantiation));
            let mut ambiguous = called.ambiguous.iter();
            if ambiguous.any(|name| name == instantiation.typed_name()) {
                instantiation.mark_ambiguous();
            }
        }
        if let Some(metrics) = instantiation.metrics() {
            let gauges = Arc::new(move || instantiation.gauges());
            self.add_gauges(context, metrics, gauges);
        }
    }

    /// Takes all instantiations of a name out of service: their entries cannot be told apart. Those that are to be reported.
    pub(crate) fn take_out_of_service(&self, name: String) -> Vec<&'static dyn RegisteredFunction> {
        let mut called = locked(&self.called);
        // Later ones are taken out when they are added.
        if called.ambiguous.contains(&name) {
            return Vec::new();
        }
        let same = called.functions.iter().map(|(_, known)| *known);
        let same: Vec<_> = same.filter(|known| known.typed_name() == name).collect();
        same.iter().for_each(|known| known.mark_ambiguous());
        called.ambiguous.push(name);
        same
    }

    /// The instantiations that have been called in a context.
    pub(crate) fn called_in(&self, context: &Context) -> Vec<&'static dyn RegisteredFunction> {
        let called = locked(&self.called);
        let in_context = called.functions.iter().filter(|(id, _)| *id == context.id);
        in_context.map(|(_, known)| *known).collect()
    }

    fn add_gauges(&self, context: &Context, metrics: &CacheMetrics, source: GaugeSource) {
        let known = locked(&self.metrics);
        let Some(of_context) = known
            .iter()
            .find(|of_context| of_context.context == context.id)
        else {
            return;
        };
        let sources = Arc::clone(&of_context.gauges);
        locked(&sources).push(source);
        metrics.set_gauges(Box::new(move || {
            locked(&sources).iter().map(|source| source()).sum()
        }));
    }
}

/// The metrics of a function, if it has any.
pub(super) fn create_metrics(
    spec: &FunctionSpec,
    context: &'static Context,
) -> Option<&'static CacheMetrics> {
    let sampling = spec.options.metrics?;
    let backend = context.backends.label(&spec.options.backend);
    let options = MetricsOptions::new(identity::name(spec), backend)
        .sampling(sampling)
        .settings(spec.options.set())
        .clock(context.clock.clone());
    Some(CacheMetrics::create(match context.id == ContextId::MAIN {
        true => options,
        false => options.unlisted(),
    }))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
