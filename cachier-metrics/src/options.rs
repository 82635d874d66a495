//! What the metrics of a function are made with.

use crate::clock::Clock;
use crate::sampling::SamplingRate;

/// Options for [`CacheMetrics::create`](crate::CacheMetrics::create).
///
/// ```
/// use cachier_metrics::{CacheMetrics, Clock, MetricsOptions, SamplingRate};
///
/// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory").sampling(SamplingRate::new(0.1)).clock(Clock::manual()).unlisted());
/// assert_eq!((metrics.name(), metrics.sampling_rate()), ("forecast", 0.1));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MetricsOptions {
    /// The function's name, a label of everything exported.
    pub function: String,
    /// The backend's name, a label as well.
    pub backend: String,
    /// The share of timed calls.
    pub sampling: SamplingRate,
    /// The source of time.
    pub clock: Clock,
    /// Whether the function is listed in the process, for the ticker and `register_all`.
    pub listed: bool,
    /// What the program has set for the function, as people read it.
    pub settings: Vec<(&'static str, String)>,
}

impl MetricsOptions {
    /// Samples at [`SamplingRate::AUTO`], uses the system clock, and is listed.
    pub fn new(function: impl Into<String>, backend: impl Into<String>) -> Self {
        Self {
            function: function.into(),
            backend: backend.into(),
            sampling: SamplingRate::AUTO,
            clock: Clock::system(),
            listed: true,
            settings: Vec::new(),
        }
    }

    /// Shows these settings on the function's page.
    #[must_use]
    pub fn settings(self, settings: Vec<(&'static str, String)>) -> Self {
        Self { settings, ..self }
    }

    /// Times this share of calls.
    #[must_use]
    pub fn sampling(self, sampling: SamplingRate) -> Self {
        Self { sampling, ..self }
    }

    /// Takes the time from this clock.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Keeps the function out of the list of the process.
    #[must_use]
    pub fn unlisted(self) -> Self {
        Self {
            listed: false,
            ..self
        }
    }
}
