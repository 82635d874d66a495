//! The figures that an exporter exports, and their names.

use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

use super::budget::Budget;
use super::error::ExportError;
use super::export::Export;
use super::functions::{FunctionGroup, Functions};
use super::naming::Naming;
use super::reading::{About, Program, Reading};
use crate::append_list::AppendList;
use crate::background::background_tasks;
use crate::labels::{
    AbandonReason, ComputePlace, ErrorLabel, Label, NearResult, Operation, Outcome, RemovalCause,
    StaleUse, Tier, WaitScope,
};
use crate::metrics::CacheMetrics;
use crate::pattern::NamePattern;
use crate::per_process::{PerProcess, copied};
use crate::stores::{StoreFigures, stores};
use crate::sync::{AtomicU64, Mutex, MutexGuard, lock};
use crate::warning::warn;

/// The functions of one exporter, with the prefix and the constant labels of all that it exports.
///
/// ```
/// use cachier_metrics::{CacheMetrics, MetricsOptions, MetricsRegistry};
///
/// let registry = MetricsRegistry::new("mine")
///     .prefix("shop_cache")?
///     .constant_label("environment", "staging")?;
/// registry.register_function(CacheMetrics::create(MetricsOptions::new("forecast", "memory")));
/// let export = registry.gather();
/// assert!(export.families().any(|family| family.full_name() == "shop_cache_calls_total"));
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Debug)]
pub struct MetricsRegistry {
    exporter: String,
    prefix: String,
    labels: Vec<(String, String)>,
    /// For all functions.
    budget: Budget,
    counts: PerProcess<ExportCounts>,
    functions: PerProcess<Mutex<Option<Functions>>>,
    /// Which functions of the process join by themselves. Known to a forked child whatever its parent was doing.
    patterns: AppendList<NamePattern>,
}

/// An exporter's counts of its own work.
#[derive(Debug, Default)]
struct ExportCounts {
    failures: AtomicU64,
    dropped: AtomicU64,
    requests: AtomicU64,
    sent_bytes: AtomicU64,
}

/// The labels of the catalogue, and those that Prometheus adds to histograms.
pub(super) const TAKEN_LABELS: [&str; 20] = [
    "function",
    "backend",
    "store",
    "cache",
    "exporter",
    "version",
    "window",
    "state",
    "le",
    "quantile",
    Outcome::KEY,
    NearResult::KEY,
    AbandonReason::KEY,
    ComputePlace::KEY,
    StaleUse::KEY,
    RemovalCause::KEY,
    Operation::KEY,
    ErrorLabel::KEY,
    WaitScope::KEY,
    Tier::KEY,
];

impl MetricsRegistry {
    /// An empty registry. `exporter` names the exporter in metrics about itself.
    #[must_use]
    pub fn new(exporter: impl Into<String>) -> Self {
        Self {
            exporter: exporter.into(),
            prefix: Naming::Native.prefix().to_owned(),
            labels: Vec::new(),
            budget: Budget::default(),
            counts: PerProcess::new(),
            functions: PerProcess::new(),
            patterns: AppendList::new(),
        }
    }

    /// Begins all names with `prefix` instead of `cachier`; with nothing if it is empty.
    ///
    /// # Errors
    /// When it has other characters than ASCII letters, digits and `_`, or begins with a digit.
    pub fn prefix(self, prefix: impl Into<String>) -> Result<Self, ExportError> {
        let prefix = prefix.into();
        match prefix.is_empty() || is_name(&prefix) {
            true => Ok(Self { prefix, ..self }),
            false => Err(ExportError::new(format!(
                "`{prefix}` is no prefix of metrics: it may have letters, digits and `_`, and begins with no digit"
            ))),
        }
    }

