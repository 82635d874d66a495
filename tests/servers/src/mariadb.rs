//! MariaDB.

use std::env;
use std::io::Write;
use std::process::Command;

use crate::{Server, folder, free_port, mortal, program};

/// Names a server that is there already.
const VARIABLE: &str = "CACHIER_TEST_MARIADB_URL";

/// A server: one that was started here, or one that was there.
#[derive(Debug)]
pub struct MariaDb {
    url: String,
    server: Option<Server>,
}

/// The server that `CACHIER_TEST_MARIADB_URL` names, else a new one; `None`, said on the error output, if there is neither.
#[must_use]
pub fn start() -> Option<MariaDb> {
    if let Ok(url) = env::var(VARIABLE) {
        return Some(MariaDb { url, server: None });
    }
    start_private()
}

/// A new server.
///
/// # Panics
/// When it does not start.
#[must_use]
pub fn start_private() -> Option<MariaDb> {
    let programs = (
        program(&["mariadbd", "/usr/sbin/mariadbd"]),
        program(&["mariadb-install-db"]),
        program(&["mariadb"]),
    );
    let (Some(mariadbd), Some(install), Some(client)) = programs else {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: mariadbd is not installed (`apt install mariadb-server`, or name a server in {VARIABLE})"
        );
        return None;
    };
    let (folder, port) = (folder(), free_port());
    let (data, socket) = (folder.path().join("data"), folder.path().join("socket"));
    let done = Command::new(install)
        .args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--user=root",
        ])
        .args(["--skip-test-db", "--skip-name-resolve"])
        .arg(format!("--datadir={}", data.display()))
        .output()
        .expect("mariadb-install-db runs");
    assert!(done.status.success(), "{done:?}");
    let mut command = mortal(&mariadbd);
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
        ])
        .arg(format!("--port={port}"))
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--socket={}", socket.display()))
        .arg(format!(
            "--pid-file={}",
            folder.path().join("pid").display()
        ));
    let port_option = format!("--port={port}");
    let server = Server::start(&mut command, port, folder, || {
        let statement = "CREATE DATABASE IF NOT EXISTS cachier";
        Command::new(&client)
            .args([
                "--no-defaults",
                "--host=127.0.0.1",
                "--user=root",
                &port_option,
                "-e",
                statement,
            ])
            .output()
            .is_ok_and(|done| done.status.success())
    });
    Some(MariaDb {
        url: format!("mysql://root@127.0.0.1:{port}/cachier"),
        server: Some(server),
    })
}

impl MariaDb {
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
