//! Support for tests of code that uses cached functions: isolation, and a manual clock.
//!
//! ```
//! use std::time::Duration;
//! use cachier::testing::{Clock, isolated};
//! # use cachier::cachier;
//!
//! #[cachier(backend = "memory", stale_after = "1h", enable_metrics)]
//! fn forecast(day: u32) -> u32 {
//!     day * 2
//! }
//!
//! isolated(|| {
//!     forecast(3);
//!     forecast(3);
//!     Clock::advance(Duration::from_secs(3601));
//!     forecast(3);
//!     assert_eq!(forecast::metrics().stats().misses, 2);
//! });
//! ```

use std::future::Future;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use cachier_metrics::Clock as Source;

use crate::context::{self, Context, ContextId};
use crate::options::GlobalParams;
use crate::random::Random;
use crate::switches::Switches;
use crate::timer::{Timer, TimerKind};

/// Runs the closure in a context of its own: empty caches, default parameters, fresh metrics, a clock that stands still until
/// [`Clock::advance`], and the same random numbers in each run.
///
/// Background work that starts inside belongs to it. Threads and tasks that the closure spawns do not, unless they run on
/// the same thread, as those of a current-thread runtime do.
///
/// On a persistent backend the context has a namespace of its own.
///
/// ```
/// use cachier::testing::isolated;
/// # use cachier::cachier;
///
/// #[cachier(backend = "memory", enable_metrics)]
/// fn forecast(day: u32) -> u32 {
///     day * 2
/// }
///
/// forecast(3);
/// isolated(|| {
///     assert_eq!(forecast::peek(3)?, None);
///     assert_eq!(forecast::metrics().stats().calls, 0);
///     Ok::<(), cachier::Error>(())
/// })?;
/// # Ok::<(), cachier::Error>(())
/// ```
pub fn isolated<R>(run: impl FnOnce() -> R) -> R {
    context::sync_scope(new_context(), run)
}

/// Like [`isolated`], for a future, whatever thread polls it.
///
/// ```
/// use cachier::testing::isolated_async;
/// # use cachier::cachier;
///
/// #[cachier(backend = "memory")]
/// async fn forecast(day: u32) -> u32 {
///     day * 2
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// isolated_async(async {
///     assert_eq!(forecast(3).await, 6);
/// })
/// .await;
/// # }
/// ```
pub async fn isolated_async<F: Future>(future: F) -> F::Output {
    context::scope(new_context(), future).await
}

/// A handle on the context of the calling code, to take it along to another thread.
///
/// ```
/// use cachier::testing::{IsolatedContext, isolated};
///
/// isolated(|| {
///     let context = IsolatedContext::current();
///     std::thread::spawn(move || context.run(|| { /* the same caches as outside */ }));
/// });
/// ```
#[derive(Clone, Copy)]
pub struct IsolatedContext(&'static Context);

impl IsolatedContext {
    /// The context of the calling code.
    #[must_use]
    pub fn current() -> Self {
        Self(context::current())
    }

    /// Runs the closure in the context.
    pub fn run<R>(self, run: impl FnOnce() -> R) -> R {
        context::sync_scope(self.0, run)
    }
}

/// The clock of the isolated test around the calling code.
///
/// ```
/// use std::time::Duration;
/// use cachier::testing::{Clock, isolated};
/// # use cachier::{CallOptions, Outcome, cachier};
///
/// #[cachier(backend = "memory", stale_after = "10m")]
/// fn forecast(day: u32) -> u32 {
///     day * 2
/// }
///
/// isolated(|| {
///     forecast(3);
///     Clock::advance(Duration::from_secs(601));
///     assert_eq!(forecast::call_detailed(CallOptions::new(), 3).outcome, Outcome::Miss);
/// });
/// ```
#[derive(Debug)]
pub enum Clock {}

impl Clock {
    /// Lets time pass: values age, waits run out.
    ///
    /// # Panics
    /// Outside [`isolated`], where time passes by itself.
    pub fn advance(by: Duration) {
        let context =
            context::isolated().expect("`Clock::advance` works inside `testing::isolated` only");
        context.clock.advance(by);
        context.timer.fire();
    }
}

fn new_context() -> &'static Context {
    let id = ContextId::isolated();
    let clock = Source::manual();
    let timer = Box::leak(Box::new(Timer::new(clock.clone(), TimerKind::Manual)));
    let params = GlobalParams::new().namespace(namespace(id));
    Box::leak(Box::new(Context::new(
        id,
        clock,
        timer,
        params,
        Switches::default(),
        // The same in each run of a test.
        Random::seeded(0),
    )))
}

/// A namespace that no test has had before, not even in an earlier process of the same id.
fn namespace(id: ContextId) -> String {
    static START: LazyLock<u128> = LazyLock::new(|| {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since_epoch.map_or(0, |passed| passed.as_nanos())
    });
    let process = std::process::id();
    format!("isolated-{:x}-{process}-{}", *START, id.number())
}
