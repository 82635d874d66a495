//! Values in a bucket of S3 or a compatible store: `cargo run --release --features s3 --bin s3`.
//!
//! Uses the bucket that `CACHIER_S3_BUCKET` names (with `CACHIER_S3_ENDPOINT` and the usual AWS variables), or else a
//! private server that ends with this program; it is built first (once, which takes minutes).
#![expect(clippy::print_stdout, reason = "a program that tells what it does")]

use std::error::Error;
use std::time::Duration;

use cachier::{CallOptions, S3Backend, cachier};
use tokio::time::sleep;

/// A picture that takes long to compute: large values suit a bucket.
#[cachier(backend = "s3", operation_timeout = "5s", enable_metrics)]
async fn picture(width: usize, height: usize) -> Vec<u8> {
    sleep(Duration::from_millis(200)).await;
    (0..width * height)
        .map(|pixel| (pixel % width) as u8)
        .collect()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = match std::env::var_os("CACHIER_S3_BUCKET") {
        Some(_) => None,
        None => Some(cachier_servers::s3::start_or_fetch()?),
    };
    match &server {
        Some(server) => {
            let place = server.place();
            let backend = S3Backend::new(&place.bucket)
                .endpoint(&place.endpoint)
                .credentials(&place.access_key, &place.secret);
            cachier::register_backend("s3", backend)?;
        }
        None => println!("in the bucket that CACHIER_S3_BUCKET names"),
    }
    for _ in 0..2 {
        let call = picture::call_detailed(CallOptions::new(), 640, 480).await;
        println!("{} bytes — {call}", call.value.len());
    }
    println!("stored: {:?}", picture::usage().await?);
    println!("\n{}", picture::metrics().stats());
    Ok(())
}
