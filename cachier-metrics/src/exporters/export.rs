//! One export: the figures of one moment, from which every exporter translates.

use std::slice::from_ref;
use std::time::SystemTime;

use super::budget::Extent;
use super::catalogue::{Metric, exporter_catalogue, program_catalogue, store_catalogue};
use super::family::{MetricFamily, Sample};
use super::naming::Naming;
use super::points::without_rare_labels;
use super::reading::{About, MetricSource, Program, Reading};
use crate::stores::StoreFigures;

/// The figures of all functions of an exporter, and of the stores that they use, at one moment.
///
/// ```
/// use cachier_metrics::{CacheMetrics, MetricsOptions, MetricsRegistry};
///
/// let registry = MetricsRegistry::new("mine").constant_label("service", "shop")?;
/// registry.register_function(CacheMetrics::create(MetricsOptions::new("forecast", "memory")));
/// let export = registry.gather();
/// for family in export.families() {
///     for sample in &family.samples {
///         assert_eq!(sample.labels[0], ("service", "shop"));
///     }
/// }
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Debug)]
pub struct Export {
    pub(super) time: SystemTime,
    pub(super) prefix: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) functions: Vec<Reading>,
    pub(super) stores: Vec<StoreFigures>,
    pub(super) program: Program,
    pub(super) about: About,
    pub(super) naming: Naming,
}

impl Export {
    /// When the figures were read.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        self.time
    }

    /// The metrics that have samples, in the order of the catalogue. Unknown figures are left out.
    pub fn families(&self) -> impl Iterator<Item = MetricFamily<'_>> {
        let functions = self.all_of(self.naming.catalogue(), &self.functions);
        let (stores, program, exporter) = match self.naming {
            Naming::Native => (
                &*self.stores,
                from_ref(&self.program),
                from_ref(&self.about),
            ),
            // There are no other names for them.
            _ => Default::default(),
        };
        functions
            .chain(self.all_of(store_catalogue(), stores))
            .chain(self.all_of(program_catalogue(), program))
            .chain(self.all_of(exporter_catalogue(), exporter))
    }

    /// The same figures under other names.
    #[cfg(feature = "prometheus")]
    pub(crate) fn named(mut self, naming: Naming) -> Self {
        if let Some(label) = naming.only_label() {
            self.functions = Reading::by_function(self.functions, label);
        }
        self.naming = naming;
        self
    }

    fn all_of<'a, S: MetricSource>(
        &'a self,
        catalogue: impl IntoIterator<Item = Metric<S>> + 'a,
        sources: &'a [S],
    ) -> impl Iterator<Item = MetricFamily<'a>> {
        let families = catalogue
            .into_iter()
            .map(|metric| self.family(&metric, sources));
        families.filter(|family| !family.samples.is_empty())
    }

    fn family<'a, S: MetricSource>(
        &'a self,
        metric: &Metric<S>,
        sources: &'a [S],
    ) -> MetricFamily<'a> {
        let samples = sources
            .iter()
            .flat_map(|source| self.samples(metric, source));
        MetricFamily {
            name: metric.name,
            unit: metric.unit,
            kind: metric.kind,
            help: metric.help,
            samples: samples.collect(),
            buckets: metric.buckets,
            prefix: &self.prefix,
        }
    }

    fn samples<'a, S: MetricSource>(
        &'a self,
        metric: &Metric<S>,
        source: &'a S,
    ) -> impl Iterator<Item = Sample<'a>> {
        let constant = self.labels.iter().map(|(key, value)| (&**key, &**value));
        let common: Vec<_> = constant.chain(source.labels()).collect();
        let (start, extent) = (source.start(), source.extent());
        let points = match extent {
            Extent::NoRareLabels => without_rare_labels((metric.points)(source)),
            _ => (metric.points)(source),
        };
        #[cfg(feature = "prometheus")]
        let name = metric.name;
        points.into_iter().map(move |point| {
            #[cfg(feature = "prometheus")]
            let exemplars = source.exemplars(name, &point.labels);
            let mut labels = Vec::with_capacity(common.len() + point.labels.len());
            labels.extend_from_slice(&common);
            labels.extend(point.labels);
            Sample {
                labels,
                value: point.value,
                start,
                extent,
                #[cfg(feature = "prometheus")]
                exemplars,
            }
        })
    }
}