    /// Adds a label to everything that is exported: `service`, `environment`, `tenant`.
    ///
    /// # Errors
    /// When the name is not made of ASCII letters, digits and `_`, begins with a digit or `__`, or is taken: by a label of
    /// the catalogue, or by another constant one.
    pub fn constant_label(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, ExportError> {
        let name = name.into();
        let error = |problem: &str| Err(ExportError::new(format!("`{name}` {problem}")));
        if !is_name(&name) || name.starts_with("__") {
            return error(
                "is no name of a label: it has letters, digits and `_`, and begins with no digit and not with `__`",
            );
        }
        if TAKEN_LABELS.contains(&&*name) || self.labels.iter().any(|(known, _)| *known == name) {
            return error("cannot be a constant label: figures have a label of this name already");
        }
        self.labels.push((name, value.into()));
        Ok(self)
    }

    /// The most series, 20,000 unless set. Past half of them histograms of further functions go without their buckets, then
    /// functions without their rare labels, and the last ones share one name, `(other)`, so that no count is lost. The
    /// series of a function are fixed when it is registered.
    #[must_use]
    pub fn max_series(self, max_series: usize) -> Self {
        Self {
            budget: self.budget.of(max_series),
            ..self
        }
    }

    /// Series that an exporter adds to a function's usual ones: of buckets, and others.
    #[cfg(feature = "prometheus")]
    pub(crate) fn further_series(self, buckets: usize, others: usize) -> Self {
        Self {
            budget: self.budget.with_further(buckets, others),
            ..self
        }
    }

    /// For an exporter whose histograms are one series each, with all their buckets.
    #[cfg(any(
        feature = "cloudwatch",
        feature = "emf",
        feature = "metrics",
        feature = "otel",
        feature = "statsd"
    ))]
    pub(crate) fn without_buckets(self) -> Self {
        Self {
            budget: self.budget.without_buckets(),
            ..self
        }
    }

    /// Exports a function; once, however often it is registered. Functions that share a name and a backend are one
    /// series: their counters and histograms add up.
    pub fn register_function(&self, metrics: &'static CacheMetrics) {
        self.change(|functions| functions.register(metrics));
    }

    /// Exports the functions of the process whose names match a pattern, in which `*` stands for any text: those of now
    /// and those to come.
    pub fn register_matching(&self, pattern: &str) {
        self.patterns
            .add(NamePattern::new(pattern), NamePattern::eq);
        self.change(|functions| functions.join(self.patterns.iter()));
    }

    /// Counts an export that failed, in `export_failures_total`.
    pub fn export_failed(&self) {
        self.counts().failures.fetch_add(1, Relaxed);
    }

    /// Counts figures that were lost on their way, in `export_dropped_total`.
    pub fn export_dropped(&self, figures: u64) {
        self.counts().dropped.fetch_add(figures, Relaxed);
    }

    /// Counts a request or packet that was sent, in `export_requests_total`, and its size in `export_sent_bytes_total`.
    pub fn export_sent(&self, bytes: u64) {
        self.counts().requests.fetch_add(1, Relaxed);
        self.counts().sent_bytes.fetch_add(bytes, Relaxed);
    }

    /// Reads all figures, each function once.
    #[must_use]
    pub fn gather(&self) -> Export {
        self.gather_series(self.change(|functions| {
            functions.join(self.patterns.iter());
            functions.exported()
        }))
    }

    /// Reads the figures of one function, or of all for none: of each by itself, however many there are.
    #[cfg(feature = "prometheus")]
    pub(crate) fn gather_each(&self, function: Option<&str>) -> Export {
        self.gather_series(self.each(function))
    }

    fn gather_series(&self, series: Vec<FunctionGroup>) -> Export {
        let time = SystemTime::now();
        Export {
            time,
            prefix: self.prefix.clone(),
            labels: self.labels.clone(),
            stores: self.stores_of(&series),
            functions: series.iter().filter_map(Reading::of).collect(),
            program: Program {
                background_tasks: background_tasks(),
            },
            about: self.about(),
            naming: Naming::Native,
        }
    }

    /// A function on each of its backends; all functions for none.
    #[cfg(feature = "prometheus")]
    pub(crate) fn each(&self, function: Option<&str>) -> Vec<FunctionGroup> {
        self.change(|functions| {
            functions.join(self.patterns.iter());
            functions.each(function)
        })
    }

    /// The stores of these functions.
    pub(crate) fn stores_of(&self, series: &[FunctionGroup]) -> Vec<StoreFigures> {
        let is_used = |store: &StoreFigures| series.iter().any(|f| f.backend == store.backend);
        stores().into_iter().filter(is_used).collect()
    }

    /// The constant labels.
    #[cfg(feature = "prometheus")]
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(name, value)| (&**name, &**value))
    }

    fn about(&self) -> About {
        let counts = self.counts();
        About {
            exporter: self.exporter.clone(),
            folded: self.change(|functions| functions.folded()),
            failures: counts.failures.load(Relaxed),
            dropped: counts.dropped.load(Relaxed),
            requests: counts.requests.load(Relaxed),
            sent_bytes: counts.sent_bytes.load(Relaxed),
        }
    }

    /// The counts of this process: a forked child has sent nothing yet.
    fn counts(&self) -> &ExportCounts {
        self.counts.get(|_| ExportCounts::default())
    }

    /// Changes the functions, and tells once if not all of them get everything.
    fn change<R>(&self, change: impl FnOnce(&mut Functions) -> R) -> R {
        let mut functions = self.lock();
        let functions_now = functions.get_or_insert_with(|| Functions::new(self.budget.clone()));
        let before = functions_now.warning(&self.exporter);
        let changed = change(functions_now);
        let warning = functions_now.warning(&self.exporter);
        // Not under the lock: who is told may export.
        drop(functions);
        if let (None, Some(warning)) = (before, warning) {
            warn(&format!("series of {}", self.exporter), &warning);
        }
        changed
    }

    /// The functions, once there is one.
    fn lock(&self) -> MutexGuard<'_, Option<Functions>> {
        lock(self.functions.get(|parent| {
            let copy = lock(&copied::<Option<Functions>>(parent)).take();
            Mutex::new(copy.map(Functions::inherited))
        }))
    }
}

/// Whether Prometheus, the strictest, takes it as a name.
pub(super) fn is_name(name: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(is_of_name)
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
}
