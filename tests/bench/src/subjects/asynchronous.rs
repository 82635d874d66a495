//! `async u64 -> u64`, with a tokio runtime per thread.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use cached::macros::{cached, concurrent_cached};
use cachier::cachier;
use hitbox::DisabledOffload;
use hitbox::concurrency::NoopConcurrencyManager;
use hitbox::policy::PolicyConfig;
use hitbox_moka::MokaBackend;
use tokio::runtime::{Builder, Runtime};

use super::shared::{CAPACITY, compute};
use crate::case::Case;
use crate::workload::KEYS;

/// Unbounded.
pub fn unbounded() -> Case<u64> {
    Case {
        title: "`async`, `u64`, unbounded",
        keys: (0..KEYS as u64).collect(),
        calls: 20_000,
        reference: "cached, `#[cached]`",
        subjects: vec![
            subject!("**cachier**", "off", off),
            subject!("**cachier**", "rate 0", rate_none),
            subject!("**cachier**", "default", rate_auto),
            subject!("**cachier**", "rate 0.1", rate_tenth),
            subject!("**cachier**", "rate 1.0", rate_all),
            subject!("cached, `#[cached]`", "hits", peer_cached),
            subject!("cached, `#[concurrent_cached]`", "hits", peer_concurrent),
            subject!("moka, `get_with`", "none", peer_moka),
            subject!("hitbox-fn on moka, bounded", "none", peer_hitbox),
        ],
    }
}

/// A subject that awaits its calls one after the other.
macro_rules! subject {
    ($name:literal, $metrics:literal, $function:path) => {
        $crate::harness::Subject {
            name: $name,
            metrics: $metrics,
            run: |arguments| {
                block_on(async {
                    let mut sum = 0;
                    for &argument in arguments {
                        sum ^= $function(argument).await;
                    }
                    sum
                })
            },
        }
    };
}
use subject;

fn block_on<F: Future>(future: F) -> F::Output {
    thread_local! {
        static RUNTIME: Runtime = Builder::new_current_thread().build().expect("a runtime can be had");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

#[cachier(backend = "memory")]
async fn off(id: u64) -> u64 {
    compute(id)
}

#[cachier(backend = "memory", enable_metrics, sampling_rate = 0.0)]
async fn rate_none(id: u64) -> u64 {
    compute(id)
}

#[cachier(backend = "memory", enable_metrics)]
async fn rate_auto(id: u64) -> u64 {
    compute(id)
}

#[cachier(backend = "memory", enable_metrics, sampling_rate = 0.1)]
async fn rate_tenth(id: u64) -> u64 {
    compute(id)
}

#[cachier(backend = "memory", enable_metrics, sampling_rate = 1.0)]
async fn rate_all(id: u64) -> u64 {
    compute(id)
}

#[cached]
async fn peer_cached(id: u64) -> u64 {
    compute(id)
}

#[concurrent_cached]
async fn peer_concurrent(id: u64) -> u64 {
    compute(id)
}

async fn peer_moka(id: u64) -> u64 {
    static CACHE: LazyLock<moka::future::Cache<u64, u64>> =
        LazyLock::new(|| moka::future::Cache::builder().build());
    CACHE.get_with(id, async { compute(id) }).await
}

async fn peer_hitbox(id: u64) -> u64 {
    type Cache = hitbox_fn::Cache<MokaBackend, NoopConcurrencyManager, DisabledOffload>;
    static CACHE: LazyLock<Cache> = LazyLock::new(|| {
        hitbox_fn::Cache::builder()
            .backend(MokaBackend::builder().max_entries(CAPACITY as u64).build())
            .policy(
                PolicyConfig::builder()
                    .ttl(Duration::from_secs(3600))
                    .build(),
            )
            .build()
    });
    hitbox_compute(id).cache(&*CACHE).await
}

#[hitbox_fn::cached]
async fn hitbox_compute(id: u64) -> u64 {
    compute(id)
}
