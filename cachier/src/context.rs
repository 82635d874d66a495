//! The state that cached functions share: parameters, switches, backends, the clock, background work.
//!
//! A program has one context. Each isolated test has one of its own, so that nothing leaks between parallel tests.

use std::cell::Cell;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
#[cfg(any(feature = "tokio", feature = "testing"))]
use std::{
    future::{Future, poll_fn},
    pin::pin,
};

use cachier_backends::process::{PerProcess, copied};
use cachier_metrics::{
    Clock, StoreSource, set_background_probe, set_readiness_probe, set_tick_listener,
    set_warning_handler,
};

#[cfg(feature = "persistent")]
use crate::backends::Backends;
#[cfg(feature = "persistent")]
use crate::breaker::Limits;
use crate::environment;
use crate::history;
#[cfg(not(feature = "persistent"))]
use crate::no_backends::Backends;
use crate::options::{GlobalParams, Params};
use crate::pending::PendingWork;
use crate::problems;
use crate::random::Random;
use crate::readiness::readiness;
use crate::registry::Registry;
use crate::switches::Switches;
use crate::timer::Timer;
use once_cell::race::OnceBox;

/// The state that cached functions share.
pub(crate) struct Context {
    pub(crate) id: ContextId,
    pub(crate) clock: Clock,
    pub(crate) timer: &'static Timer,
    pub(crate) pending: PendingWork,
    pub(crate) backends: Backends,
    pub(crate) registry: Registry,
    pub(crate) random: Random,
    params: PerProcess<Mutex<Arc<Params>>>,
    /// Counts changes of parameters and backends, so that functions notice them.
    revision: AtomicU64,
}

/// Tells contexts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ContextId(u64);

impl ContextId {
    pub(crate) const MAIN: Self = Self(0);

    #[cfg(feature = "testing")]
    pub(crate) fn isolated() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    #[cfg(feature = "testing")]
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

thread_local! {
    static CURRENT: Cell<Option<&'static Context>> = const { Cell::new(None) };
}

/// The context of the calling code: the program's, or an isolated test's.
pub(crate) fn current() -> &'static Context {
    isolated().unwrap_or_else(main)
}

/// The context of the isolated test around the calling code, if any.
#[inline]
pub(crate) fn isolated() -> Option<&'static Context> {
    if cfg!(feature = "testing") {
        CURRENT.try_with(Cell::get).ok().flatten()
    } else {
        None
    }
}

fn main() -> &'static Context {
    static MAIN: OnceBox<Context> = OnceBox::new();
    static STORES: OnceBox<StoreSource> = OnceBox::new();
    MAIN.get_or_init(|| {
        set_warning_handler(problems::report);
        set_tick_listener(|| {
            if let Some(main) = MAIN.get() {
                history::tick(main.params().program.metrics_dir.as_deref());
            }
        });
        set_background_probe(|| MAIN.get().map_or(0, |main| main.pending.tasks()));
        set_readiness_probe(|| {
            MAIN.get().map_or_else(Vec::new, |main| {
                readiness(&main.backends, &main.registry, &main.params())
            })
        });
        STORES.get_or_init(|| {
            Box::new(StoreSource::listed(|| {
                MAIN.get()
                    .map_or_else(Vec::new, |main| main.backends.figures())
            }))
        });
        Box::new(Context::new(
            ContextId::MAIN,
            Clock::system(),
            Timer::system(),
            GlobalParams::new(),
            environment::switches(),
            Random::unforeseeable(),
        ))
    })
}

/// Polls the future as part of the context, on any thread.
#[cfg(any(feature = "tokio", feature = "testing"))]
pub(crate) async fn scope<F: Future>(context: &'static Context, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| sync_scope(context, || future.as_mut().poll(cx))).await
}

/// Runs the closure as part of the context.
pub(crate) fn sync_scope<R>(context: &'static Context, run: impl FnOnce() -> R) -> R {
    struct Leave(Option<&'static Context>);
    impl Drop for Leave {
        fn drop(&mut self) {
            // During thread teardown there is no context to return to.
            let _ = CURRENT.try_with(|current| current.set(self.0));
        }
    }
    let isolated = (context.id != ContextId::MAIN).then_some(context);
    let _leave = Leave(
        CURRENT
            .try_with(|current| current.replace(isolated))
            .ok()
            .flatten(),
    );
    run()
}

impl Context {
    pub(crate) fn new(
        id: ContextId,
        clock: Clock,
        timer: &'static Timer,
        params: GlobalParams,
        switches: Switches,
        random: Random,
    ) -> Self {
        Self {
            id,
            clock,
            timer,
            pending: PendingWork::default(),
            backends: Backends::default(),
            registry: Registry::new(switches),
            random,
            params: PerProcess::with(Mutex::new(Arc::new(Params::new(params))), copied),
            revision: AtomicU64::new(1),
        }
    }

    pub(crate) fn params(&self) -> Arc<Params> {
        Arc::clone(&self.params.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the parameters of the program, or its policies.
    pub(crate) fn change_params(&self, change: impl FnOnce(&mut Params)) {
        let mut current = self.params.lock().unwrap_or_else(PoisonError::into_inner);
        let mut params = (**current).clone();
        change(&mut params);
        let params = Arc::new(params);
        let before = mem::replace(&mut *current, Arc::clone(&params));
        drop(current);
        self.params_changed();
        // Near values were stored under the old parameters.
        if before.of_near() != params.of_near() {
            self.registry.clear_near();
        }
    }

    /// When breakers open, and for how long.
    #[cfg(feature = "persistent")]
    pub(crate) fn breaker_limits(&self) -> Limits {
        let program = &self.params().program;
        Limits {
            threshold: program.breaker_threshold,
            first_pause: program.breaker_pause,
            max_pause: program.breaker_max_pause,
        }
    }

    /// How often parameters or backends have changed.
    pub(crate) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Applies changed parameters or backends to every function.
    pub(crate) fn params_changed(&self) {
        self.registry.update_params();
        // After the functions: a reader of the new revision sees their new policies too.
        self.revision.fetch_add(1, Ordering::AcqRel);
    }

    /// Applies a change of where functions store: none may serve near values from its old store.
    pub(crate) fn stores_changed(&self) {
        self.params_changed();
        self.registry.clear_near();
    }
}
