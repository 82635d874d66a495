//! Parsing of server URLs.

use redis::sentinel::SentinelNodeConnectionInfo;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisResult, TlsMode};

use super::source::{Source, tcp_settings};
use crate::error::{Error, ErrorKind, Operation};
use crate::network::server_url::ServerUrl;

/// The source that a URL describes, and its name without credentials.
pub(super) fn parse(url: &str) -> Result<(Source, String), Error> {
    let single = || {
        let server = url.into_connection_info()?;
        let client = Client::open(server.set_tcp_settings(tcp_settings()))?;
        let name = name_of(client.get_connection_info());
        Ok((Source::Single(client), name))
    };
    // The path of a socket may contain anything.
    let is_socket = url
        .split_once("://")
        .is_some_and(|(scheme, _)| scheme.ends_with("unix"));
    let parsed = if is_socket {
        single()
    } else {
        let url = ServerUrl::parse(url).ok_or_else(not_an_address)?;
        match url.scheme.split_once('+') {
            Some((base, "sentinel")) => sentinel(base, &url),
            Some((base, "cluster")) => cluster(base, &url),
            _ => single(),
        }
    };
    parsed.map_err(|error| not_an_address().with_source(error))
}

/// The address of a server, without credentials.
pub(super) fn name_of(server: &ConnectionInfo) -> String {
    let database = server.redis_settings().db();
    match server.addr() {
        ConnectionAddr::TcpTls { .. } => format!("rediss://{}/{database}", server.addr()),
        ConnectionAddr::Unix(_) => format!("unix://{}", server.addr()),
        address => format!("redis://{address}/{database}"),
    }
}

/// `redis+sentinel://user:password@sentinel:26379,…/master/db`: the credentials are those of the master.
fn sentinel(base: &str, url: &ServerUrl<'_>) -> RedisResult<(Source, String)> {
    let (master, database) = url.path.split_once('/').unwrap_or((url.path, "0"));
    let server = |host: &str| {
        let port = if has_port(host) { "" } else { ":26379" };
        format!("{base}://{host}{port}").into_connection_info()
    };
    let sentinels = url.hosts().map(server).collect::<RedisResult<Vec<_>>>()?;
    // The host is a placeholder: only the master's settings are used.
    let of_master = format!("{base}://{}master/{database}{}", url.credentials, url.query)
        .into_connection_info()?;
    let mut node = SentinelNodeConnectionInfo::default()
        .set_redis_connection_info(of_master.redis_settings().clone())
        .set_tcp_settings(tcp_settings());
    if matches!(of_master.addr(), ConnectionAddr::TcpTls { .. }) {
        node = node.set_tls_mode(TlsMode::Secure);
    }
    if master.is_empty() {
        return Err(missing("the name of the master is missing"));
    }
    let name = format!("{base}+sentinel://{}/{master}/{database}", url.hosts);
    let source = Source::Sentinel {
        sentinels,
        master: master.to_owned(),
        node,
    };
    Ok((source, name))
}

/// `redis+cluster://user:password@node:6379,…`
fn cluster(base: &str, url: &ServerUrl<'_>) -> RedisResult<(Source, String)> {
    let server = |host: &str| {
        let server = format!("{base}://{}{host}{}", url.credentials, url.query);
        let server = server.into_connection_info()?;
        Ok(server.set_tcp_settings(tcp_settings()))
    };
    if !url.path.is_empty() {
        return Err(missing("a cluster has no numbered databases"));
    }
    let nodes = url.hosts().map(server).collect::<RedisResult<Vec<_>>>()?;
    let name = format!("{base}+cluster://{}", url.hosts);
    Ok((Source::Cluster(nodes), name))
}

/// Whether a host, possibly a bracketed IPv6 address, has a port.
fn has_port(host: &str) -> bool {
    host.rsplit(']').next().is_some_and(|end| end.contains(':'))
}

fn missing(what: &'static str) -> redis::RedisError {
    (redis::ErrorKind::InvalidClientConfig, what).into()
}

/// Does not show the URL, which may hold a password.
fn not_an_address() -> Error {
    Error::new(
        ErrorKind::Connect,
        Operation::Load,
        "the URL does not name a Redis server",
    )
    .with_hint(
        "write `redis://host:6379/0`, `rediss://…` for TLS, `redis+sentinel://host:26379,host:26379/master/0` or \
         `redis+cluster://host:6379,host:6379`, each with `user:password@` before the first host if need be; in these, `@` is `%40`, `/` is `%2F` and `?` is `%3F`",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn name(url: &str) -> String {
        parse(url).map(|(_, name)| name).unwrap()
    }

    #[test]
    fn names_show_addresses_without_credentials() {
        for (url, shown) in [
            ("redis://127.0.0.1", "redis://127.0.0.1:6379/0"),
            ("redis://me:secret@db:7/3", "redis://db:7/3"),
            ("rediss://:secret@db:7", "rediss://db:7/0"),
            (
                "redis+sentinel://me:secret@a:1,b/main/2",
                "redis+sentinel://a:1,b/main/2",
            ),
            ("redis+sentinel://a:1/main", "redis+sentinel://a:1/main/0"),
            ("rediss+cluster://:p@a:1,b:2", "rediss+cluster://a:1,b:2"),
        ] {
            assert_eq!(name(url), shown);
        }
    }

    #[test]
    fn errors_do_not_show_the_url() {
        for url in [
            "",
            "secret",
            "http://me:secret@host",
            "redis://me:secret@host/secret",
            "redis://me:secret@host:secret",
            "redis+sentinel://me:secret@host",
            "redis+cluster://me:secret@host/1",
            "redis+cluster://",
            "redis+secret://me:secret@host",
            "redis://me:6/secret@host",
            "redis://me:6/3?secret@host",
            "redis+cluster://me:6?secret@host",
            "redis+sentinel://me:6/secret@host/main",
        ] {
            let error = parse(url).map(|(_, name)| name).unwrap_err();
            assert!(error.to_string().contains("write `redis://"), "{url}");
            assert!(!format!("{error:#} {error:?}").contains("secret"), "{url}");
        }
    }

    #[test]
    fn tcp_keepalive_is_set() {
        let is_watched = |server: &ConnectionInfo| server.tcp_settings().keepalive().is_some();
        let source = |url| parse(url).map(|(source, _)| source).unwrap();
        let Source::Single(client) = source("redis://host") else {
            panic!("a single server");
        };
        assert!(is_watched(client.get_connection_info()));
        let Source::Cluster(nodes) = source("redis+cluster://one,two") else {
            panic!("a cluster");
        };
        assert!(nodes.iter().all(is_watched));
    }

    #[test]
    fn hosts_may_have_ports() {
        assert!(has_port("a:1") && has_port("[::1]:1"));
        assert!(!has_port("a") && !has_port("[::1]"));
    }
}
