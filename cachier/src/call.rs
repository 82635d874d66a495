//! Options and results of calls.

use std::fmt;
use std::time::Duration;

use cachier_backends::Error;
pub use cachier_metrics::{Outcome, Tier};

use crate::decision::Intent;

/// How one call wants the cache to be used.
///
/// ```
/// # use std::time::Duration;
/// # use cachier::CallOptions;
/// // A value of at most a minute, whatever the function's own `stale_after` allows.
/// let options = CallOptions::new().max_age(Duration::from_secs(60));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct CallOptions {
    pub(crate) max_age: Option<Duration>,
    pub(crate) intent: Intent,
    pub(crate) bypasses: bool,
}

impl CallOptions {
    /// Options that change nothing.
    pub const fn new() -> Self {
        Self {
            max_age: None,
            intent: Intent::Use,
            bypasses: false,
        }
    }

    /// Accepts only values up to this age; zero always recomputes.
    ///
    /// Applies together with the function's `stale_after`: the shorter one counts. An older value is served neither by
    /// `next_time` nor by `stale_on_error`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cachier::{CallOptions, Outcome, cachier};
    /// # #[cachier(backend = "memory")]
    /// # fn square(n: u64) -> u64 {
    /// #     n * n
    /// # }
    /// square(4);
    /// let anew = CallOptions::new().max_age(Duration::ZERO);
    /// assert_eq!(square::call_detailed(anew, 4).outcome, Outcome::Miss);
    /// ```
    #[doc(alias = "cachier__stale_after")]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Calls the function without reading or writing the cache.
    ///
    /// ```
    /// # use cachier::{CallOptions, cachier};
    /// # #[cachier(backend = "memory")]
    /// # fn square(n: u64) -> u64 {
    /// #     n * n
    /// # }
    /// assert_eq!(square::call_with(CallOptions::new().skip_cache(), 4), 16);
    /// assert_eq!(square::peek(4)?, None);
    /// # Ok::<(), cachier::Error>(())
    /// ```
    #[doc(alias("cachier__skip_cache", "ignore_cache"))]
    pub const fn skip_cache(mut self) -> Self {
        self.bypasses = true;
        self
    }

    /// Calls the function whatever is stored, and stores its result.
    ///
    /// ```
    /// # use cachier::{CallOptions, cachier};
    /// # #[cachier(backend = "memory")]
    /// # fn square(n: u64) -> u64 {
    /// #     n * n
    /// # }
    /// square::precache_value(4, 17)?;
    /// assert_eq!(square::call_with(CallOptions::new().overwrite_cache(), 4), 16);
    /// assert_eq!(square(4), 16);
    /// # Ok::<(), cachier::Error>(())
    /// ```
    #[doc(alias = "cachier__overwrite_cache")]
    pub const fn overwrite_cache(mut self) -> Self {
        self.intent = Intent::Overwrite;
        self.bypasses = false;
        self
    }
}

/// A returned value together with how it came about.
///
/// Its `Display` explains the call in one line.
///
/// ```
/// use cachier::{CallOptions, Outcome, Tier, cachier};
///
/// #[cachier(backend = "memory")]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// square(4);
/// let call = square::call_detailed(CallOptions::new(), 4);
/// assert_eq!((call.value, call.outcome, call.tier), (16, Outcome::Hit, Some(Tier::Backend)));
/// println!("{call}"); // hit from the backend, 5.1µs old, in 200.0ns
/// ```
#[derive(Debug)]
#[non_exhaustive]
#[doc(alias = "cachier__verbose")]
pub struct Call<R> {
    /// The value returned by the function, or by the cache in its place.
    pub value: R,
    /// How the call ended.
    pub outcome: Outcome,
    /// Age of the value; `None` if this call computed it.
    pub age: Option<Duration>,
    /// Where the value was found; `None` if it was computed.
    pub tier: Option<Tier>,
    /// How long the call took.
    pub elapsed: Duration,
    /// The call's first backend failure.
    pub backend_error: Option<Error>,
}

impl Call<()> {
    /// The same call with its value.
    pub(crate) fn with<R>(self, value: R) -> Call<R> {
        let Self {
            value: (),
            outcome,
            age,
            tier,
            elapsed,
            backend_error,
        } = self;
        Call {
            value,
            outcome,
            age,
            tier,
            elapsed,
            backend_error,
        }
    }
}

impl<R> fmt::Display for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.outcome.label())?;
        match self.tier {
            Some(Tier::Near) => f.write_str(" from the near tier")?,
            Some(_) => f.write_str(" from the backend")?,
            None => {}
        }
        if let Some(age) = self.age {
            write!(f, ", {age:.1?} old")?;
        }
        write!(f, ", in {:.1?}", self.elapsed)?;
        if let Some(error) = &self.backend_error {
            write!(f, "; backend: {error}")?;
        }
        Ok(())
    }
}

/// How a call ended; its result is in the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    pub(crate) outcome: Outcome,
    pub(crate) age: Option<Duration>,
    pub(crate) tier: Option<Tier>,
    /// How long the served value took to compute.
    pub(crate) compute_nanos: Option<u64>,
}

impl Completion {
    /// The cache was not consulted.
    pub(crate) const BYPASS: Self = Self::uncached(Outcome::Bypass);

    /// A completion without a cached value.
    pub(crate) const fn uncached(outcome: Outcome) -> Self {
        Self {
            outcome,
            age: None,
            tier: None,
            compute_nanos: None,
        }
    }
}

/// How the caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallMode {
    /// On its thread, which may block.
    Sync,
    /// In a task, whose thread must not block.
    Async,
}
