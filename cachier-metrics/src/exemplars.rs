//! Exemplars: sampled calls by which a person finds the trace that a figure came from.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::append_list::AppendList;
use crate::labelled::Labelled;
use crate::labels::Outcome;
use crate::per_process::PerProcess;
use crate::sync::Mutex;

/// What tells a call from others: as a rule the trace that it is part of.
///
/// ```
/// use cachier_metrics::Exemplar;
///
/// assert!(Exemplar::new([("trace_id", "0af7651916cd43dd8448eb211c80319c")]).is_some());
/// assert!(Exemplar::new([("trace id", "a name has no spaces")]).is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exemplar {
    labels: Vec<(String, String)>,
}

/// An exemplar with what was observed.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub(crate) exemplar: Exemplar,
    pub(crate) duration: Duration,
    pub(crate) time: SystemTime,
}

/// The latest exemplars of a function's calls, by outcome and power of four of their duration in seconds.
#[derive(Debug, Default)]
pub(crate) struct Exemplars {
    kept: PerProcess<Mutex<Kept>>,
}

type Kept = BTreeMap<(usize, i32), Observed>;

/// Those of a moment, by outcome.
pub(crate) type ExemplarsRead = Labelled<Outcome, Vec<Observed>>;

/// Says what a call is an exemplar of, on the thread of the call.
pub(crate) type ExemplarSource = Arc<dyn Fn() -> Option<Exemplar> + Send + Sync>;

/// As OpenMetrics has it: of all names and values together.
const MAX_CHARACTERS: usize = 128;
/// Shorter and longer calls share one exemplar each: 60 ns, and 12 days.
const POWERS: std::ops::RangeInclusive<i32> = -12..=10;

/// The sources of this process; the last one is asked.
static SOURCES: AppendList<ExemplarSource> = AppendList::new();

/// Asks this source from now on.
pub(crate) fn ask(source: ExemplarSource) {
    SOURCES.add(source, Arc::ptr_eq);
}

impl Exemplar {
    /// One with these labels; `None` if a name is none, or if they are longer than the 128 characters that OpenMetrics allows.
    pub fn new<N: Into<String>, V: Into<String>>(
        labels: impl IntoIterator<Item = (N, V)>,
    ) -> Option<Self> {
        let labels = labels.into_iter();
        let labels: Vec<(String, String)> = labels
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let texts = labels.iter().flat_map(|(name, value)| [name, value]);
        let characters: usize = texts.map(|text| text.chars().count()).sum();
        let are_names = labels.iter().all(|(name, _)| is_label_name(name));
        (are_names && characters <= MAX_CHARACTERS).then_some(Self { labels })
    }

    /// The trace and the span of `tracing` that the call is in, as the crate `tracing-opentelemetry` hands them on; `None`
    /// where there is none, or where it is not recorded.
    ///
    /// ```
    /// use cachier_metrics::{Exemplar, PrometheusExporter};
    ///
    /// let exporter = PrometheusExporter::builder().exemplar(Exemplar::of_current_span).build()?;
    /// # drop(exporter);
    /// # Ok::<(), cachier_metrics::ExportError>(())
    /// ```
    #[cfg(feature = "tracing-opentelemetry")]
    #[must_use]
    pub fn of_current_span() -> Option<Self> {
        use opentelemetry::trace::TraceContextExt as _;
        use tracing_opentelemetry::OpenTelemetrySpanExt as _;

        let context = tracing::Span::current().context();
        let span = context.span();
        let span = span.span_context();
        let labels = [
            ("trace_id", span.trace_id().to_string()),
            ("span_id", span.span_id().to_string()),
        ];
        Self::new(labels).filter(|_| span.is_valid() && span.is_sampled())
    }

    /// Names and values.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(name, value)| (&**name, &**value))
    }
}

impl Exemplars {
    /// Keeps an exemplar of this call if there is a source, and it has one.
    #[inline]
    pub(crate) fn take(&self, outcome: Outcome, nanos: u64) {
        if !SOURCES.is_empty() {
            self.keep(outcome, Duration::from_nanos(nanos));
        }
    }

    #[cold]
    fn keep(&self, outcome: Outcome, duration: Duration) {
        // It is the program's: a panic there is none of the call's.
        let asked = catch_unwind(AssertUnwindSafe(|| SOURCES.last()?()));
        let Some(exemplar) = asked.ok().flatten() else {
            return;
        };
        let observed = Observed {
            exemplar,
            duration,
            time: SystemTime::now(),
        };
        // Calls do not wait for each other: the exemplar of one of them will do.
        if let Ok(mut kept) = self.kept.get(|_| Mutex::default()).try_lock() {
            kept.insert((outcome as usize, power(duration)), observed);
        }
    }

    pub(crate) fn read(&self) -> ExemplarsRead {
        let kept = crate::sync::lock(self.kept.get(|_| Mutex::default()));
        Labelled::from_fn(|outcome: Outcome| {
            let of_outcome =
                kept.range((outcome as usize, i32::MIN)..=(outcome as usize, i32::MAX));
            of_outcome.map(|(_, observed)| observed.clone()).collect()
        })
    }
}

/// The newest of these that took more than `above` and at most `upto`, in seconds.
pub(crate) fn between(observed: &[Observed], above: f64, upto: f64) -> Option<&Observed> {
    let is_between = |observed: &&Observed| {
        let seconds = observed.duration.as_secs_f64();
        above < seconds && seconds <= upto
    };
    observed
        .iter()
        .filter(is_between)
        .max_by_key(|observed| observed.time)
}

fn power(duration: Duration) -> i32 {
    let power = duration.as_secs_f64().log(4.0).ceil();
    (power as i32).clamp(*POWERS.start(), *POWERS.end())
}

fn is_label_name(name: &str) -> bool {
    let is_first = |first: char| first.is_ascii_alphabetic() || first == '_';
    let is_part = |part: char| part.is_ascii_alphanumeric() || part == '_';
    name.starts_with(is_first) && name.chars().all(is_part)
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn exemplars_are_as_openmetrics_allows() {
        assert!(Exemplar::new([("trace_id", "x".repeat(120))]).is_some());
        assert!(Exemplar::new([("trace_id", "ü".repeat(120))]).is_some());
        assert!(Exemplar::new([("trace_id", "x".repeat(121))]).is_none());
        for name in ["", "1", "trace-id", "ü"] {
            assert!(Exemplar::new([(name, "x")]).is_none(), "{name}");
        }
    }

    #[test]
    fn the_newest_within_a_bucket_is_shown() {
        let at = |seconds: f64, time: u64| Observed {
            exemplar: Exemplar::new([("n", time.to_string())]).unwrap(),
            duration: Duration::from_secs_f64(seconds),
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(time),
        };
        let observed = [at(0.5, 3), at(1.0, 9), at(1.5, 4), at(2.0, 5)];
        let shown = |above, upto| Some(between(&observed, above, upto)?.duration.as_secs_f64());
        assert_eq!(shown(0.0, 1.0), Some(1.0));
        assert_eq!(shown(1.0, 4.0), Some(2.0));
        assert_eq!(shown(2.0, f64::INFINITY), None);
    }

    #[test]
    fn powers_are_of_the_bucket_above() {
        let of = |nanos| power(Duration::from_nanos(nanos));
        assert_eq!(
            [0, 59, 1_000_000_000, 1_000_000_001, u64::MAX].map(of),
            [-12, -12, 0, 1, 10]
        );
    }
}
