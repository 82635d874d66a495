//! rotel, a receiver of OpenTelemetry, downloaded by `get-rotel`. It prints what it receives.

use std::net::{Ipv4Addr, TcpStream};

use crate::{Server, folder, free_port, killed_with_parent, program_or_fetched, skip};

/// A receiver, ended when dropped.
#[derive(Debug)]
pub struct Rotel {
    server: Server,
    http_port: u16,
}

impl Rotel {
    /// A new one; `None`, with a message, if it is not installed.
    #[must_use]
    pub fn start() -> Option<Self> {
        let Some(program) = program_or_fetched("rotel-agent") else {
            skip("rotel is not installed (run `tests/servers/get-rotel`)");
            return None;
        };
        let [grpc_port, http_port] = [(); 2].map(|()| free_port());
        let at = |port: u16| format!("127.0.0.1:{port}");
        let mut command = killed_with_parent(&program);
        command
            .args(["start", "--exporter", "blackhole"])
            .args(["--debug-log", "metrics"])
            .args(["--debug-log-verbosity", "detailed"])
            .args(["--otlp-grpc-endpoint", &at(grpc_port)])
            .args(["--otlp-http-endpoint", &at(http_port)]);
        let answers = || {
            let mut ports = [grpc_port, http_port].into_iter();
            ports.all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
        };
        Some(Self {
            server: Server::start(&mut command, grpc_port, folder(), answers),
            http_port,
        })
    }

    /// Where it listens for gRPC.
    #[must_use]
    pub fn grpc_port(&self) -> u16 {
        self.server.port()
    }

    /// Where it listens for HTTP.
    #[must_use]
    pub fn http_port(&self) -> u16 {
        self.http_port
    }

    /// What it has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.server.output()
    }
}
