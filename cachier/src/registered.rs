//! A cached function with its types and store erased.

use cachier_backends::{BoxFuture, Usage};
use cachier_metrics::{CacheMetrics, Gauges};

use crate::call::CallMode;
use crate::handle::StoreConfig;
use crate::switches::Switches;

/// Tells the annotated functions of a program apart, and the instantiations of a generic one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SiteId(usize);

impl SiteId {
    /// The id of a static, or of a site that is never freed.
    pub(crate) fn of<T>(site: &'static T) -> Self {
        Self(std::ptr::from_ref(site).addr())
    }
}

/// A cached function that has been called.
pub(crate) trait RegisteredFunction: Send + Sync {
    /// The name in metrics and messages. Functions may share it.
    fn name(&self) -> &str;
    /// The name with type arguments.
    fn typed_name(&self) -> &str;
    /// The unique name.
    fn storage_name(&self) -> &str;
    /// Where it is annotated, and with which types.
    fn site(&self) -> SiteId;
    /// The name of its backend.
    fn backend(&self) -> String;
    /// Whether it is neither switched off nor out of service.
    fn is_enabled(&self) -> bool;
    /// Where it keeps its values; `None` while it is switched off, or out of service.
    fn store_config(&self) -> Option<StoreConfig>;
    fn metrics(&self) -> Option<&'static CacheMetrics>;

    /// Applies changed parameters of the program.
    fn update_params(&self);
    /// Applies changed switches.
    fn apply_switches(&self, switches: &Switches);
    /// Takes the function out of service because different types of one name instantiate it.
    fn mark_ambiguous(&self);
    /// Reports it, if it is out of service. Runs the program's code: not under a lock.
    fn report_if_out_of_service(&self);
    /// Clears the near tier.
    fn clear_near(&self);

    fn clear(&self, mode: CallMode) -> BoxFuture<'_, Option<u64>>;
    fn clear_leases(&self, mode: CallMode) -> BoxFuture<'_, ()>;
    fn usage(&self, mode: CallMode) -> BoxFuture<'_, Usage>;
    /// The function's gauges, as far as they are known without I/O.
    fn gauges(&'static self) -> Gauges;
}
