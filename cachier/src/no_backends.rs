//! The backends of a program that keeps all values in memory: none.

use cachier_backends::Error;
use cachier_metrics::StoreFigures;

use crate::identity::Package;
use crate::options::{BackendName, Policy};

/// The backends of one context.
#[derive(Default)]
pub(crate) struct Backends {}

impl Backends {
    /// The backend of functions that name none: there are none.
    pub(crate) fn default_name(&self) -> Result<String, Error> {
        Ok("memory".to_owned())
    }

    /// The backend's name in metrics.
    pub(crate) fn label(&self, name: &BackendName) -> String {
        match name {
            BackendName::Memory => "memory".to_owned(),
            BackendName::Named(name) => (*name).to_owned(),
            BackendName::Default => "unknown".to_owned(),
        }
    }

    /// Fails if no call can have its store: there are no calls that have one.
    pub(crate) fn can_be_had(&self, _: &BackendName, _: &Policy, _: Package) -> Result<(), Error> {
        Ok(())
    }

    /// The path or address of a function's store: there is none.
    pub(crate) fn store_name(&self, _: &BackendName, _: &Policy, _: Package) -> Option<String> {
        None
    }

    /// Waits for what the backends do in the background on their own.
    pub(crate) async fn idle(&self) {}

    /// The figures of all backends.
    pub(crate) fn figures(&self) -> Vec<StoreFigures> {
        Vec::new()
    }
}
