//! Parts of a server URL.

/// `scheme://user:password@one:1,two:2/path?query`
#[allow(dead_code, reason = "each kind of server asks for some of the parts")]
pub(crate) struct ServerUrl<'a> {
    pub(crate) scheme: &'a str,
    /// Includes the `@` behind them.
    pub(crate) credentials: &'a str,
    pub(crate) hosts: &'a str,
    /// Without the slashes around it.
    pub(crate) path: &'a str,
    /// Includes the `?` before it.
    pub(crate) query: &'a str,
}

impl<'a> ServerUrl<'a> {
    /// `None` for what is none, or leaves open where the credentials end: a password that holds a `/`, a `?` or a `#` as
    /// it is would be taken for a host and a path, and shown.
    pub(crate) fn parse(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (credentials, rest) = rest.split_at(rest.rfind('@').map_or(0, |at| at + 1));
        if credentials.contains(['/', '?', '#']) {
            return None;
        }
        let (rest, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let (hosts, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Some(Self {
            scheme,
            credentials,
            hosts,
            path: path.trim_matches('/'),
            query,
        })
    }

    #[cfg(feature = "redis")]
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &'a str> {
        self.hosts.split(',').map(str::trim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> Option<[&str; 5]> {
        let url = ServerUrl::parse(url)?;
        Some([url.scheme, url.credentials, url.hosts, url.path, url.query])
    }

    #[test]
    fn an_address_has_five_parts() {
        for (url, expected) in [
            ("a://b", ["a", "", "b", "", ""]),
            (
                "a://me:p@ss@b,c:1/d/e?f=/",
                ["a", "me:p@ss@", "b,c:1", "d/e", "?f=/"],
            ),
            ("a://b?c", ["a", "", "b", "", "?c"]),
            ("a://", ["a", "", "", "", ""]),
        ] {
            assert_eq!(parts(url), Some(expected), "{url}");
        }
    }

    #[test]
    fn credentials_without_a_clear_end_are_refused() {
        for url in [
            "a:b",
            "a://me:pa/ss@host",
            "a://me:pa?ss@host/x",
            "a://me:pa#ss@host",
            "a://host/x?password=p@ss",
        ] {
            assert_eq!(parts(url), None, "{url}");
        }
    }
}
