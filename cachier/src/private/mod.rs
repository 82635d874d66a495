//! What the attribute's expansion calls. Nobody else may: it changes without notice.

mod arguments;
mod dispatch;
mod equality;
mod expand;
mod family;
mod form;
mod instance;
mod method;
mod no_operations;
mod own_form;
#[cfg(feature = "memory")]
mod part;
mod recipe;
mod registered;
mod shape;
mod site;
mod stored_part;
#[cfg(feature = "memory")]
mod typed;
mod whole;
mod work;

pub use std::option::Option;
pub use std::result::Result;

pub use crate::block_on::block_on;
pub use cachier_backends::{KeyHash, Version};
pub use cachier_metrics::{LocalSlot, SamplingRate};

pub use self::arguments::{Arguments, StoredArguments};
pub use self::dispatch::{Prepared, TypedRequest, TypedResponse, dispatch, dispatch_async};
pub use self::equality::{EqualityProbe, Incomparable};
pub use self::form::{SizeProbe, Unmeasured};
pub use self::instance::{Instance, NearTier, StoreKind};
pub use self::method::{AsyncMethodCache, Metered, MethodCache, Unmetered};
pub use self::no_operations::{NoAsyncMethodCache, NoMethodCache};
#[cfg(feature = "memory")]
pub use self::part::{ByRefProbe, FitProbe, OptionRef, OwnedPart, PartProbe, Unfit, part_kind};
pub use self::recipe::Recipe;
pub use self::shape::{
    ErrorProbe, Kept, KeptProbe, PlainProbe, Probe, Shape, ShapeOf, StoredAs, Unkept, Unshared,
    WithNone, kind,
};
pub use self::site::{Begun, ErasedSite, Site};
pub use self::stored_part::{HashedProbe, OrderedProbe, StoredPartProbe, UnorderedProbe};
#[cfg(feature = "memory")]
pub use self::typed::{MemoryArguments, NearArguments};
pub use self::whole::IsAsync;
pub use self::work::{Mode, Step, call_once, in_own_frame, once};
pub use crate::flight::SharedError;
pub use crate::identity::{
    Definition, Package, crate_of, identity_of_function, identity_of_method,
};
pub use crate::options::{BackendName, OnBackendError, Options};
pub use crate::session::Start;
#[cfg(feature = "memory")]
pub use crate::storage::memory::{ErasedMemory, Memory};
#[cfg(feature = "memory")]
pub use crate::storage::near::Near;
pub use crate::storage::persistent::Persistent;

/// The name of the type of a marker, which tells instantiations apart.
pub fn name_of<M>(_: &M) -> &'static str {
    std::any::type_name::<M>()
}
