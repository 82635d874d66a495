//! PgBouncer, a pooler for PostgreSQL.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;

use crate::{Server, folder, free_port, postgres, program, skip};

/// A pooler in front of a PostgreSQL server.
#[derive(Debug)]
pub struct Pooler {
    port: u16,
    _server: Server,
}

impl Pooler {
    /// The URL of a database through the pooler.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://postgres@127.0.0.1:{port}/{database}")
    }
}

/// A pooler in transaction mode for the local server at this port, with additional settings; `None`, with a message, if
/// it is not installed.
///
/// # Panics
/// When it does not start.
#[must_use]
pub fn start(postgres: u16, settings: &[&str]) -> Option<Pooler> {
    let Some(pgbouncer) = program(&["pgbouncer"]) else {
        skip("pgbouncer is not installed (`apt install pgbouncer`)");
        return None;
    };
    let (folder, port) = (folder(), free_port());
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let users = folder.path().join("users");
    fs::write(&users, "\"postgres\" \"\"\n").expect("a file of its own");
    let file = folder.path().join("pgbouncer.ini");
    let text = format!(
        "[databases]\n* = host=127.0.0.1 port={postgres}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = trust\nauth_file = {}\npool_mode = transaction\n\
         default_pool_size = 4\nmax_client_conn = 500\n{}\n",
        users.display(),
        settings.join("\n")
    );
    fs::write(&file, text).expect("a file of its own");
    // Like PostgreSQL it does not run as root.
    let mut command = postgres::as_its_user(&pgbouncer);
    command.arg(&file);
    let server = Server::start(&mut command, port, folder, || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
    });
    Some(Pooler {
        port,
        _server: server,
    })
}
