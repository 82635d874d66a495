//! Spans of calls, for `tracing`. Without that feature, nothing of them is left.

use std::time::Duration;

use cachier_metrics::{Outcome, Tier};

#[cfg(feature = "tracing")]
use self::choice::CallSpans;

/// The span of a call, if it has one. Never holds a key or an argument.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallSpan {
    #[cfg(feature = "tracing")]
    span: Option<tracing::Span>,
}

/// A part of a call, which began in this thread and ends in it.
#[derive(Debug, Default)]
pub(crate) struct EnteredSpan {
    #[cfg(feature = "tracing")]
    _entered: Option<tracing::span::EnteredSpan>,
}

/// The subject of a call.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "nobody is told"))]
pub(crate) struct CallOf<'a> {
    pub(crate) function: &'a str,
    pub(crate) backend: &'a dyn Fn() -> String,
    /// The age from which a value is stale.
    pub(crate) ttl: Option<Duration>,
}

pub(crate) use self::imp::may_listen;

#[cfg(feature = "tracing")]
mod imp {
    use tracing::field::Empty;

    use super::*;

    /// Whether anybody may listen to what a hit could tell: a comparison.
    #[inline]
    pub(crate) fn may_listen() -> bool {
        tracing::level_enabled!(tracing::Level::INFO)
    }

    impl CallSpan {
        /// Whether such a call has one.
        pub(crate) fn is_chosen(is_sampled: bool) -> bool {
            match CallSpans::chosen() {
                CallSpans::Off => false,
                CallSpans::Sampled => is_sampled,
                CallSpans::All => true,
            }
        }

        /// The span of a call that begins now.
        pub(crate) fn begin(is_sampled: bool, call: CallOf<'_>) -> Self {
            let span = Self::is_chosen(is_sampled).then(|| {
                tracing::info_span!(
                    target: "cachier",
                    "cachier.call",
                    function = call.function,
                    backend = (call.backend)().as_str(),
                    cache.operation = "get",
                    cache.ttl = call.ttl.map(|ttl| ttl.as_secs_f64()),
                    cache.hit = Empty,
                    cache.item_size = Empty,
                    outcome = Empty,
                    tier = Empty,
                    age = Empty,
                )
            });
            Self { span }
        }

        /// Records the outcome of the call.
        pub(crate) fn end(&self, outcome: Outcome, tier: Option<Tier>, age: Option<Duration>) {
            let Some(span) = &self.span else {
                return;
            };
            span.record("outcome", outcome.label());
            let is_hit = match outcome {
                Outcome::Hit | Outcome::Stale => Some(true),
                Outcome::Miss | Outcome::Coalesced => Some(false),
                // The cache was not asked, or did not answer.
                _ => None,
            };
            span.record("cache.hit", is_hit);
            span.record("tier", tier.map(Tier::label));
            span.record("age", age.map(|age| age.as_secs_f64()));
        }

        /// The size of the value that it has loaded or stored.
        pub(crate) fn item_size(&self, bytes: Option<u64>) {
            if let Some(span) = &self.span {
                span.record("cache.item_size", bytes);
            }
        }

        /// Makes the work of this thread a part of the call, until dropped.
        pub(crate) fn entered(&self) -> EnteredSpan {
            EnteredSpan {
                _entered: self.span.clone().map(tracing::Span::entered),
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod imp {
    use super::*;

    #[inline]
    pub(crate) fn may_listen() -> bool {
        false
    }

    impl CallSpan {
        #[inline]
        pub(crate) fn is_chosen(_is_sampled: bool) -> bool {
            false
        }

        #[inline]
        pub(crate) fn begin(_is_sampled: bool, _call: CallOf<'_>) -> Self {
            Self {}
        }

        #[inline]
        pub(crate) fn end(&self, _: Outcome, _: Option<Tier>, _: Option<Duration>) {}

        #[inline]
        pub(crate) fn item_size(&self, _bytes: Option<u64>) {}

        #[inline]
        pub(crate) fn entered(&self) -> EnteredSpan {
            EnteredSpan {}
        }
    }
}

#[cfg(feature = "tracing")]
pub(crate) mod choice {
    use std::sync::atomic::{AtomicU8, Ordering};

    /// Which calls have a span named `cachier.call`, at the level `INFO` with the target `cachier`.
    ///
    /// A span tells `outcome`, `tier`, `age` (seconds), `function`, `backend` and, by the names that systems of tracing share,
    /// `cache.hit`, `cache.operation`, `cache.ttl` (seconds) and `cache.item_size` (bytes), where they are known; never a key or
    /// an argument. What the function does meanwhile is a part of it. The span of a hit is over as it begins.
    ///
    /// ```
    /// use cachier::{CallSpans, set_call_spans};
    ///
    /// set_call_spans(CallSpans::All);
    /// # set_call_spans(CallSpans::Sampled);
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum CallSpans {
        /// None.
        Off,
        /// Sampled calls: of functions with metrics, at their `sampling_rate`.
        #[default]
        Sampled,
        /// All of all functions. A hit that is not sampled does not tell the age of its value.
        All,
    }

    static CHOSEN: AtomicU8 = AtomicU8::new(CallSpans::Sampled as u8);

    /// Chooses which calls have a span, from now on: those that are sampled unless set.
    ///
    /// ```
    /// cachier::set_call_spans(cachier::CallSpans::Off);
    /// # cachier::set_call_spans(cachier::CallSpans::Sampled);
    /// ```
    pub fn set_call_spans(spans: CallSpans) {
        CHOSEN.store(spans as u8, Ordering::Relaxed);
    }

    impl CallSpans {
        pub(crate) fn chosen() -> Self {
            match CHOSEN.load(Ordering::Relaxed) {
                chosen if chosen == Self::Off as u8 => Self::Off,
                chosen if chosen == Self::All as u8 => Self::All,
                _ => Self::Sampled,
            }
        }
    }
}
