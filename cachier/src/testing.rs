//! For tests of code that uses cached functions: isolation, and a clock that obeys.
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

use crate::options::GlobalParams;
use crate::switches::Switches;
use crate::timer::{Kind, Timer};
use crate::world::{self, World, WorldId};

/// Runs the closure in a world of its own: empty caches, default parameters, fresh metrics, and a clock that stands still
/// until [`Clock::advance`].
///
/// Background work that starts inside belongs to it. Threads and tasks that the closure spawns itself do not, unless
/// they run on the same thread, as those of a current-thread runtime do.
///
/// On a persistent backend the world has a namespace of its own.
pub fn isolated<R>(run: impl FnOnce() -> R) -> R {
    world::inside(new_world(), run)
}

/// As [`isolated`], for a future: whatever thread polls it.
pub async fn isolated_async<F: Future>(future: F) -> F::Output {
    world::enter(new_world(), future).await
}

/// A handle on the world of the calling code, to take it along to another thread.
///
/// ```
/// use cachier::testing::{IsolatedWorld, isolated};
///
/// isolated(|| {
///     let world = IsolatedWorld::current();
///     std::thread::spawn(move || world.run(|| { /* the same caches as outside */ }));
/// });
/// ```
#[derive(Clone, Copy)]
pub struct IsolatedWorld(&'static World);

impl IsolatedWorld {
    /// The world of the calling code.
    #[must_use]
    pub fn current() -> Self {
        Self(world::current())
    }

    /// Runs the closure in it.
    pub fn run<R>(self, run: impl FnOnce() -> R) -> R {
        world::inside(self.0, run)
    }
}

/// The clock of the isolated test that the calling code is part of.
#[derive(Debug)]
pub enum Clock {}

impl Clock {
    /// Lets time pass: values age, waits run out.
    ///
    /// # Panics
    /// Outside [`isolated`], where time passes by itself.
    pub fn advance(by: Duration) {
        let world =
            world::isolated().expect("`Clock::advance` works inside `testing::isolated` only");
        world.clock.advance(by);
        world.timer.fire();
    }
}

fn new_world() -> &'static World {
    let id = WorldId::isolated();
    let clock = Source::manual();
    let timer = Box::leak(Box::new(Timer::new(clock.clone(), Kind::Manual)));
    let params = GlobalParams::new().namespace(namespace(id));
    Box::leak(Box::new(World::new(
        id,
        clock,
        timer,
        params,
        Switches::default(),
    )))
}

/// A namespace that no test has had before, not even one of an earlier process with the same number.
fn namespace(id: WorldId) -> String {
    static START: LazyLock<u128> = LazyLock::new(|| {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since_epoch.map_or(0, |passed| passed.as_nanos())
    });
    let process = std::process::id();
    format!("isolated-{:x}-{process}-{}", *START, id.number())
}
