//! Statics of annotated functions, with their types erased.

use cachier_backends::{BoxFuture, Usage};
use cachier_metrics::CacheMetrics;

use super::erased_site::ErasedSite;
use super::instance::StoreKind;
use super::site::Site;
use crate::call::CallMode;
use crate::handle::AnnotatedFunction;

/// Registered on demand, so nothing of it is unregistered.
impl<S: StoreKind> AnnotatedFunction for Site<S> {
    fn register(&'static self) {
        self.instance();
    }

    fn metrics(&'static self, _: &'static str) -> Option<&'static CacheMetrics> {
        self.instance().core.function.metrics
    }

    fn clear_unregistered(
        &'static self,
        _: &'static str,
        _: CallMode,
    ) -> BoxFuture<'static, Option<u64>> {
        no_entries()
    }

    fn clear_leases_unregistered(
        &'static self,
        _: &'static str,
        _: CallMode,
    ) -> BoxFuture<'static, ()> {
        no_leases()
    }

    fn usage_unregistered(
        &'static self,
        _: &'static str,
        _: CallMode,
    ) -> BoxFuture<'static, Usage> {
        no_usage()
    }
}

// Functions of their own, compiled once for all types.

fn no_entries() -> BoxFuture<'static, Option<u64>> {
    Box::pin(async { Ok(Some(0)) })
}

fn no_leases() -> BoxFuture<'static, ()> {
    Box::pin(async { Ok(()) })
}

fn no_usage() -> BoxFuture<'static, Usage> {
    Box::pin(async { Ok(Usage::new(Some(0), Some(0))) })
}

/// Only a call tells the types of what is to be registered.
impl AnnotatedFunction for ErasedSite {
    fn register(&'static self) {}

    fn metrics(&'static self, marker: &'static str) -> Option<&'static CacheMetrics> {
        let is_metered = self.spec(marker).options.metrics.is_some();
        is_metered.then(|| Self::metrics(self, marker))
    }

    fn clear_unregistered(
        &'static self,
        marker: &'static str,
        mode: CallMode,
    ) -> BoxFuture<'static, Option<u64>> {
        Box::pin(self.clear_uncalled(marker, mode))
    }

    fn clear_leases_unregistered(
        &'static self,
        marker: &'static str,
        mode: CallMode,
    ) -> BoxFuture<'static, ()> {
        Box::pin(self.clear_leases_uncalled(marker, mode))
    }

    fn usage_unregistered(
        &'static self,
        marker: &'static str,
        mode: CallMode,
    ) -> BoxFuture<'static, Usage> {
        Box::pin(self.usage_uncalled(marker, mode))
    }
}
