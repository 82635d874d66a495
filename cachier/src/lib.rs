//! Persistent memoization with observability built in.

#![allow(
    unreachable_pub,
    reason = "what the attribute's expansion names is public, though its module is not"
)]

mod backends;
mod background;
mod breaker;
mod call;
mod decision;
mod drive;
mod environment;
mod flight;
mod function;
mod identity;
mod labels;
mod options;
mod program;
mod registry;
mod storage;
mod switches;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod timer;
mod trace;
mod world;

#[doc(hidden)]
#[path = "private/mod.rs"]
pub mod __private;
use self::__private as private;

pub use cachier_backends::{Backend, Blocking, BlockingBackend, Error, ErrorKind, Usage};
pub use cachier_macros::cachier;
pub use cachier_metrics::{CacheMetrics, Distribution, Snapshot, Stats};
#[cfg(feature = "prometheus")]
pub use cachier_metrics::{ExportError, PrometheusExporter};

pub use self::__private::{AsyncMethodCache, MethodCache};
pub use self::call::{Call, CallOptions, Outcome, Tier};
pub use self::options::GlobalParams;
pub use self::program::{
    BackendHealth, check, disable, disable_caching, enable_caching, flush, flush_async,
    global_params, register_backend, set_default_backend, set_global_params,
};
pub use self::registry::{CachedFunction, function, functions};
