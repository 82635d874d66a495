//! PostgreSQL.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{Server, StoreServer, folder, free_port, program, skip};

/// Names an existing server.
const VARIABLE: &str = "CACHIER_TEST_POSTGRES_URL";

/// The server named by `CACHIER_TEST_POSTGRES_URL`, or else a new one; `None`, with a message, if there is neither.
#[must_use]
pub fn start() -> Option<StoreServer> {
    StoreServer::named_by(VARIABLE).or_else(start_private)
}

/// A new server.
///
/// # Panics
/// When it does not start.
#[must_use]
pub fn start_private() -> Option<StoreServer> {
    let Some(programs) = installed() else {
        skip(&format!(
            "postgres is not installed (`apt install postgresql`, or name a server in {VARIABLE})"
        ));
        return None;
    };
    let (folder, port) = (made(&programs), free_port());
    let server = serve(&programs, folder, port);
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    Some(StoreServer::started(url, server, |folder, port| {
        serve(&installed().expect("they were there"), folder, port)
    }))
}

/// The folder of its programs: on the path, or Debian's.
fn installed() -> Option<PathBuf> {
    let all = |folder: &Path| {
        let needed = ["initdb", "pg_isready", "postgres"];
        needed.iter().all(|program| folder.join(program).is_file())
    };
    let on_path = program(&["postgres"]).and_then(|postgres| fs::canonicalize(postgres).ok());
    if let Some(folder) = on_path
        .as_deref()
        .and_then(Path::parent)
        .filter(|folder| all(folder))
    {
        return Some(folder.to_owned());
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.flatten().map(|version| version.path().join("bin"));
    folders.filter(|bin| all(bin)).max()
}

/// A folder with a new database.
fn made(programs: &Path) -> TempDir {
    let folder = folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let data = folder.path().join("data");
    let done = as_its_user(&programs.join("initdb"))
        .args([
            "--auth=trust",
            "--username=postgres",
            "--no-sync",
            "--locale=C",
            "--encoding=UTF8",
            "-D",
        ])
        .arg(&data)
        .output()
        .expect("initdb runs");
    assert!(done.status.success(), "{done:?}");
    folder
}

fn serve(programs: &Path, folder: TempDir, port: u16) -> Server {
    let data = folder.path().join("data");
    let mut command = as_its_user(&programs.join("postgres"));
    command.arg("-D").arg(data).args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "max_connections=1000",
    ] {
        command.args(["-c", setting]);
    }
    let ready = programs.join("pg_isready");
    Server::start(&mut command, port, folder, || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
            && Command::new(&ready)
                .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
                .status()
                .is_ok_and(|status| status.success())
    })
}

/// A command whose process dies with the thread that starts it, and does not run as root, which PostgreSQL refuses.
pub(crate) fn as_its_user(program: &Path) -> Command {
    let Some(setpriv) = crate::program(&["setpriv"]) else {
        return Command::new(program);
    };
    let mut command = Command::new(setpriv);
    if rustix::process::getuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}
