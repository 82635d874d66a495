//! The exporter to the facade of the crate `metrics`: to whatever recorder the program has installed.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Key, Label, Level, Metadata, Recorder, Unit, with_recorder};

use super::deltas::SentTotals;
use super::error::ExportError;
use super::exporter::MetricsExporter;
use super::family::{MetricFamily, MetricKind, MetricUnit, SampleValue};
use super::periodic::Periodic;
use super::registry::MetricsRegistry;
use super::scope::Scope;
use super::series::Series;
use crate::histogram::Histogram;
use crate::per_process::PerProcess;
use crate::sync::{Mutex, lock};

/// Brings the figures of functions to the recorder that the program has installed for the crate `metrics`, every ten
/// seconds unless told otherwise, or with each [`flush`](MetricsExporter::flush).
///
/// Names are those of Prometheus: `cachier_calls_total`. Counters are set, so that they are right whenever the recorder
/// came; a recorder takes whole numbers for them, so that `time_saved_seconds_total` is in whole seconds. Observations
/// since the last time go to its histograms, a bucket at a time with its middle as the value: within 2.2 %. They go
/// there once: for a recorder that is installed later, histograms begin then, so install it first.
///
/// In a forked child it records nothing until it is started there. Dropping it stops it, without a last time.
///
/// ```
/// use cachier_metrics::{CacheMetrics, FacadeExporter, MetricsExporter as _, MetricsOptions};
///
/// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory"));
/// let exporter = FacadeExporter::builder().build()?;
/// exporter.register_function(metrics)?;
/// exporter.start()?;
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Debug)]
pub struct FacadeExporter {
    facade: Arc<Facade>,
    periodic: Periodic,
}

/// Configures a [`FacadeExporter`].
///
/// ```
/// use std::time::Duration;
/// use cachier_metrics::FacadeExporter;
///
/// let exporter = FacadeExporter::builder()
///     .constant_label("service", "shop")
///     .interval(Duration::from_secs(1))
///     .build()?;
/// # drop(exporter);
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct FacadeBuilder {
    interval: Option<Duration>,
    scope: Scope,
}

/// The state shared by the exporter and its thread.
#[derive(Debug)]
struct Facade {
    registry: MetricsRegistry,
    /// Locked for a recording. A forked child counts from zero.
    sent_totals: PerProcess<Mutex<SentTotals>>,
}

const THREAD: &str = "cachier-facade";
const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
/// The level and target that recorders filter by.
const METADATA: Metadata<'static> = Metadata::new("cachier", Level::INFO, Some("cachier_metrics"));

impl FacadeExporter {
    /// A builder for the recorder of the program.
    pub fn builder() -> FacadeBuilder {
        FacadeBuilder::default()
    }
}

impl FacadeBuilder {
    /// How often figures are recorded: every ten seconds by default.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Begins all names with this instead of `cachier`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.scope.prefix = Some(prefix.into());
        self
    }

    /// Adds a label to all figures: `service`, `environment`, `tenant`.
    pub fn constant_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.scope.labels.push((name.into(), value.into()));
        self
    }

    /// The most series, 20,000 unless set: see [`MetricsRegistry::max_series`].
    pub fn max_series(mut self, max_series: usize) -> Self {
        self.scope.max_series = Some(max_series);
        self
    }

    /// The exporter. Registers nothing and records nothing yet.
    ///
    /// # Errors
    /// When the prefix or a label cannot be used.
    pub fn build(self) -> Result<FacadeExporter, ExportError> {
        let registry = self
            .scope
            .limit(MetricsRegistry::new("metrics").without_buckets())?;
        let interval = self.interval.unwrap_or(DEFAULT_INTERVAL);
        Ok(FacadeExporter {
            facade: Arc::new(Facade {
                registry,
                sent_totals: PerProcess::new(),
            }),
            periodic: Periodic::new(THREAD, interval),
        })
    }
}

impl MetricsExporter for FacadeExporter {
    fn registry(&self) -> &MetricsRegistry {
        &self.facade.registry
    }

    fn start(&self) -> Result<(), ExportError> {
        let facade = Arc::clone(&self.facade);
        self.periodic.start(move || facade.record())
    }

    fn flush(&self) -> Result<(), ExportError> {
        self.facade.record();
        Ok(())
    }

    fn stop(&self) {
        if self.periodic.stop() {
            self.facade.record();
        }
    }
}

impl Facade {
    fn record(&self) {
        let mut sent = lock(self.sent_totals.get(|_| Mutex::default()));
        let export = self.registry.gather();
        with_recorder(|recorder| {
            for family in export.families() {
                record(&family, recorder, &mut sent);
            }
        });
    }
}

fn record(family: &MetricFamily<'_>, recorder: &dyn Recorder, sent: &mut SentTotals) {
    let name = family.full_name();
    let unit = match family.unit {
        MetricUnit::Seconds => Some(Unit::Seconds),
        MetricUnit::Bytes => Some(Unit::Bytes),
        MetricUnit::None => None,
    };
    let (of, help) = (name.clone().into(), family.help.into());
    match family.kind {
        MetricKind::Counter => recorder.describe_counter(of, unit, help),
        MetricKind::Gauge => recorder.describe_gauge(of, unit, help),
        MetricKind::Histogram => recorder.describe_histogram(of, unit, help),
    }
    for sample in &family.samples {
        let labels = sample.labels.iter();
        let labels =
            labels.map(|(name, value)| Label::new((*name).to_owned(), (*value).to_owned()));
        let key = Key::from_parts(name.clone(), labels.collect::<Vec<_>>());
        match (&sample.value, family.kind) {
            (SampleValue::Count(count), MetricKind::Counter) => {
                recorder.register_counter(&key, &METADATA).absolute(*count);
            }
            (SampleValue::Number(number), MetricKind::Counter) => {
                recorder
                    .register_counter(&key, &METADATA)
                    .absolute(*number as u64);
            }
            (SampleValue::Count(count), _) => {
                recorder.register_gauge(&key, &METADATA).set(*count as f64);
            }
            (SampleValue::Number(number), _) => {
                recorder.register_gauge(&key, &METADATA).set(*number);
            }
            (SampleValue::Histogram(histogram), _) => {
                let into = recorder.register_histogram(&key, &METADATA);
                observe(&into, &Series::of(family, sample), histogram, sent);
            }
        }
    }
}

/// Records the observations that have not been sent.
fn observe(
    into: &metrics::Histogram,
    series: &Series,
    histogram: &Histogram,
    sent: &mut SentTotals,
) {
    for bucket in &histogram.buckets {
        let count = bucket.count as f64;
        if let Some(delta) = sent.delta(series, Some(bucket.index), count) {
            into.record_many(bucket.middle(), delta.new as usize);
            sent.mark_sent(delta);
        }
    }
}
