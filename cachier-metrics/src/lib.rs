//! Exact counters, sampled timings, windows and exporters for cached functions.
//!
//! [`CacheMetrics`] belongs to one function. Hits are counted in a block of their thread ([`Local`]); everything else
//! goes through recorders ([`CallRecorder`], [`ComputeRecorder`]) that also notice panics and cancellations. Figures
//! are read as [`Stats`], or merged over functions and processes as [`Snapshot`]s.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(test, not(shuttle)))]
mod accuracy;
mod append_list;
mod background;
mod bits;
mod block;
mod clock;
mod counter;
mod display;
mod distribution;
#[cfg(feature = "prometheus")]
mod exemplars;
mod exporters;
mod fields;
mod gauges;
mod histogram;
mod instances;
#[cfg(feature = "_json")]
mod json;
mod labelled;
mod labels;
mod lifetime;
mod local;
mod metrics;
#[cfg(all(test, shuttle))]
mod model;
mod options;
mod packed;
mod past;
mod pattern;
mod per_process;
mod process;
mod readiness;
mod recorder;
mod ring;
mod running;
mod sampling;
mod schedule;
mod shared;
mod slot;
mod snapshot;
mod stats;
mod stores;
mod sync;
mod table;
mod ticker;
mod timed_hits;
mod warning;
mod windows;

#[cfg(feature = "cloudwatch")]
#[doc(no_inline)]
pub use ::aws_sdk_cloudwatch;
#[doc(hidden)]
pub use background::set_background_probe;
pub use clock::Clock;
pub use distribution::{Distribution, Unit};
#[cfg(feature = "prometheus")]
pub use exemplars::Exemplar;
#[cfg(feature = "cloudwatch")]
pub use exporters::{CloudWatchBuilder, CloudWatchExporter};
#[cfg(feature = "prometheus")]
pub use exporters::{Detail, Naming, PrometheusBuilder, PrometheusExporter, check_metrics_address};
#[cfg(feature = "emf")]
pub use exporters::{EmfBuilder, EmfExporter};
pub use exporters::{
    Export, ExportError, MetricFamily, MetricKind, MetricUnit, MetricsExporter, MetricsRegistry,
    Sample, SampleValue,
};
#[cfg(feature = "metrics")]
pub use exporters::{FacadeBuilder, FacadeExporter};
#[cfg(feature = "otel")]
pub use exporters::{OtlpBuilder, OtlpCompression, OtlpExporter, OtlpProtocol, Temporality};
#[cfg(feature = "statsd")]
pub use exporters::{StatsdBuilder, StatsdDialect, StatsdExporter};
pub use gauges::{Gauges, Holding, Shared};
pub use histogram::{Bucket, ExponentialBuckets, Histogram};
#[doc(hidden)]
pub use instances::{
    Cluster, ClusterFigures, EndedHistory, Form, FunctionFigures, Header, History, InstanceFigures,
    InstanceHistory, InstanceId, InstanceState, Ledger, Publication, Publisher, Step, Tombstone,
    Trail, Unreadable,
};
pub use instances::{ClusterStats, InstanceStats, MetricsFile};
pub use labelled::Labelled;
pub use labels::{
    AbandonReason, ComputeFailure, ComputePlace, ErrorLabel, Label, NearResult, Operation, Outcome,
    Reason, RemovalCause, StaleUse, Tier, WaitScope,
};
pub use local::Local;
pub use metrics::CacheMetrics;
pub use options::MetricsOptions;
#[doc(hidden)]
pub use past::Past;
#[doc(hidden)]
pub use pattern::NamePattern;
#[doc(hidden)]
pub use readiness::{StoreReadiness, StoreState, set_readiness_probe};
pub use recorder::{CallRecorder, ComputeRecorder, ComputeResult, OperationRecorder, WaitRecorder};
pub use sampling::{InvalidRate, Sampled, SamplingRate};
pub use slot::LocalSlot;
pub use snapshot::{Activity, Snapshot};
pub use stats::Stats;
pub use stores::{Durations, StoreFigures, StoreSource};
pub use table::StatsTable;
#[doc(hidden)]
pub use ticker::set_tick_listener;
pub use timed_hits::TimedHit;
#[doc(hidden)]
pub use warning::{
    MAX_WARNINGS, causes_told, has_subscriber, set_warning_handler, tell_subscriber, write_warning,
};

/// The one of which [`PrometheusExporter::router`] returns a router.
#[cfg(feature = "axum")]
#[doc(no_inline)]
pub use ::axum;

/// For programs that have a registry of it: see [`PrometheusExporter::collector`].
#[cfg(feature = "prometheus-client")]
pub use prometheus_client;

/// The README, whose code blocks are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
