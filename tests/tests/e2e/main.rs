//! End-to-end tests of cached functions on backends without servers.
#![allow(clippy::unwrap_used)]

mod breaker;
mod cluster;
mod companion;
mod conformance;
mod deep;
#[cfg(unix)]
mod environment;
mod events;
mod expected;
mod expiry;
mod failing_backend;
mod fates;
mod file_backend;
mod file_crowd;
mod file_faults;
mod file_hostile;
#[cfg(unix)]
mod file_stopped;
mod first_clear;
mod flush;
#[cfg(unix)]
mod forks;
mod freshness;
mod gauges;
mod gone;
mod groups;
#[cfg(unix)]
mod health;
#[cfg(unix)]
mod history;
#[cfg(unix)]
mod history_hostile;
mod idle_runtimes;
mod invalidation;
mod isolation;
mod jitter;
mod keys;
mod large_values;
mod last_changes;
mod misses;
mod near;
mod next_time;
mod outcomes;
mod own_limits;
mod parameters;
#[cfg(unix)]
mod policies;
mod problems;
mod problems_of_metrics;
#[cfg(target_os = "linux")]
mod process_id;
mod prometheus;
mod python_faults;
mod readiness;
mod refresh_after;
mod registering;
mod registry;
mod retry_after;
mod runtimes;
mod shared_store;
mod single_flight;
mod space;
mod spans;
mod storing;
mod switches;
#[cfg(unix)]
mod team;
mod unleased;
mod verify;
mod waiting;
