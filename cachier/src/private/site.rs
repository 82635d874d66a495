//! Sites of annotated functions: from a static to its instances.

use std::any::Any;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cachier_backends::process::PerProcess;
use cachier_metrics::CacheMetrics;
use once_cell::race::OnceRef;

use super::instance::{Instance, StoreKind};
use super::instantiations::{Instantiations, create_metrics};
use super::registered::{ErasedInstance, report_if_out_of_service};
use crate::backoff::Backoffs;
use crate::context::{self, Context, ContextId};
use crate::driver::Core;
use crate::flight::Flights;
use crate::function::Function;
use crate::handle::Handle;
use crate::identity::FunctionSpec;
use crate::registered::{RegisteredFunction, SiteId};
use crate::storage::Store;

/// The static of a function with fixed types.
pub struct Site<S: StoreKind> {
    make_spec: fn(&'static str) -> FunctionSpec,
    /// The marker of the instantiation; empty for a function that is not generic.
    instantiation: &'static str,
    main: OnceRef<'static, Instance<S>>,
    /// Held while the function is registered. Per process: a forked child does not wait for the parent's thread.
    opening: PerProcess<Mutex<()>>,
    isolated: Mutex<Isolated>,
    instantiations: Option<&'static Instantiations>,
}

/// The instances of isolated tests. Their types are erased, so that looking for one is compiled once.
type Isolated = Vec<(ContextId, &'static (dyn Any + Send + Sync))>;

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
        report_if_out_of_service(&instance.core.function);
        instance
    }

    #[cold]
    fn open_isolated(&'static self, context: &'static Context) -> &'static Instance<S> {
        let mut isolated = locked(&self.isolated);
        if let Some(known) = find_isolated(&isolated, context.id)
            && let Some(instance) = known.downcast_ref()
        {
            return instance;
        }
        let instance = self.open(context);
        isolated.push((context.id, instance));
        drop(isolated);
        report_if_out_of_service(&instance.core.function);
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
        register(instance.erased(), self.instantiations);
        instance
    }
}

fn locked(isolated: &Mutex<Isolated>) -> MutexGuard<'_, Isolated> {
    isolated.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find_isolated(isolated: &Isolated, id: ContextId) -> Option<&'static (dyn Any + Send + Sync)> {
    let known = isolated.iter().find(|(known, _)| *known == id);
    known.map(|(_, instance)| *instance)
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
fn register<T: Store>(erased: ErasedInstance<T>, instantiations: Option<&'static Instantiations>) {
    let function = &erased.core.function;
    let known: &'static dyn RegisteredFunction = Box::leak(Box::new(erased));
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
            let known = functions[&opened[1].core.function.storage_name];
            let last = &opened[1].core.function.typed_name;
            assert!(
                std::ptr::eq(known.typed_name(), &**last),
                "the last one is known"
            );
        }
        assert_eq!(INSTANTIATIONS.called_in(context).len(), 1);
        let other = OTHER.open(context);
        assert!(other.core.function.out_of_service().is_some());
    }
}
