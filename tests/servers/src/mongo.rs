//! MongoDB: a `mongod` on the path, or the one that `get-mongod` beside this crate has fetched.

use std::env;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;

use crate::{Server, fetched, folder, free_port, mortal, program};

/// Names a server that is there already.
const VARIABLE: &str = "CACHIER_TEST_MONGO_URL";

/// A server: one that was started here, or one that was there.
#[derive(Debug)]
pub struct Mongo {
    url: String,
    server: Option<Server>,
}

/// The server that `CACHIER_TEST_MONGO_URL` names, else a new one; `None`, said on the error output, if there is neither.
#[must_use]
pub fn start() -> Option<Mongo> {
    if let Ok(url) = env::var(VARIABLE) {
        return Some(Mongo { url, server: None });
    }
    start_private(free_port(), &[])
}

/// A new server on a port, with some options more.
#[must_use]
pub fn start_private(port: u16, options: &[&str]) -> Option<Mongo> {
    let (program, folder) = (installed()?, folder());
    let mut command = mortal(&program);
    command
        .args(["--port", &port.to_string(), "--bind_ip", "127.0.0.1"])
        .args([
            "--wiredTigerCacheSizeGB",
            "0.25",
            "--nounixsocket",
            "--quiet",
        ])
        .args(["--setParameter", "ttlMonitorSleepSecs=1"])
        .arg("--dbpath")
        .arg(folder.path())
        .args(options);
    let answers = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    let server = Server::start(&mut command, port, folder, answers);
    Some(Mongo {
        url: format!("mongodb://127.0.0.1:{port}/cachier"),
        server: Some(server),
    })
}

impl Mongo {
    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The process, if it was started here.
    pub fn server(&mut self) -> Option<&mut Server> {
        self.server.as_mut()
    }
}

fn installed() -> Option<PathBuf> {
    let fetched = fetched("mongod");
    let found = program(&["mongod", &fetched.display().to_string()]);
    if found.is_none() {
        // Nobody to tell is no reason to fail.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: mongod is not installed (run `tests/servers/get-mongod`, or name a server in {VARIABLE})"
        );
    }
    found
}
