//! moto, downloaded by `get-moto`. It accepts any credentials.

use std::env;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::place::{BUCKET, Place};
use super::server::S3;
use crate::{Server, StoreServer, fetched, folder, free_port, killed_with_parent, skip};

/// Names an existing server: `http://access-key:secret@host:port/bucket`.
const VARIABLE: &str = "CACHIER_TEST_MOTO_URL";

/// The server named by `CACHIER_TEST_MOTO_URL`, or else a new one; `None`, with a message, if there is neither.
///
/// # Panics
/// When the variable is malformed.
#[must_use]
pub fn start_moto() -> Option<S3> {
    if let Ok(url) = env::var(VARIABLE) {
        return Some(S3::elsewhere(&url, VARIABLE));
    }
    let port = free_port();
    let server = serve(&installed()?, folder(), port);
    Some(S3 {
        place: Place::local(port),
        server: Some(server),
    })
}

/// A new server that can be killed and restarted.
#[must_use]
pub fn start_private_moto_store() -> Option<StoreServer> {
    let (python, port) = (installed()?, free_port());
    let server = serve(&python, folder(), port);
    let again = |folder, port| serve(&installed().expect("it was there"), folder, port);
    Some(StoreServer::started(
        Place::local(port).url(),
        server,
        again,
    ))
}

fn serve(python: &Path, folder: TempDir, port: u16) -> Server {
    let mut command = killed_with_parent(python);
    command
        .args(["-c", include_str!("../../moto.py"), &port.to_string()])
        .current_dir(folder.path());
    Server::start(&mut command, port, folder, || create_bucket(port).is_some())
}

fn create_bucket(port: u16) -> Option<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    let request = format!(
        "PUT /{BUCKET} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(())
}

fn installed() -> Option<PathBuf> {
    let python = fetched("moto/bin/python");
    let found = python.is_file().then_some(python);
    if found.is_none() {
        skip(&format!(
            "moto is not installed (run `tests/servers/get-moto`, or name a server in {VARIABLE})"
        ));
    }
    found
}
