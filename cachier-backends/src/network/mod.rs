//! Shared by the network backends: where their I/O runs, request counts, and change notifications.

mod async_once;
mod blocking_runtimes;
mod client_runtime;
mod clients;
mod compensation;
mod program_client;
mod round_trips;
pub(crate) mod runtime;
#[cfg(any(
    feature = "redis",
    feature = "postgres",
    feature = "mysql",
    feature = "mongo"
))]
pub(crate) mod server_url;
#[cfg(feature = "_notifications")]
mod subscription;
mod task_tracker;
mod wait_reporter;
#[cfg(feature = "_notifications")]
mod watchers;

#[cfg(feature = "_sql")]
pub(crate) use async_once::AsyncOnce;
#[cfg(feature = "redis")]
pub(crate) use async_once::init_in_task;
#[cfg(any(feature = "mongo", feature = "_sql"))]
pub(crate) use clients::ClientScope;
pub(crate) use clients::{Clients, OnTimeout};
pub(crate) use compensation::Compensation;
pub(crate) use round_trips::RoundTrips;
#[cfg(feature = "_notifications")]
pub(crate) use subscription::{Backoff, Subscribers};
#[cfg(feature = "_sql")]
pub(crate) use task_tracker::tracked;
#[cfg(any(feature = "mongo", feature = "_sql"))]
pub(crate) use wait_reporter::WaitReporter;
#[cfg(feature = "redis")]
pub(crate) use watchers::Watchers;
