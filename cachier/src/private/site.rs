//! Sites of annotated functions: from a static to its instances.

use std::sync::{Mutex, PoisonError};

use cachier_backends::process::PerProcess;
use cachier_metrics::CacheMetrics;
use once_cell::race::OnceRef;

use super::instance::{Instance, StoreKind};
use super::instantiations::{Instantiations, create_metrics};
use crate::backoff::Backoffs;
use crate::context::{self, Context, ContextId};
use crate::driver::Core;
use crate::flight::Flights;
use crate::function::Function;
use crate::handle::Handle;
use crate::identity::FunctionSpec;
use crate::registered::RegisteredFunction;

/// The static of a function with fixed types.
pub struct Site<S: StoreKind> {
    make_spec: fn(&'static str) -> FunctionSpec,
    /// The marker of the instantiation; empty for a function that is not generic.
    instantiation: &'static str,
    main: OnceRef<'static, Instance<S>>,
    /// Held while the function is registered. Per process: a forked child does not wait for the parent's thread.
    opening: PerProcess<Mutex<()>>,
    isolated: Mutex<Vec<(ContextId, &'static Instance<S>)>>,
    instantiations: Option<&'static Instantiations>,
}

impl<S: StoreKind> Site<S> {
    /// The site of a function that is not generic.
    pub const fn new(make_spec: fn(&'static str) -> FunctionSpec) -> Self {
        Self {
            make_spec,
            instantiation: "",
            main: OnceRef::new(),
            opening: PerProcess::new(|_| Mutex::new(())),
            isolated: Mutex::new(Vec::new()),
            instantiations: None,
        }
    }

    /// The site of one instantiation of a generic function.
    pub(super) fn instantiation(
        make_spec: fn(&'static str) -> FunctionSpec,
        marker: &'static str,
        instantiations: &'static Instantiations,
    ) -> Self {
        Self {
            instantiation: marker,
            instantiations: Some(instantiations),
            ..Self::new(make_spec)
        }
    }

    /// The instance in the context of the calling code.
    #[inline]
    pub fn instance(&'static self) -> &'static Instance<S> {
        match (context::isolated(), self.main.get()) {
            (None, Some(instance)) => instance,
            (None, None) => self.open_main(),
            (Some(context), _) => self.open_isolated(context),
        }
    }

    /// The metrics of the function in the context of the calling code.
    ///
    /// # Panics
    /// Without `enable_metrics`; the attribute calls this only with it.
    pub fn metrics(&'static self) -> &'static CacheMetrics {
        self.instance().metrics()
    }

    /// The function for those who know no types.
    pub fn handle(&'static self) -> Handle {
        Handle::new(self, self.make_spec, self.instantiation)
    }

    #[cold]
    fn open_main(&'static self) -> &'static Instance<S> {
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(instance) = self.main.get() {
            return instance;
        }
        let instance = self.open(context::current());
        self.main.get_or_init(|| instance)
    }

    #[cold]
    fn open_isolated(&'static self, context: &'static Context) -> &'static Instance<S> {
        let mut isolated = self.isolated.lock().unwrap_or_else(PoisonError::into_inner);
        let known = isolated.iter().find(|(id, _)| *id == context.id);
        if let Some((_, instance)) = known {
            return instance;
        }
        let instance = self.open(context);
        isolated.push((context.id, instance));
        instance
    }

    /// Makes and registers the instance, for as long as the process lives.
    fn open(&self, context: &'static Context) -> &'static Instance<S> {
        let function = open_function(
            (self.make_spec)(self.instantiation),
            self.instantiations,
            context,
        );
        let (near, store) = S::open(&function);
        let core = Core {
            function,
            store,
            flights: PerProcess::new(|_| Flights::new()),
            backoffs: PerProcess::new(|_| Backoffs::default()),
        };
        let instance: &'static Instance<S> = Box::leak(Box::new(Instance { core, near }));
        S::connect(instance);
        register(&instance.core.function, instance, self.instantiations);
        instance
    }
}

/// The type-independent part of an instance.
fn open_function(
    spec: FunctionSpec,
    instantiations: Option<&'static Instantiations>,
    context: &'static Context,
) -> Function {
    let metrics = match instantiations {
        Some(instantiations) => instantiations.metrics(&spec, context),
        None => create_metrics(&spec, context),
    };
    Function::new(spec, context, metrics)
}

/// Registers a function with its context, its instantiations and its metrics.
fn register(
    function: &Function,
    known: &'static dyn RegisteredFunction,
    instantiations: Option<&'static Instantiations>,
) {
    if function.context.registry.register(known).is_err() {
        let error = function.mark_duplicate();
        function.report(error, function.metrics);
    }
    match instantiations {
        Some(instantiations) => instantiations.add(known, function.context),
        None => {
            if let Some(metrics) = function.metrics {
                metrics.set_gauges(Box::new(move || known.gauges()));
            }
        }
    }
}

impl<S: StoreKind> Instance<S> {
    #[inline]
    pub(super) fn metrics(&self) -> &'static CacheMetrics {
        let metrics = self.core.function.metrics;
        metrics.expect("the attribute has `enable_metrics`")
    }
}
