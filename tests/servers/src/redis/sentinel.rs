//! A master and its replica, watched by a sentinel.

use super::installed::installed;
use super::single::{ask, serve};
use crate::{Server, folder, free_port, killed_with_parent};

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
        format!("redis+sentinel://127.0.0.1:{}/main/0", self.sentinel.port())
    }
}
