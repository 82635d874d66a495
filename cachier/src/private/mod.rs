//! Support of the attribute's expansion. Not for use by hand: it changes without notice.

mod absent;
mod agreement;
mod all_entries;
mod annotated;
mod argument;
mod arguments;
mod background_argument;
mod custom_encoding;
mod dispatch;
mod equality;
mod erased_site;
mod expand;
mod fit;
mod hit;
mod instance;
mod instantiations;
mod kept_type;
#[cfg(feature = "memory")]
mod key_part;
mod known_sites;
#[cfg(feature = "memory")]
mod memory_arguments;
mod method;
#[cfg(all(feature = "memory", feature = "persistent"))]
mod near_arguments;
mod no_operations;
mod own_key;
#[cfg(feature = "memory")]
mod owned_part;
mod registered;
mod return_type;
mod returned;
mod site;
#[cfg(feature = "persistent")]
mod stored_arguments;
mod stored_key_part;
mod tuples;
mod value_codec;
mod value_spec;
mod work;

pub use std::option::Option;
pub use std::result::Result;

pub use crate::block_on::block_on;
pub use cachier_backends::Version;
pub use cachier_metrics::{LocalSlot, SamplingRate};

pub use self::absent::{CollectsMetrics, HasFolder};
pub use self::all_entries::IsAsync;
#[cfg(feature = "memory")]
pub use self::argument::optional;
pub use self::argument::{encoded, key};
pub use self::arguments::Arguments;
pub use self::background_argument::{
    in_background, in_companion, optional_reference, reference, value,
};
pub use self::dispatch::{Prepared, TypedRequest, TypedResponse, dispatch, dispatch_async};
pub use self::equality::{EqualityProbe, Incomparable};
pub use self::erased_site::ErasedSite;
pub use self::fit::{
    ArgumentInBackground, Fit, KeyInMemory, KeyInStore, ReferenceInBackground, StoredAs, Unfit,
    ValueInBoth, ValueInBoundedMemory, ValueInMemory, ValueInStore,
};
pub use self::hit::Lookup;
pub use self::instance::{Instance, NearTier, StoreKind};
pub use self::kept_type::{
    MemoryValue, PlainProbe, ReturnTypeOf, ReturnTypeProbe, UnfitValue, ValueProbe, return_kind,
};
#[cfg(feature = "memory")]
pub use self::key_part::Encoding;
#[cfg(feature = "memory")]
pub use self::memory_arguments::MemoryArguments;
pub use self::method::{AsyncMethodCache, InFolder, InNoFolder, Metered, MethodCache, Unmetered};
#[cfg(all(feature = "memory", feature = "persistent"))]
pub use self::near_arguments::NearArguments;
pub use self::no_operations::{NoAsyncMethodCache, NoMethodCache};
pub use self::own_key::{KeyArgument, KeyResult, OwnResult, PassedByReference};
#[cfg(feature = "memory")]
pub use self::owned_part::{ByEncodingProbe, KeyPartProbe, OwnedKeyPart, key_part_kind};
pub use self::return_type::ReturnType;
pub use self::returned::returned;
pub use self::site::Site;
#[cfg(feature = "persistent")]
pub use self::stored_arguments::StoredArguments;
pub use self::value_codec::{SizeProbe, Unmeasured};
pub use self::value_spec::{LimitsAge, OwnLimit, TakesFailures, ValueSpec, own_limit, propagated};
pub use self::work::{Invocation, RunMode, call_once, in_own_frame, take_once};
pub use crate::flight::SharedError;
pub use crate::identity::{
    FunctionSpec, Package, crate_of, identity_of_function, identity_of_method, name_of,
};
pub use crate::options::{AgeLimits, BackendName, EarlyRefresh, OnBackendError, Options, Switch};
pub use crate::refresh_after::RefreshAfter;
pub use crate::session::CallStart;
pub use crate::share::Share;
#[cfg(feature = "memory")]
pub use crate::storage::memory::{ErasedMemory, Memory};
#[cfg(all(feature = "memory", feature = "persistent"))]
pub use crate::storage::near::Near;
#[cfg(feature = "persistent")]
pub use crate::storage::persistent::Persistent;
