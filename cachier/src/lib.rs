//! Persistent memoization with observability built in.
//!
//! One attribute turns a function, sync or async, into a cached one: in the memory of the process, in files that survive
//! it and are shared by processes, or in Redis, SQL, MongoDB or S3, shared by machines. Each key is computed once at a time,
//! however many threads, tasks and processes ask for it (after an error that is not `Clone`, by each caller that waited), and
//! each function has live metrics of its own.
//!
//! ```
//! use cachier::cachier;
//!
//! /// Recomputed when older than ten minutes.
//! #[cachier(backend = "memory", stale_after = "10m", enable_metrics, sampling_rate = 0.1)]
//! fn forecast(city: &str, day: u32) -> String {
//!     format!("{city}, day {day}: rain")
//! }
//!
//! forecast("Oslo", 3);
//! forecast("Oslo", 3);
//! let stats = forecast::metrics().stats();
//! assert_eq!(stats.hit_rate(), Some(0.5));
//! ```
//!
//! Without `backend` the values go to files in the user's cache folder, or wherever [`set_default_backend`] says.
//!
//! # Where to look
//!
//! - [`guide`]: what to do, page by page, from a first function to a cluster that is watched.
//! - [`macro@cachier`]: the attribute and its arguments; [`macro@methods`]: the same for the methods of an impl.
//! - The companion, an empty enum of the function's name: `forecast::metrics()`, `forecast::invalidate("Oslo", 3)?`,
//!   `forecast::clear_cache()?`, `forecast::peek(…)`, `forecast::precache_value(…)`, `forecast::call_detailed(…)`.
//!   For methods it is a [`MethodCache`].
//! - [`CallOptions`] and [`Call`]: how one call uses the cache, and what happened.
//! - [`GlobalParams`], [`disable`], [`flush`], [`check`], [`expect`]: what a program says once.
//! - [`CacheMetrics`], [`Stats`], [`Snapshot`] and [`metrics`]: the figures; `PrometheusExporter`, `OtlpExporter` and others
//!   bring them to monitoring systems, and [`MetricsExporter`] makes exporters of one's own.
//! - [`Backend`]: for a store of your own.
//! - `testing`: isolation and a clock that obeys, for tests.
//!
//! # When something fails
//!
//! A call never fails because of its cache: when a backend is down, slow, full or returns garbage, the function runs,
//! the failure is counted by kind (and told once, see [`on_problem`]), and after some failures in a row a circuit breaker
//! answers at once until a probe succeeds. The operations of the companion do report failures, as [`Error`].

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(feature = "persistent"),
    allow(
        dead_code,
        reason = "of what is shared, stores need more than memory does"
    )
)]
#![allow(
    unreachable_pub,
    reason = "what the attribute's expansion names is public, though its module is not"
)]

#[cfg(feature = "persistent")]
mod backend_handle;
#[cfg(feature = "persistent")]
mod backends;
mod background;
mod backoff;
mod block_on;
#[cfg(feature = "persistent")]
mod breaker;
mod budget;
#[cfg(feature = "persistent")]
mod builtin;
mod cached_function;
mod call;
#[cfg(feature = "persistent")]
mod cluster;
mod context;
mod decision;
mod driver;
mod environment;
mod flight;
mod folder;
mod function;
mod gate;
mod groups;
// For documentation alone, so that it costs a build nothing. Its code blocks are tests where all features are on.
#[cfg(all(doc, any(feature = "full", not(doctest))))]
#[cfg_attr(
    not(feature = "full"),
    allow(
        rustdoc::broken_intra_doc_links,
        reason = "what is linked needs its feature"
    )
)]
pub mod guide;
mod handle;
#[cfg(feature = "persistent")]
mod health;
#[cfg(any(feature = "persistent", feature = "tokio"))]
mod heartbeat;
mod history;
mod identity;
mod labels;
#[cfg(feature = "persistent")]
mod lease_status;
#[cfg(feature = "persistent")]
mod limiter;
#[cfg(not(feature = "persistent"))]
mod no_backends;
mod options;
mod pending;
mod problems;
mod program;
mod random;
mod readiness;
mod refresh_after;
mod registered;
mod registry;
#[cfg(feature = "persistent")]
mod sent;
mod session;
mod share;
mod span;
mod stamp;
mod storage;
mod switches;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod timer;
mod trace;
mod usage_cache;
mod verification;

