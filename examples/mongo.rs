//! Values in a MongoDB collection, shared by programs and machines: `cargo run --release --features mongo --bin mongo`.
//!
//! Uses the server that `CACHIER_MONGO_URL` names, or else a private one that ends with this program. If `mongod` is
//! not installed, it is downloaded first (42 MB, once); it needs `libcurl4`.
#![expect(clippy::print_stdout, reason = "a program that tells what it does")]

use std::error::Error;
use std::time::Duration;

use cachier::{CallOptions, MongoBackend, cachier};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Route {
    from: String,
    to: String,
    minutes: u32,
}

/// Only routes that exist are cached: an `Err` is not.
#[cachier(backend = "mongo", stale_after = "1d", enable_metrics)]
async fn route(from: &str, to: &str) -> Result<Route, String> {
    sleep(Duration::from_millis(200)).await;
    if from == to {
        return Err("there already".to_owned());
    }
    let minutes = 7 * (from.len() + to.len()) as u32;
    Ok(Route {
        from: from.to_owned(),
        to: to.to_owned(),
        minutes,
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = match std::env::var_os("CACHIER_MONGO_URL") {
        Some(_) => None,
        None => Some(cachier_servers::mongo::start_or_fetch()?),
    };
    match &server {
        Some(server) => cachier::register_backend("mongo", MongoBackend::from_url(server.url())?)?,
        None => println!("on the server that CACHIER_MONGO_URL names"),
    }
    for (from, to) in [("Oslo", "Bergen"), ("Oslo", "Bergen"), ("Oslo", "Oslo")] {
        let call = route::call_detailed(CallOptions::new(), from, to).await;
        println!("{:?} — {call}", call.value);
    }
    println!("stored: {:?} entries", route::usage().await?.entries);
    println!("\n{}", route::metrics().stats());
    Ok(())
}
