//! A client of the endpoint.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use cachier_metrics::{PrometheusBuilder, PrometheusExporter};
use serde_json::Value;

/// A response: its head, and its body.
pub(super) struct Answer {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn of(mut stream: impl Read + Write, request: &str) -> Self {
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        Self {
            head: String::from_utf8(answer[..end].to_vec()).unwrap(),
            body: answer[end + 4..].to_vec(),
        }
    }

    pub(super) fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        assert!(
            self.head.contains("content-type: application/json"),
            "{}",
            self.head
        );
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(super) fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    Answer::of(TcpStream::connect(address).unwrap(), &request)
}

pub(super) fn serving(builder: PrometheusBuilder) -> (PrometheusExporter, SocketAddr) {
    let exporter = builder.port(0).build().unwrap();
    exporter.start().unwrap();
    let address = exporter.local_addr().unwrap();
    // One that listens at all addresses is asked at this one.
    let address = SocketAddr::from(([127, 0, 0, 1], address.port()));
    (exporter, address)
}
