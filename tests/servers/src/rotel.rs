//! rotel, a receiver of OpenTelemetry, downloaded by `get-rotel`. It prints what it receives.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;

use crate::fetch::Download;
use crate::{Server, folder, free_port, killed_with_parent, program_or_fetched, skip};

/// A receiver, ended when dropped.
#[derive(Debug)]
pub struct Rotel {
    server: Server,
    http_port: u16,
}

const PROGRAM: &str = "rotel-agent";
const DOWNLOAD: Download = Download {
    script: "get-rotel",
    variable: "OTEL_EXPORTER_OTLP_ENDPOINT",
    needs: "Python 3 with venv (`apt install python3-venv`) and the network",
};

impl Rotel {
    /// A new one; `None`, with a message, if it is not installed.
    #[must_use]
    pub fn start() -> Option<Self> {
        let Some(program) = program_or_fetched(PROGRAM) else {
            skip("rotel is not installed (run `tests/servers/get-rotel`)");
            return None;
        };
        Some(Self::start_program(&program))
    }

    /// The same for programs that need one: downloads it if it is not installed.
    ///
    /// # Errors
    /// Says what to do if that is impossible.
    pub fn start_or_fetch() -> Result<Self, String> {
        if program_or_fetched(PROGRAM).is_none() {
            DOWNLOAD.fetch()?;
        }
        let program = program_or_fetched(PROGRAM).ok_or("rotel is not where it was put")?;
        Ok(Self::start_program(&program))
    }

    fn start_program(program: &Path) -> Self {
        let [grpc_port, http_port] = [(); 2].map(|()| free_port());
        let at = |port: u16| format!("127.0.0.1:{port}");
        let mut command = killed_with_parent(program);
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
        Self {
            server: Server::start(&mut command, grpc_port, folder(), answers),
            http_port,
        }
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
