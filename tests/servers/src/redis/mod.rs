//! Redis: a single server, one with Sentinel, and a cluster.

mod certificate;
mod cluster;
mod installed;

use std::env;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::fetch::Download;
use crate::{
    Server, StoreServer, folder, free_port, killed_with_parent, program, program_or_fetched, skip,
};
use certificate::Certificate;
pub use cluster::{
    Cluster, USER_OF_CLUSTER, start_cluster, start_cluster_with_password,
    start_cluster_with_replicas, start_cluster_with_tls,
};
use installed::{VARIABLE, installed};

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

/// A server with TLS.
#[derive(Debug)]
pub struct Tls {
    _server: Server,
    /// Its address.
    pub url: String,
    /// Its certificate, as PEM.
    pub certificate: Vec<u8>,
}

/// A new server with its own certificate; `None` if the programs are not installed.
///
/// # Panics
/// When no certificate can be made.
#[must_use]
pub fn start_tls() -> Option<Tls> {
    let (certificate, port) = (Certificate::new()?, free_port());
    let options = certificate.options(port);
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let server = serve("redis-server", free_port(), &options)?;
    Some(Tls {
        _server: server,
        url: format!("rediss://localhost:{port}"),
        certificate: std::fs::read(certificate.path()).expect("the certificate"),
    })
}

/// A master, its replica, and a sentinel that watches them.
#[derive(Debug)]
pub struct Watched {
    sentinel: Server,
    /// The initial master.
    pub master: Server,
    /// The initial replica.
    pub replica: Server,
}

/// New servers; `None` if the programs are not installed.
///
/// # Panics
/// When they do not start.
#[must_use]
pub fn start_watched() -> Option<Watched> {
    let master = serve("redis-server", free_port(), &[])?;
    let of_master = format!("127.0.0.1 {}", master.port());
    let replica = serve("redis-server", free_port(), &["--replicaof", &of_master])?;
    let program = installed("redis-sentinel")?;
    let (folder, port) = (folder(), free_port());
    let configuration = folder.path().join("sentinel.conf");
    let text = format!(
        "port {port}\nbind 127.0.0.1\nsentinel monitor main {of_master} 1\n\
         sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n"
    );
    std::fs::write(&configuration, text).expect("the configuration of the sentinel");
    let mut command = killed_with_parent(&program);
    command.arg(&configuration);
    let sentinel = Server::start(&mut command, port, folder, || {
        let masters = ask(port, "SENTINEL MASTER main\r\n");
        masters.is_some_and(|text| text.contains("num-slaves\r\n$1\r\n1"))
    });
    Some(Watched {
        sentinel,
        master,
        replica,
    })
}

impl Watched {
    /// The address of the sentinel.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+sentinel://{}/main/0", address(&self.sentinel))
    }
}

fn address(server: &Server) -> String {
    format!("127.0.0.1:{}", server.port())
}

fn serve(name: &str, port: u16, options: &[&str]) -> Option<Server> {
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
fn ask(port: u16, line: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    stream.write_all(line.as_bytes()).ok()?;
    let mut answer = [0; 8192];
    let length = stream.read(&mut answer).ok()?;
    (length > 0).then(|| String::from_utf8_lossy(&answer[..length]).into_owned())
}
