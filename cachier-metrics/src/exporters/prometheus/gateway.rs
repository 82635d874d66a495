//! A Pushgateway, which keeps figures of programs that have ended, for Prometheus to scrape. Over HTTP/1.1, a request at a time.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use crate::exporters::error::ExportError;
use crate::exporters::first_ok::first_ok;
use crate::exporters::registry::{TAKEN_LABELS, is_name};

/// Settings of the Pushgateway.
#[derive(Clone, Debug)]
pub(super) struct GatewaySettings {
    pub(super) url: String,
    pub(super) job: String,
}

/// A group of figures at a Pushgateway.
#[derive(Clone, Debug)]
pub(super) struct Gateway {
    /// `host:port`.
    address: String,
    /// The path of the group.
    path: String,
    /// For all of a push.
    timeout: Duration,
}

const PUSH_TIMEOUT: Duration = Duration::from_secs(10);
/// The timeout of a step that begins after that.
const LATE_STEP_TIMEOUT: Duration = Duration::from_millis(1);
/// Bytes of an answer, which names an error in one line.
const MAX_ANSWER: usize = 8192;
/// Characters of an answer in an error.
const MAX_SHOWN: usize = 200;
const DEFAULT_PORT: u16 = 80;

impl Gateway {
    /// The group of a job and these labels.
    pub(super) fn of(
        settings: &GatewaySettings,
        labels: &[(String, String)],
    ) -> Result<Self, ExportError> {
        let GatewaySettings { url, job } = settings;
        // The URL is not shown: it may hold a password.
        let unfit = ExportError::new(
            "the URL of the Pushgateway is not like `http://gateway:9091`; one behind TLS or a password needs a proxy at hand",
        );
        let (address, path) = parse(url).ok_or(unfit)?;
        if job.is_empty() {
            let message = "what is pushed to a Pushgateway has a job: `.pushgateway(url, job)`";
            return Err(ExportError::new(message));
        }
        let mut path = format!("{path}/metrics{}", segment("job", job));
        let mut names = vec!["job"];
        for (name, value) in labels {
            if !is_name(name) || name.starts_with("__") {
                let message = format!("`{name}` is no name of a grouping label");
                return Err(ExportError::new(message));
            }
            if TAKEN_LABELS.contains(&&**name) || names.contains(&&**name) {
                return Err(ExportError::new(format!(
                    "`{name}` cannot be a grouping label: figures have a label of this name already"
                )));
            }
            names.push(name);
            path.push_str(&segment(name, value));
        }
        Ok(Self {
            address,
            path,
            timeout: PUSH_TIMEOUT,
        })
    }

    /// Replaces the figures of the group.
    pub(super) fn put(&self, content_type: &str, body: &str) -> Result<(), ExportError> {
        let error = |error: io::Error| {
            let message = format!("cannot push metrics to {}: {error}", self.address);
            ExportError::io(message, error)
        };
        let answer = self.request(content_type, body).map_err(error)?;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        if answer.starts_with("HTTP/1.") && status.starts_with('2') {
            return Ok(());
        }
        let (head, said) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        Err(ExportError::new(format!(
            "the Pushgateway at {} does not take the metrics: `{}` {}",
            self.address,
            shown(head),
            shown(said)
        )))
    }

    /// The answer, or what there is of it if it is long.
    fn request(&self, content_type: &str, body: &str) -> io::Result<String> {
        let deadline = Instant::now() + self.timeout;
        let mut stream = self.connect(deadline)?;
        let Self { address, path, .. } = self;
        let length = body.len();
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nUser-Agent: cachier\r\n\
             Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
        );
        for mut part in [head.as_bytes(), body.as_bytes()] {
            while !part.is_empty() {
                stream.set_write_timeout(Some(left(deadline)))?;
                let written = stream.write(part)?;
                part = &part[written..];
            }
        }
        let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
        while answer.len() < MAX_ANSWER && Instant::now() < deadline {
            stream.set_read_timeout(Some(left(deadline)))?;
            match stream.read(&mut buffer)? {
                0 => break,
                length => answer.extend_from_slice(&buffer[..length]),
            }
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    fn connect(&self, deadline: Instant) -> io::Result<TcpStream> {
        let addresses = self.address.to_socket_addrs()?;
        let connect = |address| TcpStream::connect_timeout(&address, left(deadline));
        first_ok(&mut addresses.map(connect))
    }
}

/// The beginning of the first line of a text, as far as it can be read.
fn shown(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    let visible = line.chars().filter(|letter| !letter.is_control());
    visible.take(MAX_SHOWN).collect()
}

fn left(deadline: Instant) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    left.max(LATE_STEP_TIMEOUT)
}

