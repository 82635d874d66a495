//! An S3 server for tests: `cachier-s3-server PORT FOLDER`.
//!
//! It listens on the loopback interface and keeps a single bucket, `cachier`, in memory. It verifies signatures,
//! serialises conditional requests, as S3 does per object, and prints the name of each request. Files in the folder
//! control it: `names` of initial objects, `age`, `limit`.

mod bucket;
mod rights;

use std::error::Error;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;

use bucket::Bucket;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(port), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: cachier-s3-server PORT FOLDER".into());
    };
    let mut service = S3ServiceBuilder::new(Bucket::new(PathBuf::from(folder)));
    service.set_auth(rights::secrets());
    service.set_access(rights::Rights);
    let service = service.build();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse()?)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            let connection = Builder::new(TokioExecutor::new());
            // Clients may hang up at any time.
            let _ = connection
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
