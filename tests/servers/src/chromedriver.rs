//! Chromium, driven by its own driver, and `axe-core`, downloaded by `get-axe`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::{Server, fetched, folder, free_port, killed_with_parent, program, skip};

/// A driver, ended when dropped, with the browsers that it has started.
#[derive(Debug)]
pub struct Chromedriver {
    server: Server,
}

/// How long it may take to say something.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A new driver; `None`, with a message, if it or the browser is not installed.
///
/// # Panics
/// When it does not start.
#[must_use]
pub fn start() -> Option<Chromedriver> {
    let (Some(driver), Some(_)) = (program(&["chromedriver"]), program(&["chromium"])) else {
        skip("there is no Chromium with its driver (`apt install chromium chromium-driver`)");
        return None;
    };
    let (folder, port) = (folder(), free_port());
    let mut command = killed_with_parent(&driver);
    command
        .arg(format!("--port={port}"))
        .env("TMPDIR", folder.path());
    let server = Server::start(&mut command, port, folder, || is_ready(port));
    Some(Chromedriver { server })
}

impl Chromedriver {
    /// `http://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// What the driver answers to a command that only Chromium has.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn command(&self, path: &str, body: &str) -> String {
        ask(self.server.port(), "POST", path, body).expect("it answers")
    }
}

/// The script of `axe-core`, which checks a page for what keeps people from using it; `None`, with a message, if it is not
/// there.
#[must_use]
pub fn axe() -> Option<String> {
    let script = std::fs::read_to_string(fetched("axe/node_modules/axe-core/axe.min.js")).ok();
    if script.is_none() {
        skip("axe-core is not installed (run `tests/servers/get-axe`, which needs npm)");
    }
    script
}

fn is_ready(port: u16) -> bool {
    let answer = ask(port, "GET", "/status", "");
    answer.is_ok_and(|answer| answer.contains("\"ready\":true"))
}

/// The body of an answer. The driver does not end the connection, whatever it is told.
fn ask(port: u16, method: &str, path: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        answer.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(told) = line.strip_prefix("content-length:") {
            length = told.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body)?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}
