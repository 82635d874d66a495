//! A single server.

use std::env;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::installed::{VARIABLE, installed};
use crate::fetch::Download;
use crate::{
    Server, StoreServer, folder, free_port, killed_with_parent, program, program_or_fetched, skip,
};

/// The server named by `CACHIER_TEST_REDIS_URL`, or else a new one; `None`, with a message, if there is neither.
#[must_use]
pub fn start() -> Option<StoreServer> {
    StoreServer::named_by(VARIABLE).or_else(|| start_private(free_port(), &[]))
}

/// The same for programs that need one: downloads Valkey if `redis-server` is not installed.
///
/// # Errors
/// Says what to do if that is impossible.
pub fn start_or_fetch() -> Result<StoreServer, String> {
    if env::var_os(VARIABLE).is_some() || program(&["redis-server"]).is_some() {
        return start().ok_or_else(|| "redis-server is gone".to_owned());
    }
    if program_or_fetched("valkey-server").is_none() {
        DOWNLOAD.fetch()?;
    }
    start_valkey().ok_or_else(|| "valkey-server is not where it was put".to_owned())
}

const DOWNLOAD: Download = Download {
    script: "get-valkey",
    variable: "CACHIER_REDIS_URL",
    needs: "Python 3 with venv (`apt install python3-venv`) and the network, unless redis-server is installed \
            (`apt install redis-server`)",
};

/// A new server on a port, with additional options.
#[must_use]
pub fn start_private(port: u16, options: &[&str]) -> Option<StoreServer> {
    serve("redis-server", port, options).map(started)
}

/// The Valkey server named by `CACHIER_TEST_VALKEY_URL`, or else a new one.
#[must_use]
pub fn start_valkey() -> Option<StoreServer> {
    if let Some(server) = StoreServer::named_by("CACHIER_TEST_VALKEY_URL") {
        return Some(server);
    }
    let Some(program) = program_or_fetched("valkey-server") else {
        skip(
            "valkey-server is not installed (run `tests/servers/get-valkey`, or name a server in \
             CACHIER_TEST_VALKEY_URL)",
        );
        return None;
    };
    let server = serve_program(&program, folder(), free_port(), &[]);
    Some(started(server))
}

fn started(server: Server) -> StoreServer {
    let url = format!("redis://127.0.0.1:{}", server.port());
    StoreServer::started(url, server, |folder, port| {
        let program = installed("redis-server").expect("it was there");
        serve_program(&program, folder, port, &[])
    })
}

pub(super) fn serve(name: &str, port: u16, options: &[&str]) -> Option<Server> {
    Some(serve_program(&installed(name)?, folder(), port, options))
}

fn serve_program(program: &Path, folder: TempDir, port: u16, options: &[&str]) -> Server {
    let mut command = killed_with_parent(program);
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
        .arg("--dir")
        .arg(folder.path())
        .args(options);
    let answers = || ask(port, "PING\r\n").is_some();
    Server::start(&mut command, port, folder, answers)
}

/// A server's answer to one line.
pub(super) fn ask(port: u16, line: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    stream.write_all(line.as_bytes()).ok()?;
    let mut answer = [0; 8192];
    let length = stream.read(&mut answer).ok()?;
    (length > 0).then(|| String::from_utf8_lossy(&answer[..length]).into_owned())
}
