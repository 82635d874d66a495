//! Sites of annotated functions: from a static to its instances.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::LocalKey;

use cachier_backends::process::PerProcess;
use cachier_metrics::{CacheMetrics, Local, LocalSlot, NearResult, TimedHit};

use super::arguments::Arguments;
use super::instance::{Instance, StoreKind};
use super::instantiations::{Instantiations, create_metrics};
use super::return_type::ReturnType;
use crate::backoff::Backoffs;
use crate::context::{self, Context, ContextId};
use crate::driver::Core;
use crate::flight::Flights;
use crate::function::Function;
use crate::handle::Handle;
use crate::identity::FunctionSpec;
use crate::registered::RegisteredFunction;
use crate::session::CallStart;

/// The static of a function with fixed types.
pub struct Site<S: StoreKind> {
    make_spec: fn(&'static str) -> FunctionSpec,
    /// The marker of the instantiation; empty for a function that is not generic.
    instantiation: &'static str,
    main: OnceLock<&'static Instance<S>>,
    /// Held while the function is registered. Per process: a forked child does not wait for the parent's thread.
    opening: PerProcess<Mutex<()>>,
    isolated: Mutex<Vec<(ContextId, &'static Instance<S>)>>,
    instantiations: Option<&'static Instantiations>,
}

/// The result of the fast path.
pub enum Lookup<R> {
    /// The result.
    Hit(R),
    /// The driver has to look.
    Miss(CallStart),
}

impl<S: StoreKind> Site<S> {
    /// The site of a function that is not generic.
    pub const fn new(make_spec: fn(&'static str) -> FunctionSpec) -> Self {
        Self {
            make_spec,
            instantiation: "",
            main: OnceLock::new(),
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

    /// Looks for a value at hand, and counts and times a hit.
    ///
    /// Inlined, so that a hit makes no call and its result does not go through memory.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn lookup<Sh: ReturnType, A>(
        &'static self,
        return_type: Sh,
        arguments: &A,
        slot: Option<&'static LocalKey<LocalSlot>>,
    ) -> Lookup<Sh::Return>
    where
        A: Arguments<Sh, StoreKind = S>,
    {
        let instance = self.instance();
        let function = &instance.core.function;
        if !function.is_enabled() {
            return Lookup::Miss(CallStart::Undecided);
        }
        let local = slot.and_then(|slot| instance.metrics().attached(slot));
        if let Some(slot) = slot
            && local.is_none_or(Local::times_hit)
        {
            return instance.lookup_cold(return_type, arguments, local, slot);
        }
        match arguments.hit(instance) {
            Some(value) => instance.finish_hit(return_type, value, local),
            None => instance.finish_miss(local),
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
    fn metrics(&self) -> &'static CacheMetrics {
        let metrics = self.core.function.metrics;
        metrics.expect("the attribute has `enable_metrics`")
    }

    /// The fast path of a call that is timed, or the first one of its thread. Separate, so that other calls keep no
    /// registers for it.
    #[cold]
    #[inline(never)]
    fn lookup_cold<Sh: ReturnType, A>(
        &'static self,
        return_type: Sh,
        arguments: &A,
        local: Option<Local>,
        slot: &'static LocalKey<LocalSlot>,
    ) -> Lookup<Sh::Return>
    where
        A: Arguments<Sh, StoreKind = S>,
    {
        let local = local.unwrap_or_else(|| self.metrics().local(slot));
        let clock = &self.core.function.context.clock;
        let started = local.times_hit().then(|| clock.now());
        let Some(found) = arguments.detailed_hit(self) else {
            return self.finish_miss(Some(local));
        };
        if let Some(started) = started {
            let hit = TimedHit {
                started,
                ended: clock.now(),
                computed: found.computed,
                compute: found.compute_nanos,
            };
            local.timed_hit(slot, hit);
        }
        self.finish_hit(return_type, found.value, Some(local))
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn finish_hit<Sh: ReturnType>(
        &self,
        return_type: Sh,
        value: Sh::Value,
        local: Option<Local>,
    ) -> Lookup<Sh::Return> {
        if let Some(local) = local {
            local.hit();
            if S::HAS_NEAR_TIER {
                local.near_hit();
            }
        }
        self.core.function.explain_hit();
        Lookup::Hit(return_type.join(value))
    }

    fn finish_miss<R>(&self, local: Option<Local>) -> Lookup<R> {
        if S::HAS_NEAR_TIER
            && let Some(metrics) = self.core.function.metrics
        {
            metrics.near_lookup(NearResult::Miss);
        }
        Lookup::Miss(CallStart::Decided(local.and_then(Local::sample)))
    }
}
