//! A real Prometheus.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A Prometheus in a folder, ended when dropped.
pub(super) struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// Scrapes `targets`, jobs by name, ten times a second. `None`, said, where it is not installed.
    pub(super) fn start(
        folder: &Path,
        targets: &[(&str, SocketAddr)],
        features: &[&str],
    ) -> Option<Self> {
        let jobs = targets.iter().map(|(name, address)| {
            format!("  - job_name: {name}\n    static_configs: [{{targets: ['{address}']}}]\n")
        });
        let jobs: String = jobs.collect();
        let config = folder.join("prometheus.yml");
        let global = "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\nscrape_configs:\n";
        std::fs::write(&config, format!("{global}{jobs}")).unwrap();
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .args(features)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match child {
            Ok(child) => Some(Self { child, address }),
            Err(_) => {
                // Bypasses the harness, which captures output; nobody to tell is no failure.
                let _ = writeln!(
                    std::io::stderr(),
                    "skipped: prometheus is not installed (`apt install prometheus`)"
                );
                let is_required = std::env::var_os("CACHIER_TEST_REQUIRE").is_some();
                assert!(
                    !is_required,
                    "CACHIER_TEST_REQUIRE is set, and prometheus is not installed"
                );
                None
            }
        }
    }

    /// The first results of a query that is not empty: labels and value of each series.
    pub(super) fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let code = |byte: u8| format!("%{byte:02X}");
        let query: String = query.bytes().map(code).collect();
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let result = self.ask(&format!("/api/v1/query?query={query}"));
            let result = result
                .as_ref()
                .and_then(|answer| answer["data"]["result"].as_array());
            match result {
                Some(series) if !series.is_empty() => {
                    let value =
                        |series: &Value| series["value"][1].as_str().unwrap().parse().unwrap();
                    return series
                        .iter()
                        .map(|one| (one["metric"].clone(), value(one)))
                        .collect();
                }
                _ => assert!(Instant::now() < until, "no answer to {query}"),
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The single number that a query gives.
    pub(super) fn number(&self, query: &str) -> f64 {
        let series = self.query(query);
        assert_eq!(series.len(), 1, "{query}: {series:?}");
        series[0].1
    }

    pub(super) fn ask(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
