//! Prometheus.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::wait::until;
use crate::{Server, folder, free_port, killed_with_parent, program, skip};

/// A Prometheus, ended when dropped.
#[derive(Debug)]
pub struct Prometheus {
    server: Server,
}

/// A series that a query gives: its labels, and its value.
pub type Found = (Value, f64);

/// Scrapes `targets`, jobs by name, ten times a second, and evaluates the rules of these files as often; `None`, with a
/// message, if it is not installed.
///
/// # Panics
/// When it does not start.
#[must_use]
pub fn start(
    targets: &[(&str, SocketAddr)],
    rules: &[&Path],
    options: &[&str],
) -> Option<Prometheus> {
    let Some(program) = program(&["prometheus"]) else {
        skip("prometheus is not installed (`apt install prometheus`)");
        return None;
    };
    let (folder, port) = (folder(), free_port());
    let config = folder.path().join("prometheus.yml");
    fs::write(&config, configuration(targets, rules)).expect("a file of its own");
    let mut command = killed_with_parent(&program);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .args(options);
    let server = Server::start(&mut command, port, folder, || {
        get(port, "/-/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.0 200"))
    });
    Some(Prometheus { server })
}

/// Runs `promtool`: what it says where it finds something wrong; `None`, with a message, if it is not installed.
///
/// # Panics
/// When it does not start.
#[must_use]
pub fn promtool(arguments: &[&str], files: &[PathBuf]) -> Option<Result<(), String>> {
    let Some(program) = program(&["promtool"]) else {
        skip("promtool is not installed (`apt install prometheus`)");
        return None;
    };
    let done = Command::new(program).args(arguments).args(files).output();
    let done = done.expect("it is installed");
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Some(done.status.success().then_some(()).ok_or(said))
}

fn configuration(targets: &[(&str, SocketAddr)], rules: &[&Path]) -> String {
    let mut text =
        "global: {scrape_interval: 100ms, scrape_timeout: 100ms, evaluation_interval: 100ms}\n"
            .to_owned();
    text.push_str("rule_files:\n");
    for file in rules {
        let _ = writeln!(text, "  - {}", file.display());
    }
    text.push_str("scrape_configs:\n");
    for (job, address) in targets {
        let _ = writeln!(text, "  - job_name: {job}");
        let _ = writeln!(text, "    static_configs: [{{targets: ['{address}']}}]");
    }
    text
}

impl Prometheus {
    /// The results of a query, once there are any with a value that is a number.
    ///
    /// # Panics
    /// When there are none in time.
    #[must_use]
    #[track_caller]
    pub fn query(&self, query: &str) -> Vec<Found> {
        let mut found = Vec::new();
        until(query, || {
            found = self.try_query(query);
            found.iter().any(|(_, value)| value.is_finite())
        });
        found
    }

    /// The single number that a query gives.
    ///
    /// # Panics
    /// When it gives several.
    #[must_use]
    #[track_caller]
    pub fn number(&self, query: &str) -> f64 {
        let series = self.query(query);
        assert_eq!(series.len(), 1, "{query}: {series:?}");
        series[0].1
    }

    /// The results of a query now; none of one that it does not understand.
    #[must_use]
    pub fn try_query(&self, query: &str) -> Vec<Found> {
        let code = |byte: u8| format!("%{byte:02X}");
        let query: String = query.bytes().map(code).collect();
        let answer = self.ask(&format!("/api/v1/query?query={query}"));
        let series = answer["data"]["result"].as_array();
        let found = |series: &Value| {
            let value = series["value"][1].as_str()?.parse().ok()?;
            Some((series["metric"].clone(), value))
        };
        series.into_iter().flatten().filter_map(found).collect()
    }

    /// All rules, with their states.
    #[must_use]
    pub fn rules(&self) -> Vec<Value> {
        let answer = self.ask("/api/v1/rules");
        let groups = answer["data"]["groups"].as_array().cloned();
        let rules = groups.into_iter().flatten();
        rules
            .filter_map(|group| group["rules"].as_array().cloned())
            .flatten()
            .collect()
    }

    /// The answer to a request of its API; null while there is none.
    #[must_use]
    pub fn ask(&self, path: &str) -> Value {
        let answer = get(self.server.port(), path).unwrap_or_default();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        serde_json::from_str(body).unwrap_or_default()
    }
}

fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
