//! The functions of an exporter.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::metrics::CacheMetrics;

/// The functions of one exporter.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<Functions>);

#[derive(Debug, Default)]
struct Functions {
    /// In the order in which they were registered.
    series: Vec<Series>,
    /// Where in `series` a name of a function and its backend stands.
    places: HashMap<(&'static str, &'static str), usize>,
    /// Of the functions of the process, how many have joined; `None` if they do not join by themselves.
    joined: Option<usize>,
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

impl Registry {
    /// Exports a function; once, however often it is registered.
    pub(crate) fn register(&self, metrics: &'static CacheMetrics) {
        self.lock().register(metrics);
    }

    /// Exports all functions of the process, those of now and those to come.
    pub(crate) fn register_all(&self) {
        let mut functions = self.lock();
        functions.joined.get_or_insert(0);
        functions.join();
    }

    /// What to export now.
    pub(crate) fn select(&self) -> Vec<Series> {
        let mut functions = self.lock();
        functions.join();
        functions.series.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Functions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Functions {
    /// Takes in the functions of the process that have come since the last time.
    fn join(&mut self) {
        if let Some(joined) = self.joined {
            let all = CacheMetrics::all();
            all[joined..].iter().for_each(|new| self.register(new));
            self.joined = Some(all.len());
        }
    }

    fn register(&mut self, metrics: &'static CacheMetrics) {
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
