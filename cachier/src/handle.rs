//! A function before its first call.

use std::fmt;

use cachier_backends::{BoxFuture, Usage};
use cachier_metrics::CacheMetrics;

use crate::call::CallMode;
use crate::identity::{self, FunctionSpec, Package};
use crate::options::Options;

/// A cached function, called or not: what `handle()` of its companion returns, for [`expect`](crate::expect).
///
/// ```
/// # use cachier::cachier;
/// #[cachier(backend = "memory")]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// cachier::expect([square::handle()]);
/// ```
#[derive(Clone, Copy)]
#[must_use]
pub struct Handle {
    function: &'static dyn AnnotatedFunction,
    make_spec: fn(&'static str) -> FunctionSpec,
    /// The name of an instantiation; empty for a function that is not generic, and for all of one that is.
    instantiation: &'static str,
}

/// The configuration that determines a function's store.
#[derive(Clone, Debug)]
pub(crate) struct StoreConfig {
    pub(crate) options: Options,
    pub(crate) package: Package,
}

/// A function of which the program has said that it will be called.
pub(crate) struct ExpectedFunction {
    pub(crate) function: &'static dyn AnnotatedFunction,
    pub(crate) instantiation: &'static str,
    /// The name in metrics and messages.
    pub(crate) name: String,
    /// The name with type arguments.
    pub(crate) typed_name: String,
    pub(crate) store_config: StoreConfig,
}

/// The static of a cached function, called or not, with its types and store erased. `instantiation` says which of a generic
/// function or a method.
pub(crate) trait AnnotatedFunction: Sync {
    /// Registers the function, if its types are known without a call.
    fn register(&'static self);
    /// The metrics, if the function has some.
    fn metrics(&'static self, instantiation: &'static str) -> Option<&'static CacheMetrics>;

    /// Forgets the entries of what is not registered, from other processes; how many, where that can be known.
    fn clear_unregistered(
        &'static self,
        instantiation: &'static str,
        mode: CallMode,
    ) -> BoxFuture<'static, Option<u64>>;
    fn clear_leases_unregistered(
        &'static self,
        instantiation: &'static str,
        mode: CallMode,
    ) -> BoxFuture<'static, ()>;
    fn usage_unregistered(
        &'static self,
        instantiation: &'static str,
        mode: CallMode,
    ) -> BoxFuture<'static, Usage>;
}

impl Handle {
    pub(crate) const fn new(
        function: &'static dyn AnnotatedFunction,
        make_spec: fn(&'static str) -> FunctionSpec,
        instantiation: &'static str,
    ) -> Self {
        Self {
            function,
            make_spec,
            instantiation,
        }
    }

    pub(crate) fn expected(self) -> ExpectedFunction {
        let spec = (self.make_spec)(self.instantiation);
        ExpectedFunction {
            function: self.function,
            instantiation: self.instantiation,
            name: identity::name(&spec),
            typed_name: identity::typed_name(&spec),
            store_config: StoreConfig {
                options: spec.options,
                package: spec.package,
            },
        }
    }
}

impl ExpectedFunction {
    /// Whether both are the same instantiation of the same function.
    pub(crate) fn is(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self.function, other.function)
            && self.instantiation == other.instantiation
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
