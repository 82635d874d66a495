//! Allowed hosts of requests. Against DNS rebinding: a web page's own name may resolve to `127.0.0.1`, by which it
//! could read what only this machine may; but the browser sends that name.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::header::HOST;
use hyper::{Request, Version};

/// Hosts that requests may name: any IP address, as no name is involved, `localhost`, and the names given here.
#[derive(Clone, Debug)]
pub(super) struct AllowedHosts {
    names: Vec<String>,
}

/// Why a request is refused.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// No host, several, or an invalid one.
    Malformed,
    /// A host that is not allowed.
    Foreign(String),
}

impl AllowedHosts {
    pub(super) fn new() -> Self {
        Self {
            names: vec!["localhost".to_owned()],
        }
    }

    /// Allows a host; whether it is a valid one.
    pub(super) fn allow(&mut self, host: &str) -> bool {
        match Host::parse(host) {
            Some(Host::Name(name)) => self.names.push(name),
            Some(Host::Address) => {}
            None => return false,
        }
        true
    }

    /// Checks every host that a request names: in `Host`, and in an absolute target. Before HTTP/1.1 it need not name
    /// any.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        if let Some(target) = request.uri().authority() {
            self.check_host(target.as_str())?;
        }
        let mut hosts = request.headers().get_all(HOST).into_iter();
        match (hosts.next(), hosts.next()) {
            (None, _) if request.version() < Version::HTTP_11 => Ok(()),
            (Some(host), None) => self.check_host(host.to_str().unwrap_or_default()),
            _ => Err(Refusal::Malformed),
        }
    }

    fn check_host(&self, host: &str) -> Result<(), Refusal> {
        match Host::parse(host).ok_or(Refusal::Malformed)? {
            Host::Name(name) if !self.names.contains(&name) => Err(Refusal::Foreign(name)),
            _ => Ok(()),
        }
    }
}

/// The part before the port.
#[derive(Debug, PartialEq)]
enum Host {
    Address,
    /// In lower case, without a trailing dot.
    Name(String),
}

impl Host {
    /// Parses `host`, `host:port`, `[address]` or `[address]:port`.
    fn parse(text: &str) -> Option<Self> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let (address, port) = bracketed.split_once(']')?;
            let is_address = address.parse::<Ipv6Addr>().is_ok();
            let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_number);
            return (is_address && is_port).then_some(Self::Address);
        }
        let (host, port) = text.split_once(':').unwrap_or((text, ""));
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_name = !host.is_empty() && host.bytes().all(is_of_name) && is_number(port);
        is_name.then(|| match host.parse::<Ipv4Addr>() {
            Ok(_) => Self::Address,
            Err(_) => Self::Name(host.to_ascii_lowercase()),
        })
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// Digits only, or empty.
fn is_number(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Option<Host> {
        Some(Host::Name(name.to_owned()))
    }

    #[test]
    fn a_host_is_an_address_or_a_name() {
        for address in [
            "127.0.0.1",
            "127.0.0.1:9464",
            "127.0.0.1.",
            "192.0.2.7:",
            "[::1]",
            "[::1]:9464",
            "[2001:DB8::1]:80",
            "[::ffff:127.0.0.1]",
        ] {
            assert_eq!(Host::parse(address), Some(Host::Address), "{address}");
        }
        for (text, host) in [
            ("localhost", "localhost"),
            ("LOCALHOST:9464", "localhost"),
            ("Metrics.Example.", "metrics.example"),
            ("metrics.example.:80", "metrics.example"),
            ("127.0.0.1.evil.example", "127.0.0.1.evil.example"),
            ("127.1", "127.1"),
        ] {
            assert_eq!(Host::parse(text), name(host), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            ".",
            ":80",
            "::1",
            "[::1",
            "[::1]80",
            "[::1]:x",
            "[localhost]",
            "localhost:x",
            "localhost:80:80",
            "user@localhost",
            "local host",
            "localhost/",
            "localhost, evil.example",
            "h\u{f6}st",
        ] {
            assert_eq!(Host::parse(text), None, "{text}");
            assert!(!AllowedHosts::new().allow(text), "{text}");
        }
    }
}
