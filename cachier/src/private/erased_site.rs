//! The place of a generic function or a method: a site for each of its instantiations.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use cachier_backends::process::PerProcess;
use cachier_metrics::CacheMetrics;

use super::arguments::Arguments;
use super::instance::StoreKind;
use super::instantiations::Instantiations;
use super::known_sites::{KnownSite, KnownSites};
use super::return_type::ReturnType;
use super::site::Site;
use crate::context;
use crate::handle::Handle;
use crate::identity::{self, FunctionSpec};
use crate::registered::RegisteredFunction;

/// The static of a generic function or a method, whose types differ from call to call.
pub struct ErasedSite {
    make_spec: fn(&'static str) -> FunctionSpec,
    known: KnownSites,
    /// The known sites by identity: held while one is added. Per process: a forked child does not wait for the parent's
    /// thread, and collects them anew.
    adding: PerProcess<Mutex<Option<ByIdentity>>>,
    instantiations: Instantiations,
}

type ByIdentity = HashMap<String, Vec<KnownSite>>;

impl ErasedSite {
    /// The site of a generic function or a method.
    pub const fn new(make_spec: fn(&'static str) -> FunctionSpec) -> Self {
        Self {
            make_spec,
            known: KnownSites::new(),
            adding: PerProcess::new(|_| Mutex::new(None)),
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
        match self.known.get(marker) {
            Some(site) => site,
            None => self.find(marker, name()),
        }
    }

    /// Finds the site by the marker's function, or makes it, and adds it to the known ones.
    #[cold]
    fn find<S: StoreKind>(&'static self, id: TypeId, marker: &'static str) -> &'static Site<S> {
        let mut adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(site) = self.known.get(id) {
            return site;
        }
        let spec = self.spec(marker);
        let by_identity = adding.get_or_insert_with(|| self.by_identity());
        let same = by_identity.entry(spec.identity.clone()).or_default();
        let mut of_other_types = same
            .iter()
            .filter(|known| known.marker == marker && known.id != id);
        let ambiguous = of_other_types.next().map(|_| {
            let name = identity::typed_name(&spec);
            self.instantiations.take_out_of_service(name)
        });
        let mut sites = same.iter().map(|known| known.site);
        let site = sites
            .find_map(|site| site.downcast_ref())
            .unwrap_or_else(|| {
                let site = Site::instantiation(self.make_spec, marker, &self.instantiations);
                Box::leak(Box::new(site))
            });
        let known = KnownSite { id, marker, site };
        same.push(known);
        self.known.add(known);
        drop(adding);
        for function in ambiguous.into_iter().flatten() {
            function.report_if_out_of_service();
        }
        site
    }

    fn by_identity(&self) -> ByIdentity {
        let mut by_identity = ByIdentity::new();
        for known in self.known.iter() {
            let identity = self.spec(known.marker).identity;
            by_identity.entry(identity).or_default().push(*known);
        }
        by_identity
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
