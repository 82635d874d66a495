//! Values on a Redis server, shared by programs and machines: `cargo run --release --features redis --bin redis`.
//!
//! Uses the server that `CACHIER_REDIS_URL` names, or else a private one that ends with this program. If `redis-server`
//! is not installed, Valkey is downloaded first (2 MB, once).
#![expect(clippy::print_stdout, reason = "a program that tells what it does")]

use std::error::Error;
use std::time::Duration;

use cachier::{CallOptions, RedisBackend, cachier};
use tokio::time::sleep;

/// A user from a slow database. Stale values are served at once and refreshed in the background.
#[cachier(
    backend = "redis",
    stale_after = "10m",
    next_time,
    near_cache = 1000,
    enable_metrics,
    sampling_rate = 0.5
)]
async fn user(id: u64) -> String {
    sleep(Duration::from_millis(200)).await;
    format!("user {id}")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = match std::env::var_os("CACHIER_REDIS_URL") {
        Some(_) => None,
        None => Some(cachier_servers::redis::start_or_fetch()?),
    };
    match &server {
        Some(server) => cachier::register_backend("redis", RedisBackend::from_url(server.url())?)?,
        None => println!("on the server that CACHIER_REDIS_URL names"),
    }
    for _ in 0..3 {
        let call = user::call_detailed(CallOptions::new(), 7).await;
        println!("{} — {call}", call.value);
    }
    let together = (0..100).map(|_| tokio::spawn(user(8)));
    for call in together.collect::<Vec<_>>() {
        call.await?;
    }
    println!(
        "100 tasks asked for user 8 at once: {} computations in all",
        user::metrics().stats().recalculations
    );
    println!("forgotten: {}", user::invalidate(7).await?);
    println!("stored: {:?} entries", user::usage().await?.entries);
    println!("\n{}", user::metrics().stats());
    Ok(())
}
