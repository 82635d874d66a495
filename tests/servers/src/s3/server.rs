//! The `s3-server` next to this crate.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::place::Place;
use crate::fetch::Download;
use crate::proxy::Proxy;
use crate::{Server, StoreServer, fetched, folder, free_port, killed_with_parent, skip};

/// Names an existing server: `http://access-key:secret@host:port/bucket`.
const VARIABLE: &str = "CACHIER_TEST_S3_URL";

/// A server, started here or found.
#[derive(Debug)]
pub struct S3 {
    pub(super) place: Place,
    pub(super) server: Option<Server>,
}

/// The server named by `CACHIER_TEST_S3_URL`, or else a new one; `None`, with a message, if there is neither.
///
/// # Panics
/// When the variable is malformed.
#[must_use]
pub fn start() -> Option<S3> {
    match env::var(VARIABLE) {
        Ok(url) => Some(S3::elsewhere(&url, VARIABLE)),
        Err(_) => start_private(free_port()),
    }
}

/// The same for programs that need one: builds it first if need be.
///
/// # Errors
/// Says what to do if that is impossible.
pub fn start_or_fetch() -> Result<S3, String> {
    if env::var_os(VARIABLE).is_none() && !fetched("s3-server").is_file() {
        DOWNLOAD.fetch()?;
    }
    start().ok_or_else(|| "the S3 server is not where it was put".to_owned())
}

const DOWNLOAD: Download = Download {
    script: "get-s3-server",
    variable: "CACHIER_S3_BUCKET and CACHIER_S3_ENDPOINT",
    needs: "cargo and the network",
};

/// A new server on a port.
#[must_use]
pub fn start_private(port: u16) -> Option<S3> {
    start_in(port, folder())
}

/// A new server, with an object of each of these names in its bucket.
///
/// # Panics
/// When they cannot be written.
#[must_use]
pub fn start_filled(names: impl Iterator<Item = String>) -> Option<S3> {
    let (folder, names) = (folder(), names.collect::<Vec<_>>().join("\n"));
    fs::write(folder.path().join("names"), names).expect("a file for the names");
    start_in(free_port(), folder)
}

/// A new server that can be killed and restarted.
#[must_use]
pub fn start_private_store() -> Option<StoreServer> {
    let (program, port) = (installed()?, free_port());
    let server = serve(&program, folder(), port);
    let again = |folder, port| serve(&installed().expect("it was there"), folder, port);
    Some(StoreServer::started(
        Place::local(port).url(),
        server,
        again,
    ))
}

/// Makes the next request with these words conflict with another one: S3 answers 409.
pub fn conflict(proxy: &Proxy, request: &[&str]) {
    let said = "<Error><Code>ConditionalRequestConflict</Code></Error>";
    let head = "HTTP/1.1 409 Conflict\r\nconnection: close\r\ncontent-length";
    let answer = format!("{head}: {}\r\n\r\n{said}", said.len());
    proxy.answer_once(request, &answer);
}

fn start_in(port: u16, folder: TempDir) -> Option<S3> {
    let server = serve(&installed()?, folder, port);
    Some(S3 {
        place: Place::local(port),
        server: Some(server),
    })
}

fn serve(program: &Path, folder: TempDir, port: u16) -> Server {
    let mut command = killed_with_parent(program);
    command.arg(port.to_string()).arg(folder.path());
    let answers = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    Server::start(&mut command, port, folder, answers)
}

impl S3 {
    pub(super) fn elsewhere(url: &str, variable: &str) -> Self {
        let place = Place::parse(url);
        Self {
            place: place.unwrap_or_else(|| {
                panic!("{variable} is not of the form http://access-key:secret@host:port/bucket")
            }),
            server: None,
        }
    }

    /// Its bucket, with credentials for everything.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The same with read-only credentials, which servers of `start_private` know.
    #[must_use]
    pub fn place_of_reader(&self) -> Place {
        Place {
            access_key: "reader".to_owned(),
            secret: "the-secret-of-the-reader".to_owned(),
            ..self.place.clone()
        }
    }

    /// Requests to a server of `start_private` so far, by kind: `GetObject`, `PutObject`.
    ///
    /// # Panics
    /// When its output cannot be read.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<String, u64> {
        let mut requests = BTreeMap::new();
        for request in self.started().output().lines() {
            *requests.entry(request.to_owned()).or_default() += 1;
        }
        requests
    }

    /// Makes a server of `start_private` report all objects as that much older.
    ///
    /// # Panics
    /// When it cannot be told.
    pub fn age(&self, by: Duration) {
        self.tell("age", by.as_secs());
    }

    /// Makes a server of `start_private` refuse objects larger than this.
    ///
    /// # Panics
    /// When it cannot be told.
    pub fn limit(&self, bytes: u64) {
        self.tell("limit", bytes);
    }

    fn tell(&self, what: &str, number: u64) {
        let file = self.started().folder().join(what);
        fs::write(file, number.to_string()).expect("a file for it to read");
    }

    fn started(&self) -> &Server {
        self.server.as_ref().expect("it was started here")
    }

    /// Its process, if it was started here.
    pub fn server(&mut self) -> Option<&mut Server> {
        self.server.as_mut()
    }
}

fn installed() -> Option<PathBuf> {
    let built = fetched("s3-server");
    let found = built.is_file().then_some(built);
    if found.is_none() {
        skip(&format!(
            "no S3 server is built (run `tests/servers/get-s3-server`, or name a server in {VARIABLE})"
        ));
    }
    found
}