/// The `host:port` of a URL, and its path without a slash at the end.
fn parse(url: &str) -> Option<(String, &str)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_sound = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if authority.is_empty() || authority.contains('@') || !is_sound(url) || url.contains(['?', '#'])
    {
        return None;
    }
    let end_of_host = authority.rfind(']').unwrap_or(0);
    let address = match authority[end_of_host..].split_once(':') {
        Some((_, port)) => port.parse::<u16>().ok().map(|_| authority.to_owned())?,
        None => format!("{authority}:{DEFAULT_PORT}"),
    };
    Some((address, path.trim_end_matches('/')))
}

/// A label in the path of a group: in base64 where it has what a path may not, or nothing.
fn segment(name: &str, value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match value {
        "" => format!("/{name}@base64/="),
        plain if plain.bytes().all(is_plain) => format!("/{name}/{plain}"),
        other => format!("/{name}@base64/{}", base64(other.as_bytes())),
    }
}

/// The alphabet of URLs, without padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |place: usize| u32::from(three.get(place).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=three.len() {
            let place = bits >> (18 - 6 * digit) & 63;
            text.push(char::from(DIGITS[place as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_url_names_host_port_and_path() {
        for (url, address, path) in [
            ("http://gateway:9091", "gateway:9091", ""),
            ("http://gateway/", "gateway:80", ""),
            ("http://[::1]:9091/push/", "[::1]:9091", "/push"),
            ("http://[::1]", "[::1]:80", ""),
        ] {
            assert_eq!(parse(url), Some((address.to_owned(), path)), "{url}");
        }
        for url in [
            "gateway:9091",
            "https://gateway",
            "http://",
            "http:///x",
            "http://user:secret@gateway",
            "http://gateway:x",
            "http://gateway:99999",
            "http://gate way",
            "http://gateway/?x",
            "http://gateway/#x",
        ] {
            assert_eq!(parse(url), None, "{url}");
        }
    }

    #[test]
    fn of_an_answer_little_is_shown() {
        assert_eq!(shown(" no such\u{1b}[2J job\r\nat all"), "no such[2J job");
        assert_eq!(shown(&"ü".repeat(1000)), "ü".repeat(200));
        assert_eq!(shown(""), "");
    }

    #[test]
    fn a_gateway_that_is_gone_is_an_error() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let job = "job".to_owned();
        let gateway = Gateway::of(&GatewaySettings { url, job }, &[]).unwrap();
        let error = gateway.put("text/plain", "body").unwrap_err().to_string();
        assert!(error.contains("cannot push metrics to"), "{error}");
    }

    #[test]
    fn labels_are_spelt_as_paths_may_be() {
        for (value, expected) in [
            ("nightly_1-2", "/job/nightly_1-2"),
            ("", "/job@base64/="),
            ("/var/tmp", "/job@base64/L3Zhci90bXA"),
            ("a.", "/job@base64/YS4"),
            ("ü??>", "/job@base64/w7w_Pz4"),
        ] {
            assert_eq!(segment("job", value), expected);
        }
    }

    /// One that says nothing, and one that says a byte now and then for ever.
    #[test]
    fn a_slow_gateway_is_left_in_time() {
        for piece in [&b""[..], b"x"] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let gateway = Gateway {
                address: listener.local_addr().unwrap().to_string(),
                path: String::new(),
                timeout: Duration::from_millis(100),
            };
            let slow = std::thread::spawn(move || {
                let (mut client, _) = listener.accept().unwrap();
                while client.write_all(piece).is_ok() && client.take_error().unwrap().is_none() {
                    // Until the client has gone, whose end a write of nothing does not tell.
                    let mut buffer = [0; 1024];
                    let pause = Some(Duration::from_millis(5));
                    client.set_read_timeout(pause).unwrap();
                    if client.read(&mut buffer).is_ok_and(|length| length == 0) {
                        break;
                    }
                }
            });
            let began = Instant::now();
            assert!(gateway.put("text/plain", "body").is_err());
            assert!(began.elapsed() < Duration::from_secs(5));
            slow.join().unwrap();
        }
    }

    #[test]
    fn labels_that_cannot_be_are_refused() {
        let gateway = |job: &str, labels: &[&str]| {
            let (url, job) = ("http://gateway".to_owned(), job.to_owned());
            let labels: Vec<_> = labels
                .iter()
                .map(|name| ((*name).to_owned(), String::new()))
                .collect();
            Gateway::of(&GatewaySettings { url, job }, &labels)
        };
        assert_eq!(
            gateway("a", &["instance"]).unwrap().path,
            "/metrics/job/a/instance@base64/="
        );
        for (job, labels, message) in [
            ("", &[][..], "has a job"),
            ("a", &["a b"], "is no name"),
            ("a", &["__a"], "is no name"),
            ("a", &["job"], "already"),
            ("a", &["function"], "already"),
            ("a", &["instance", "instance"], "already"),
        ] {
            let error = gateway(job, labels).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
