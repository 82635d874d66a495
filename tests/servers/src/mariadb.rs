//! MariaDB.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::{Server, StoreServer, folder, free_port, killed_with_parent, program, skip};

/// Names an existing server.
const VARIABLE: &str = "CACHIER_TEST_MARIADB_URL";

/// The server named by `CACHIER_TEST_MARIADB_URL`, or else a new one; `None`, with a message, if there is neither.
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
    let Some(programs) = Programs::find() else {
        skip(&format!(
            "mariadbd is not installed (`apt install mariadb-server`, or name a server in {VARIABLE})"
        ));
        return None;
    };
    let port = free_port();
    let server = programs.serve(programs.made(), port);
    let url = format!("mysql://root@127.0.0.1:{port}/cachier");
    Some(StoreServer::started(url, server, |folder, port| {
        let programs = Programs::find().expect("they were there");
        programs.serve(folder, port)
    }))
}

struct Programs {
    mariadbd: PathBuf,
    install: PathBuf,
    client: PathBuf,
}

impl Programs {
    fn find() -> Option<Self> {
        Some(Self {
            mariadbd: program(&["mariadbd", "/usr/sbin/mariadbd"])?,
            install: program(&["mariadb-install-db"])?,
            client: program(&["mariadb"])?,
        })
    }

    /// A folder for a new database.
    fn made(&self) -> TempDir {
        let folder = folder();
        let done = Command::new(&self.install)
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--user=root",
            ])
            .args(["--skip-test-db", "--skip-name-resolve"])
            .arg(format!(
                "--datadir={}",
                folder.path().join("data").display()
            ))
            .output()
            .expect("mariadb-install-db runs");
        assert!(done.status.success(), "{done:?}");
        folder
    }

    fn serve(&self, folder: TempDir, port: u16) -> Server {
        let path =
            |option: &str, name: &str| format!("--{option}={}", folder.path().join(name).display());
        let port_option = format!("--port={port}");
        let mut command = killed_with_parent(&self.mariadbd);
        command
            .args([
                "--no-defaults",
                "--user=root",
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
            ])
            .args([
                "--innodb-flush-log-at-trx-commit=0",
                "--performance-schema=OFF",
                "--max-connections=1000",
            ])
            .arg(&port_option)
            .args([
                path("datadir", "data"),
                path("socket", "socket"),
                path("pid-file", "pid"),
            ]);
        Server::start(&mut command, port, folder, || {
            Command::new(&self.client)
                .args([
                    "--no-defaults",
                    "--host=127.0.0.1",
                    "--user=root",
                    &port_option,
                ])
                .args(["-e", "CREATE DATABASE IF NOT EXISTS cachier"])
                .output()
                .is_ok_and(|done| done.status.success())
        })
    }
}