#[doc(hidden)]
#[path = "private/mod.rs"]
pub mod __private;

#[cfg(feature = "s3")]
#[doc(no_inline)]
pub use cachier_backends::clients::aws_sdk_s3;
#[cfg(feature = "mongo")]
#[doc(no_inline)]
pub use cachier_backends::clients::mongodb;
#[cfg(feature = "redis")]
#[doc(no_inline)]
pub use cachier_backends::clients::redis;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
#[doc(no_inline)]
pub use cachier_backends::clients::sqlx;
#[cfg(feature = "file")]
pub use cachier_backends::file::FileBackend;
#[cfg(feature = "mongo")]
pub use cachier_backends::mongo::MongoBackend;
#[cfg(feature = "redis")]
pub use cachier_backends::redis::RedisBackend;
#[cfg(feature = "s3")]
pub use cachier_backends::s3::S3Backend;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use cachier_backends::sql::SqlBackend;
#[cfg(feature = "persistent")]
pub use cachier_backends::{
    Backend, Blocking, BlockingBackend, Capabilities, Capability, Change, EntryVersion, Figures,
    IntoBackend, Key, KeyHash, Lease, LeaseReply, Loaded, Pool, Renewal, Scope, StoreReply,
    StoreRequest, Vacated, WaitObserver, Watch, Watcher,
};
pub use cachier_backends::{BoxFuture, Error, ErrorKind, Operation, Usage, Version};
#[doc = include_str!("attribute.md")]
#[doc = ""]
#[doc = include_str!("attribute_examples.md")]
pub use cachier_macros::cachier;
#[doc = include_str!("methods.md")]
pub use cachier_macros::methods;
#[cfg(feature = "cloudwatch")]
#[doc(no_inline)]
pub use cachier_metrics::aws_sdk_cloudwatch;
#[cfg(feature = "axum")]
#[doc(no_inline)]
pub use cachier_metrics::axum;
pub use cachier_metrics::{
    CacheMetrics, ClusterStats, Distribution, ExportError, InstanceStats, MetricsExporter,
    MetricsFile, Snapshot, Stats, StatsTable,
};
#[cfg(feature = "cloudwatch")]
pub use cachier_metrics::{CloudWatchBuilder, CloudWatchExporter};
#[cfg(feature = "prometheus")]
pub use cachier_metrics::{Detail, Exemplar, Naming, PrometheusBuilder, PrometheusExporter};
#[cfg(feature = "emf")]
pub use cachier_metrics::{EmfBuilder, EmfExporter};
#[cfg(feature = "metrics")]
pub use cachier_metrics::{FacadeBuilder, FacadeExporter};
#[cfg(feature = "otel")]
pub use cachier_metrics::{OtlpBuilder, OtlpCompression, OtlpExporter, OtlpProtocol, Temporality};
#[cfg(feature = "statsd")]
pub use cachier_metrics::{StatsdBuilder, StatsdDialect, StatsdExporter};

#[cfg(feature = "tracing")]
pub use self::span::choice::{CallSpans, set_call_spans};
#[cfg(feature = "prometheus-client")]
pub use cachier_metrics::prometheus_client;

