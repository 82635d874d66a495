//! StatsD, downloaded by `get-statsd`.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::wait::until;
use crate::{Server, fetched, folder, free_port, killed_with_parent, program, skip};

/// A daemon, ended when dropped.
#[derive(Debug)]
pub struct Statsd {
    port: u16,
    admin: SocketAddr,
    server: Server,
}

/// How long it may take to say something.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A new daemon that adds up for so long before it prints all and begins anew; `None`, with a message, if it is not
/// installed.
///
/// # Panics
/// When it does not start.
#[must_use]
pub fn start(flush_interval: Duration) -> Option<Statsd> {
    let script = fetched("statsd/node_modules/statsd/stats.js");
    let (Some(node), true) = (program(&["node", "nodejs"]), script.is_file()) else {
        skip("StatsD is not installed (run `tests/servers/get-statsd`, which needs npm)");
        return None;
    };
    let (folder, port, admin) = (folder(), free_port(), free_port());
    let config = folder.path().join("config.js");
    let interval = flush_interval.as_millis();
    let text = format!(
        "{{port: {port}, address: '127.0.0.1', mgmt_port: {admin}, mgmt_address: '127.0.0.1', \
          flushInterval: {interval}, backends: ['./backends/console'], deleteIdleStats: true}}"
    );
    fs::write(&config, text).expect("a file of its own");
    let mut command = killed_with_parent(&node);
    command.arg(&script).arg(&config);
    let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, admin));
    let server = Server::start(&mut command, admin.port(), folder, || {
        ask(admin, "health").is_ok()
    });
    Some(Statsd {
        port,
        admin,
        server,
    })
}

impl Statsd {
    /// Where it takes packets over UDP: `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// All values of a kind, `counters`, `gauges` or `timers`, as it writes them, by its administrator's port.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn values(&self, kind: &str) -> String {
        ask(self.admin, kind).expect("it answers")
    }

    /// Waits until it has this value of a kind, as it writes it.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn has(&self, kind: &str, name: &str, value: &str) {
        let line = format!("'{name}': ");
        until(&format!("{name} is {value}"), || {
            let all = self.values(kind);
            let mut found = all
                .lines()
                .filter_map(|found| found.trim_start_matches(['{', ' ']).strip_prefix(&line));
            found.any(|found| found.trim_end_matches([',', ' ', '}']) == value)
        });
    }

    /// What it has printed.
    #[must_use]
    pub fn output(&self) -> String {
        self.server.output()
    }
}

/// What the administrator's port says to a command.
fn ask(admin: SocketAddr, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    // In one write, as it takes each piece for a command.
    stream.write_all(format!("{command}\n").as_bytes())?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while !answer.ends_with(b"END\n\n") && !answer.starts_with(b"health: ") {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..length]);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
