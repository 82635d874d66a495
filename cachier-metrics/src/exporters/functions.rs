//! The functions of an exporter, by the series that they make.

use std::collections::HashMap;

use crate::metrics::CacheMetrics;
use crate::pattern::NamePattern;

/// The functions of one exporter.
#[derive(Clone, Debug, Default)]
pub(super) struct Functions {
    /// In the order in which they were registered.
    series: Vec<Series>,
    /// Where in `series` a name of a function and its backend stands.
    places: HashMap<(&'static str, &'static str), usize>,
    /// By pattern: how many of the functions of the process it has been asked about.
    asked: Vec<usize>,
}

/// Functions that share a name and a backend, and so the labels of all their figures: one as a rule, several where types
/// tell them apart.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// Of all of them.
    pub(crate) function: &'static str,
    /// Of all of them.
    pub(crate) backend: &'static str,
    /// The functions, at least one.
    pub(crate) members: Vec<&'static CacheMetrics>,
}

impl Functions {
    /// Takes in the functions of the process that have come since the last time, and match one of the patterns.
    pub(super) fn join<'a>(&mut self, patterns: impl Iterator<Item = &'a NamePattern>) {
        let all = CacheMetrics::all();
        for (number, pattern) in patterns.enumerate() {
            if number == self.asked.len() {
                self.asked.push(0);
            }
            let new = &all[self.asked[number]..];
            let meant = new.iter().filter(|new| pattern.matches(new.name()));
            meant.for_each(|metrics| self.register(metrics));
            self.asked[number] = all.len();
        }
    }

    /// What a forked child has of its parent's: all are asked about anew, as it may not know those that its parent was
    /// adding.
    pub(super) fn inherited(mut self) -> Self {
        self.asked.clear();
        self
    }

    pub(super) fn series(&self) -> &[Series] {
        &self.series
    }

    pub(super) fn register(&mut self, metrics: &'static CacheMetrics) {
        let (function, backend) = (metrics.name(), metrics.backend());
        let next = self.series.len();
        let place = *self.places.entry((function, backend)).or_insert(next);
        if place == next {
            self.series.push(Series {
                function,
                backend,
                members: Vec::new(),
            });
        }
        let members = &mut self.series[place].members;
        if !members.iter().any(|known| std::ptr::eq(*known, metrics)) {
            members.push(metrics);
        }
    }
}
