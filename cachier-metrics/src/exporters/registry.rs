//! The functions of an exporter.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::metrics::CacheMetrics;
use crate::per_process::{PerProcess, copied};
use crate::sync::{Mutex, MutexGuard, lock};

/// The functions of one exporter.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    functions: PerProcess<Mutex<Functions>>,
    /// Whether all functions of the process join by themselves.
    joins: AtomicBool,
}

#[derive(Clone, Debug, Default)]
struct Functions {
    /// In the order in which they were registered.
    series: Vec<Series>,
    /// Where in `series` a name of a function and its backend stands.
    places: HashMap<(&'static str, &'static str), usize>,
    /// Of the functions of the process, how many have joined.
    joined: usize,
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
        self.joins.store(true, Ordering::Relaxed);
        self.lock().join();
    }

    /// What to export now.
    pub(crate) fn select(&self) -> Vec<Series> {
        let mut functions = self.lock();
        if self.joins.load(Ordering::Relaxed) {
            functions.join();
        }
        functions.series.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Functions> {
        lock(self.functions.get(inherited))
    }
}

/// What a forked child has of its parent's functions. All join anew: it may not know those that its parent was adding.
fn inherited(parent: Option<&Mutex<Functions>>) -> Mutex<Functions> {
    let functions = copied(parent);
    lock(&functions).joined = 0;
    functions
}

impl Functions {
    /// Takes in the functions of the process that have come since the last time.
    fn join(&mut self) {
        let all = CacheMetrics::all();
        all[self.joined..].iter().for_each(|new| self.register(new));
        self.joined = all.len();
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
