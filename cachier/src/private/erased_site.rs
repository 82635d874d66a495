//! The place of a generic function or a method: a site for each of its instantiations.

use std::any::{Any, TypeId};
use std::sync::{Mutex, PoisonError};

use cachier_backends::process::PerProcess;
use cachier_metrics::CacheMetrics;

use super::arguments::Arguments;
use super::instance::StoreKind;
use super::instantiations::Instantiations;
use super::return_type::ReturnType;
use super::site::Site;
use crate::context;
use crate::handle::Handle;
use crate::identity::{self, FunctionSpec};
use crate::registered::RegisteredFunction;
use once_cell::race::OnceBox;

/// The static of a generic function or a method, whose types differ from call to call.
pub struct ErasedSite {
    make_spec: fn(&'static str) -> FunctionSpec,
    /// The sites by marker: a list that only grows, read without a lock.
    known: OnceBox<KnownSite>,
    /// Held while the list grows. Per process: a forked child does not wait for the parent's thread.
    growing: PerProcess<Mutex<()>>,
    instantiations: Instantiations,
}

/// A marker and its site.
struct KnownSite {
    /// The marker's type, lifetimes aside. Different types may share a name.
    id: TypeId,
    marker: &'static str,
    site: &'static (dyn Any + Send + Sync),
    next: OnceBox<KnownSite>,
}

impl ErasedSite {
    /// The site of a generic function or a method.
    pub const fn new(make_spec: fn(&'static str) -> FunctionSpec) -> Self {
        Self {
            make_spec,
            known: OnceBox::new(),
            growing: PerProcess::new(|_| Mutex::new(())),
            instantiations: Instantiations::new(),
        }
    }

    /// The site of the marker's instantiation; the marker is a closure in the function.
    #[inline]
    pub fn resolve<M, Sh: ReturnType, A: Arguments<Sh>>(
        &'static self,
        _: &M,
        _: Sh,
        _: &A,
    ) -> &'static Site<A::StoreKind> {
        self.find_known::<M, A::StoreKind>(std::any::type_name::<M>)
    }

    /// The site of the marker's instantiation; the marker is a function that tells its name.
    #[inline]
    pub fn resolve_named<M: Fn() -> &'static str, Sh: ReturnType, A: Arguments<Sh>>(
        &'static self,
        marker: M,
        _: Sh,
        _: &A,
    ) -> &'static Site<A::StoreKind> {
        self.find_known::<M, A::StoreKind>(marker)
    }

    #[inline]
    fn find_known<M, S: StoreKind>(
        &'static self,
        name: impl FnOnce() -> &'static str,
    ) -> &'static Site<S> {
        let marker = typeid::of::<M>();
        let mut known = self.known.get();
        while let Some(KnownSite { id, site, next, .. }) = known {
            if *id == marker
                && let Some(site) = site.downcast_ref()
            {
                return site;
            }
            known = next.get();
        }
        self.find(marker, name())
    }

    /// Finds the site by the marker's function, or makes it, and adds it to the list.
    #[cold]
    fn find<S: StoreKind>(&'static self, id: TypeId, marker: &'static str) -> &'static Site<S> {
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let spec = self.spec(marker);
        let (mut end, mut same) = (&self.known, None);
        let mut is_ambiguous = false;
        while let Some(known) = end.get() {
            if self.spec(known.marker).identity == spec.identity {
                same = same.or(known.site.downcast_ref::<Site<S>>());
                is_ambiguous |= known.marker == marker && known.id != id;
            }
            end = &known.next;
        }
        if is_ambiguous {
            self.instantiations
                .take_out_of_service(identity::typed_name(&spec));
        }
        let site = same.unwrap_or_else(|| {
            let site = Site::instantiation(self.make_spec, marker, &self.instantiations);
            Box::leak(Box::new(site))
        });
        end.get_or_init(|| {
            Box::new(KnownSite {
                id,
                marker,
                site,
                next: OnceBox::new(),
            })
        });
        site
    }

    pub(crate) fn spec(&self, marker: &'static str) -> FunctionSpec {
        (self.make_spec)(marker)
    }

    /// The metrics that all instantiations share. `marker` is any of them, or empty for a free function.
    ///
    /// # Panics
    /// Without `enable_metrics`; the attribute calls this only with it.
    pub fn metrics(&'static self, marker: &'static str) -> &'static CacheMetrics {
        let metrics = self
            .instantiations
            .metrics(&(self.make_spec)(marker), context::current());
        metrics.expect("the attribute has `enable_metrics`")
    }

    /// The function for those who know no types. `marker` as for [`metrics`](Self::metrics).
    pub fn handle(&'static self, marker: &'static str) -> Handle {
        Handle::new(self, self.make_spec, marker)
    }

    /// The instantiations that have been called in the context of the calling code.
    pub(crate) fn instantiations(&'static self) -> Vec<&'static dyn RegisteredFunction> {
        self.instantiations.called_in(context::current())
    }
}
