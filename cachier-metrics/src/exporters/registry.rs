//! Which functions an exporter exports.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::ExportError;
use crate::metrics::CacheMetrics;

/// The functions of one exporter, each name once.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<Functions>);

#[derive(Debug, Default)]
struct Functions {
    registered: Vec<&'static CacheMetrics>,
    /// Whether functions of the process join by themselves.
    all: bool,
    /// Those that would have joined by themselves under a name that is taken, each once.
    left_out: Vec<&'static CacheMetrics>,
}

/// The functions of one export, and how many had to be left out.
pub(crate) struct Selection {
    pub(crate) functions: Vec<&'static CacheMetrics>,
    pub(crate) dropped: u64,
}

impl Registry {
    pub(crate) fn register(&self, metrics: &'static CacheMetrics) -> Result<(), ExportError> {
        self.lock().register(metrics)
    }

    pub(crate) fn register_all(&self) -> Result<(), ExportError> {
        let mut functions = self.lock();
        for metrics in CacheMetrics::all() {
            if !functions.contains(metrics) {
                functions.register(metrics)?;
            }
        }
        functions.all = true;
        Ok(())
    }

    /// What to export now. Of functions that joined by themselves, one whose name is taken is left out.
    pub(crate) fn select(&self) -> Selection {
        let mut functions = self.lock();
        if functions.all {
            for metrics in CacheMetrics::all() {
                functions.join(metrics);
            }
        }
        Selection {
            functions: functions.registered.clone(),
            dropped: functions.left_out.len() as u64,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Functions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Functions {
    fn contains(&self, metrics: &CacheMetrics) -> bool {
        is_among(&self.registered, metrics)
    }

    /// Takes in a function that nobody has registered. Where its name is taken, nobody is there to hear of it: it is kept in
    /// mind that it was left out.
    fn join(&mut self, metrics: &'static CacheMetrics) {
        let is_known = self.contains(metrics) || is_among(&self.left_out, metrics);
        if !is_known && self.register(metrics).is_err() {
            self.left_out.push(metrics);
        }
    }

    fn register(&mut self, metrics: &'static CacheMetrics) -> Result<(), ExportError> {
        let name = metrics.name();
        if self.contains(metrics) {
            return Err(ExportError::new(format!(
                "the function `{name}` is registered already"
            )));
        }
        if self.registered.iter().any(|known| known.name() == name) {
            return Err(ExportError::new(format!(
                "another function named `{name}` is registered already; give one of them another `name`"
            )));
        }
        self.registered.push(metrics);
        Ok(())
    }
}

fn is_among(functions: &[&'static CacheMetrics], metrics: &CacheMetrics) -> bool {
    functions.iter().any(|known| std::ptr::eq(*known, metrics))
}
