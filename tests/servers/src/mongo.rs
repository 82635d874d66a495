//! MongoDB: a `mongod` on the path, or one downloaded by `get-mongod`.

use std::env;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::fetch::Download;
use crate::{Server, StoreServer, folder, free_port, killed_with_parent, program_or_fetched, skip};

/// Names an existing server.
const VARIABLE: &str = "CACHIER_TEST_MONGO_URL";

/// The server named by `CACHIER_TEST_MONGO_URL`, or else a new one; `None`, with a message, if there is neither.
#[must_use]
pub fn start() -> Option<StoreServer> {
    StoreServer::named_by(VARIABLE).or_else(|| start_private(free_port(), &[]))
}

/// The same for programs that need one: downloads `mongod` if it is not installed.
///
/// # Errors
/// Says what to do if that is impossible.
pub fn start_or_fetch() -> Result<StoreServer, String> {
    if env::var_os(VARIABLE).is_none() && program_or_fetched("mongod").is_none() {
        DOWNLOAD.fetch()?;
    }
    let runs = |program: &PathBuf| {
        let said = Command::new(program).arg("--version").output();
        said.is_ok_and(|said| said.status.success())
    };
    match program_or_fetched("mongod") {
        Some(program) if env::var_os(VARIABLE).is_none() && !runs(&program) => Err(format!(
            "{} does not run, which needs libcurl (`apt install libcurl4`); or name a server in {}",
            program.display(),
            DOWNLOAD.variable
        )),
        _ => start().ok_or_else(|| "mongod is not where it was put".to_owned()),
    }
}

const DOWNLOAD: Download = Download {
    script: "get-mongod",
    variable: "CACHIER_MONGO_URL",
    needs: "Python 3 with venv (`apt install python3-venv`) and the network",
};

/// A new server on a port, with additional options.
#[must_use]
pub fn start_private(port: u16, options: &[&str]) -> Option<StoreServer> {
    let server = serve(&installed()?, folder(), port, options);
    let url = format!("mongodb://127.0.0.1:{port}/cachier");
    Some(StoreServer::started(url, server, |folder, port| {
        serve(&installed().expect("it was there"), folder, port, &[])
    }))
}

fn serve(program: &Path, folder: TempDir, port: u16, options: &[&str]) -> Server {
    let mut command = killed_with_parent(program);
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
    Server::start(&mut command, port, folder, answers)
}

fn installed() -> Option<PathBuf> {
    let found = program_or_fetched("mongod");
    if found.is_none() {
        skip(&format!(
            "mongod is not installed (run `tests/servers/get-mongod`, or name a server in {VARIABLE})"
        ));
    }
    found
}