/// The labels and parts of a [`Snapshot`].
///
/// [`metrics::Operation`] is the label under which figures are counted; [`Operation`], at the root of the crate, is what an
/// [`Error`] arose in, for backends of one's own, and is counted under the label of the same name. [`Outcome`] and [`Tier`] are
/// the same types at both places. [`metrics::Unit`] is what a [`Distribution`] may be of: durations, or bytes.
///
/// ```
/// use cachier::cachier;
/// use cachier::metrics::{ErrorLabel, Operation, Outcome, RemovalCause};
///
/// #[cachier(backend = "memory", enable_metrics)]
/// fn double(n: u64) -> u64 {
///     2 * n
/// }
///
/// double(4);
/// let snapshot = double::metrics().snapshot();
/// assert_eq!(snapshot.calls[Outcome::Miss], 1);
/// assert_eq!(snapshot.removals[RemovalCause::Evicted], 0);
/// assert_eq!(snapshot.backend_errors[Operation::Load][ErrorLabel::Timeout], 0);
/// ```
pub mod metrics {
    pub use cachier_metrics::{
        AbandonReason, Activity, Bucket, ComputeFailure, ComputePlace, ErrorLabel,
        ExponentialBuckets, Export, Gauges, Histogram, Holding, Label, Labelled, MetricFamily,
        MetricKind, MetricUnit, MetricsRegistry, NearResult, Operation, Outcome, Reason,
        RemovalCause, Sample, SampleValue, Shared, StaleUse, Tier, Unit, WaitScope,
    };
}

/// Requirements on the types of a cached function: names that the compiler mentions where one of them is unfit.
///
/// ```text
/// error[E0277]: `Pool` cannot be part of a key in memory
///   |
///   | fn user(pool: &Pool, id: u64) -> String {
///   |               ^^^^^ neither `Hash + Eq + Clone + Send + Sync + 'static` nor `serde::Serialize`
///   = help: the trait `KeyInMemory<Pool>` is not implemented for `Unfit`
///   = note: derive what is missing, or `serde::Serialize` in place of all of it, as for a struct of floats; …
///   = note: or leave the argument out with `skip(..)`, or write `key = |..| ..` with what tells calls apart
/// ```
///
/// They are not for implementing or calling.
pub mod types {
    pub use crate::__private::{
        ArgumentInBackground, CollectsMetrics, Fit, HasFolder, InFolder, InNoFolder, KeyInMemory,
        KeyInStore, LimitsAge, Lookup, Metered, OwnLimit, ReferenceInBackground, StoredAs,
        TakesFailures, Unfit, Unmetered, ValueInBoth, ValueInBoundedMemory, ValueInMemory,
        ValueInStore, in_background, in_companion, own_limit, propagated,
    };
}
#[cfg(feature = "memory")]
#[doc(hidden)]
pub use self::__private::optional as __optional;
pub use self::__private::{AsyncMethodCache, MethodCache};
#[doc(hidden)]
pub use self::__private::{
    encoded as __encoded, key as __key, optional_reference as __optional_reference,
    reference as __reference, returned as __returned, value as __value,
};
pub use self::cached_function::{CachedFunction, function, functions};
pub use self::call::{Call, CallOptions, Outcome, Tier};
#[cfg(feature = "persistent")]
pub use self::cluster::{ClusterReader, cluster_stats, cluster_stats_async, publish_metrics};
pub use self::groups::{stats_by_backend, stats_by_function, stats_of};
pub use self::handle::Handle;
#[cfg(feature = "persistent")]
pub use self::health::{BackendHealth, check, check_async, check_backend, check_backend_async};
pub use self::options::GlobalParams;
pub use self::problems::on_problem;
pub use self::program::{
    disable, disable_caching, enable_caching, expect, flush, flush_async, global_params,
    is_caching_enabled, register_policy, set_global_params,
};
#[cfg(feature = "persistent")]
pub use self::program::{register_backend, set_default_backend};
pub use self::refresh_after::RefreshAfter;
pub use self::share::Share;

/// The README, whose code blocks are tests.
#[cfg(all(doctest, feature = "prometheus", feature = "testing"))]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// The README of the package.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../README.md")]
pub struct PackageReadme;
