//! A Pushgateway of Prometheus.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use crate::{Server, folder, free_port, killed_with_parent, program, skip};

/// A gateway, ended when dropped.
#[derive(Debug)]
pub struct Pushgateway {
    server: Server,
}

/// A new gateway; `None`, with a message, if it is not installed.
///
/// # Panics
/// When it does not start.
#[must_use]
pub fn start() -> Option<Pushgateway> {
    let Some(program) = program(&["prometheus-pushgateway", "pushgateway"]) else {
        skip("there is no Pushgateway (`apt install prometheus-pushgateway`)");
        return None;
    };
    let port = free_port();
    let mut command = killed_with_parent(&program);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let server = Server::start(&mut command, port, folder(), || {
        get(port, "/-/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.0 200"))
    });
    Some(Pushgateway { server })
}

impl Pushgateway {
    /// `http://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// What Prometheus is told by it.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn metrics(&self) -> String {
        get(self.server.port(), "/metrics").expect("it answers")
    }
}

fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
