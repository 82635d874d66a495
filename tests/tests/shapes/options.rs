//! All arguments of the attribute, on functions that run.

use std::time::Duration;

use cachier::testing::Clock;
use cachier::{CallOptions, Error, Outcome, Share, cachier};
use cachier_tests::sandbox::{in_folder, in_folder_async};

const LIMIT: u64 = 1 << 20;
const RATE: f64 = 0.5;

fn an_hour() -> Duration {
    Duration::from_secs(3600)
}

#[cachier(
    backend = "memory",
    stale_after = an_hour(),
    jitter = "0%",
    refresh_after = "50m",
    next_time = true,
    max_stale = "1d",
    stale_on_error = "1h30m",
    retry_after = "10s",
    wait_for_calc_timeout = "5s",
    allow_none = false,
    cache_if = |value| *value != 13,
    entry_size_limit = LIMIT,
    cleanup_stale,
    cleanup_interval = "12h",
    capacity = 1_000,
    capacity_bytes = "10MB",
    version = 2,
    name = "everything",
    enable_metrics,
    metrics_sampling_rate = RATE,
    operation_timeout = "250ms",
    on_backend_error = "compute",
    crate = ::cachier
)]
fn in_memory(n: u64) -> u64 {
    n
}

#[test]
fn all_arguments_of_the_memory_backend() {
    in_folder(|_| {
        assert_eq!((in_memory(1), in_memory(1), in_memory(13)), (1, 1, 13));
        assert_eq!(in_memory::peek(13).unwrap(), None);
        assert_eq!(in_memory::metrics().name(), "everything");
        assert_eq!(in_memory::metrics().sampling_rate(), 0.5);
        Clock::advance(an_hour() + Duration::from_secs(1));
        let call = in_memory::call_detailed(CallOptions::new(), 1);
        assert_eq!(call.outcome, Outcome::Stale);
        cachier::flush();
    });
}

mod facade {
    /// As in a crate that re-exports the runtime.
    pub(super) mod memo {
        pub(in super::super) use ::cachier::*;
    }
}

#[cachier(backend = "memory", enable_metrics, crate = facade::memo)]
fn through_another_crate(n: u64) -> Option<u64> {
    Some(n)
}

struct Service;

impl Service {
    #[cachier(backend = "file", skip(self), next_time, crate = self::facade::memo)]
    async fn through_another_crate(&self, n: u64) -> u64 {
        n
    }
}

impl Clone for Service {
    fn clone(&self) -> Self {
        Self
    }
}

#[tokio::test]
async fn the_runtime_is_where_the_attribute_says() {
    in_folder_async(async |_| {
        assert_eq!(
            (through_another_crate(1), through_another_crate(1)),
            (Some(1), Some(1))
        );
        assert_eq!(through_another_crate::metrics().stats().hits, 1);
        assert_eq!(Service.through_another_crate(2).await, 2);
        let peeked = Service::through_another_crate_cache()
            .peek(&Service, 2)
            .await;
        assert_eq!(peeked.unwrap(), Some(2));
    })
    .await;
}

#[derive(Debug, PartialEq)]
struct Failure(String);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

#[cachier(
    backend = "file",
    near_cache = 100,
    near_stale_after = "10s",
    stale_after = |text| an_hour() * text.len() as u32,
    jitter = Share::percent(0.0),
    refresh_after = Share::percent(90.0),
    policy = "slow",
    version = none,
    capacity_bytes = 10_000_000,
    cache_if = |text| text.len() < 10,
    sampling_rate = 1,
    enable_metrics = true,
    on_backend_error = "propagate"
)]
async fn in_files(text: &str) -> Result<String, Failure> {
    Ok(text.to_uppercase())
}

#[tokio::test]
async fn all_arguments_of_the_file_backend() {
    in_folder_async(async |folder| {
        assert_eq!(in_files("ab").await.unwrap(), "AB");
        assert_eq!(in_files("ab").await.unwrap(), "AB");
        assert_eq!(in_files("long enough not to stay").await.unwrap().len(), 23);
        assert_eq!(
            in_files::peek("long enough not to stay").await.unwrap(),
            None
        );
        assert_eq!(in_files::metrics().stats().hits, 1);
        assert_eq!(in_files::cache_dir(), folder);
    })
    .await;
}

#[cachier(backend = registered("nobody"), on_backend_error = "propagate")]
fn unregistered(n: u64) -> Result<u64, Failure> {
    Ok(n)
}

#[cachier(backend = registered("nobody"))]
fn unregistered_but_computed(n: u64) -> u64 {
    n
}

#[test]
fn a_backend_that_nobody_registered() {
    in_folder(|_| {
        assert!(unregistered(1).is_err());
        assert_eq!(unregistered_but_computed(1), 1);
    });
}

#[cachier]
fn by_default(n: u64) -> u64 {
    n + 1
}

#[test]
fn no_arguments_at_all() {
    in_folder(|folder| {
        assert_eq!(by_default(1), 2);
        assert_eq!(by_default::cache_dir(), folder);
        assert_eq!(by_default::peek(1).unwrap(), Some(2));
    });
}

mod renamed {
    /// The runtime under another name, as re-exported by a crate with the attribute in its interface.
    pub(crate) mod deep {
        pub(crate) use cachier as memory_of_things;
    }
}

#[renamed::deep::memory_of_things::cachier(
    crate = crate::options::renamed::deep::memory_of_things,
    backend = "memory",
    allow_none,
    enable_metrics
)]
fn elsewhere(n: u64) -> Option<u64> {
    (n > 1).then_some(n)
}

#[renamed::deep::memory_of_things::cachier(
    crate = renamed::deep::memory_of_things,
    backend = "file",
    next_time,
    stale_after = "1h"
)]
async fn later_elsewhere<T: Into<u64> + serde::Serialize + Clone + Send + 'static>(
    n: T,
) -> Result<u64, String> {
    Ok(n.into())
}

#[tokio::test]
async fn the_runtime_crate_may_be_renamed() {
    in_folder_async(async |_| {
        assert_eq!(
            (elsewhere(1), elsewhere(1), elsewhere(2)),
            (None, None, Some(2))
        );
        assert_eq!(elsewhere::metrics().stats().hits, 1);
        assert_eq!(later_elsewhere(7_u32).await, Ok(7));
        assert_eq!(
            later_elsewhere::call_detailed(CallOptions::new(), 7_u32)
                .await
                .outcome,
            Outcome::Hit
        );
    })
    .await;
}
