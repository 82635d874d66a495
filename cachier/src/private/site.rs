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
use crate::registered::{RegisteredFunction, SiteId};

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
        let opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(instance) = self.main.get() {
            return instance;
        }
        let instance = self.open(context::current());
        let instance = self.main.get_or_init(|| instance);
        drop(opening);
        instance.report_if_out_of_service();
        instance
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
        drop(isolated);
        instance.report_if_out_of_service();
        instance
    }

    /// Makes and registers the instance, for as long as the process lives. One that is out of service is to be reported, once
    /// nothing is locked.
    fn open(&'static self, context: &'static Context) -> &'static Instance<S> {
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
        let instance: &'static Instance<S> = Box::leak(Box::new(Instance {
            core,
            near,
            site: SiteId::of(self),
        }));
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
        function.mark_duplicate();
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

#[cfg(all(test, feature = "memory"))]
mod tests {
    use super::*;
    use crate::identity::Package;
    use crate::options::{BackendName, Options};
    use crate::storage::memory::Memory;

    fn spec(instantiation: &'static str) -> FunctionSpec {
        FunctionSpec {
            identity: format!("opened twice {instantiation}"),
            path: "opened twice".to_owned(),
            package: Package::named("app"),
            options: Options {
                backend: BackendName::Memory,
                ..Options::new()
            },
        }
    }

    /// A child that is forked between the registration of a function and its first call finds it registered, and opens it anew.
    #[test]
    fn what_is_opened_again_stays_in_service() {
        static INSTANTIATIONS: Instantiations = Instantiations::new();
        static FREE: Site<Memory<u8, u8>> = Site::new(spec);
        static OTHER: Site<Memory<u8, u8>> = Site::new(spec);
        let context = context::current();
        let generic = Site::instantiation(spec, "of bytes", &INSTANTIATIONS);
        let generic: &'static Site<Memory<u8, u8>> = Box::leak(Box::new(generic));
        for site in [&FREE, generic] {
            let opened = [(); 2].map(|()| site.open(context));
            for instance in opened {
                assert!(instance.core.function.out_of_service().is_none());
            }
            let functions = context.registry.functions();
            let known = functions[opened[1].storage_name()];
            assert!(std::ptr::addr_eq(known, opened[1]), "the last one is known");
        }
        assert_eq!(INSTANTIATIONS.called_in(context).len(), 1);
        let other = OTHER.open(context);
        assert!(other.core.function.out_of_service().is_some());
    }
}
