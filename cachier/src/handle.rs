//! A function before its first call.

use std::fmt;

use crate::identity::{FunctionSpec, Package};
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
    make_spec: fn(&'static str) -> FunctionSpec,
    /// The name of an instantiation; empty for a function that is not generic, and for all of one that is.
    instantiation: &'static str,
}

/// What says where a function keeps its values.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) options: Options,
    pub(crate) package: Package,
}

impl Place {
    /// Whether functions of both keep their values in the same store, whatever the program's parameters are.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let of = |place: &Self| {
            let options = &place.options;
            (
                options.backend.clone(),
                options.cache_dir.clone(),
                place.package,
            )
        };
        of(self) == of(other)
    }
}

impl Handle {
    pub(crate) const fn new(
        make_spec: fn(&'static str) -> FunctionSpec,
        instantiation: &'static str,
    ) -> Self {
        Self {
            make_spec,
            instantiation,
        }
    }

    pub(crate) fn place(self) -> Place {
        let spec = (self.make_spec)(self.instantiation);
        Place {
            options: spec.options,
            package: spec.package,
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
