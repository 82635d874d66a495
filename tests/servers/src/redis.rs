//! Redis: a single server, one that Sentinel watches, and a cluster.

use std::env;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{
    PATIENCE, Server, StoreServer, folder, free_port, mortal, program, program_or_fetched, skip,
};

/// Names a server that is there already.
const VARIABLE: &str = "CACHIER_TEST_REDIS_URL";

/// The server that `CACHIER_TEST_REDIS_URL` names, else a new one; `None`, said on the error output, if there is neither.
#[must_use]
pub fn start() -> Option<StoreServer> {
    if let Ok(url) = env::var(VARIABLE) {
        return Some(StoreServer::found(url));
    }
    start_private(free_port(), &[])
}

/// A new server on a port, with some options more.
#[must_use]
pub fn start_private(port: u16, options: &[&str]) -> Option<StoreServer> {
    serve("redis-server", port, options).map(started)
}

/// The server that `CACHIER_TEST_VALKEY_URL` names, else a new one: of Valkey.
#[must_use]
pub fn start_valkey() -> Option<StoreServer> {
    if let Ok(url) = env::var("CACHIER_TEST_VALKEY_URL") {
        return Some(StoreServer::found(url));
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

/// A server that speaks TLS.
#[derive(Debug)]
pub struct Tls {
    _server: Server,
    /// Its address.
    pub url: String,
    /// The certificate that proves it, as PEM.
    pub certificate: Vec<u8>,
}

/// A new server with a certificate of its own; `None` if the programs are not installed.
///
/// # Panics
/// When no certificate can be made.
#[must_use]
pub fn start_tls() -> Option<Tls> {
    let (openssl, made) = (installed("openssl")?, folder());
    let path = |name| made.path().join(name).to_string_lossy().into_owned();
    let (key, certificate) = (path("key.pem"), path("certificate.pem"));
    let request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
                   -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE";
    let done = Command::new(openssl)
        .args(request.split_whitespace())
        .args(["-keyout", &key, "-out", &certificate])
        .output()
        .expect("openssl runs");
    assert!(done.status.success(), "{done:?}");
    let port = free_port();
    let (tls_port, tls) = (port.to_string(), ["--tls-auth-clients", "no"]);
    let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key];
    let options = [&["--tls-port", &tls_port], &tls, &files[..2], &files[2..]].concat();
    let server = serve("redis-server", free_port(), &options)?;
    Some(Tls {
        _server: server,
        url: format!("rediss://localhost:{port}"),
        certificate: std::fs::read(&certificate).expect("the certificate"),
    })
}

/// A cluster of three.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Server>,
}

/// A new cluster; `None` if the programs are not installed.
///
/// # Panics
/// When the servers do not form one.
#[must_use]
pub fn start_cluster() -> Option<Cluster> {
    let client = installed("redis-cli")?;
    let node = |_| serve("redis-server", free_port(), &["--cluster-enabled", "yes"]);
    let nodes: Vec<_> = (0..3).map(node).collect::<Option<_>>()?;
    let addresses = nodes.iter().map(address);
    let created = Command::new(client)
        .args(["--cluster", "create"])
        .args(addresses)
        .args(["--cluster-replicas", "0", "--cluster-yes"])
        .output()
        .expect("redis-cli runs");
    assert!(created.status.success(), "{created:?}");
    nodes.iter().for_each(until_joined);
    Some(Cluster { nodes })
}

impl Cluster {
    /// The address of all nodes.
    #[must_use]
    pub fn url(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().map(address).collect();
        format!("redis+cluster://{}", nodes.join(","))
    }
}

/// A master, its replica, and a sentinel that watches them.
#[derive(Debug)]
pub struct Watched {
    sentinel: Server,
    /// The master at first.
    pub master: Server,
    /// The replica at first.
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
    let mut command = mortal(&program);
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
    /// The address of the sentinel, which knows the others.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+sentinel://{}/main/0", address(&self.sentinel))
    }
}

/// Waits until a node knows the others.
fn until_joined(node: &Server) {
    let is_joined = || {
        let state = ask(node.port(), "CLUSTER INFO\r\n");
        state.is_some_and(|text| text.contains("cluster_state:ok"))
    };
    let started = Instant::now();
    while !is_joined() {
        assert!(started.elapsed() < PATIENCE, "the nodes form no cluster");
        thread::sleep(Duration::from_millis(10));
    }
}

fn address(server: &Server) -> String {
    format!("127.0.0.1:{}", server.port())
}

fn serve(name: &str, port: u16, options: &[&str]) -> Option<Server> {
    Some(serve_program(&installed(name)?, folder(), port, options))
}

fn serve_program(program: &Path, folder: TempDir, port: u16, options: &[&str]) -> Server {
    let mut command = mortal(program);
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
        .arg("--dir")
        .arg(folder.path())
        .args(options);
    let answers = || ask(port, "PING\r\n").is_some();
    Server::start(&mut command, port, folder, answers)
}

/// What a server answers to one line.
fn ask(port: u16, line: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    stream.write_all(line.as_bytes()).ok()?;
    let mut answer = [0; 8192];
    let length = stream.read(&mut answer).ok()?;
    (length > 0).then(|| String::from_utf8_lossy(&answer[..length]).into_owned())
}

fn installed(name: &str) -> Option<PathBuf> {
    let found = program(&[name]);
    if found.is_none() {
        skip(&format!(
            "{name} is not installed (`apt install redis-server redis-sentinel redis-tools openssl`, or name a server \
             in {VARIABLE})"
        ));
    }
    found
}
