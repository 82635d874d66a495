//! Addresses of stores that instances publish in, as users write them. Pure.

use std::fmt;

/// The address of a store; it may hold a password, and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StoreAddress {
    pub(crate) kind: Kind,
    /// As it was written; of a file or folder, its path.
    pub(crate) address: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Redis,
    Sqlite,
    Postgres,
    Mysql,
    Mongo,
    S3,
}

const SCHEMES: [(&str, Kind); 13] = [
    ("file:", Kind::File),
    ("redis://", Kind::Redis),
    ("rediss://", Kind::Redis),
    ("redis+sentinel://", Kind::Redis),
    ("redis+cluster://", Kind::Redis),
    ("sqlite:", Kind::Sqlite),
    ("postgres://", Kind::Postgres),
    ("postgresql://", Kind::Postgres),
    ("mysql://", Kind::Mysql),
    ("mariadb://", Kind::Mysql),
    ("mongodb://", Kind::Mongo),
    ("mongodb+srv://", Kind::Mongo),
    ("s3://", Kind::S3),
];

impl StoreAddress {
    /// `None` if the text is the address of an endpoint.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let found = SCHEMES.iter().find(|(scheme, _)| text.starts_with(scheme));
        let (scheme, kind) = found?;
        let address = match kind {
            Kind::File => text[scheme.len()..].trim_start_matches("//"),
            _ => text,
        };
        // `file:///folder` has a slash of its own.
        let is_absolute = *kind == Kind::File && text.starts_with("file:/");
        let root = if is_absolute && !address.starts_with('/') {
            "/"
        } else {
            ""
        };
        Some(Self {
            kind: *kind,
            address: format!("{root}{address}"),
        })
    }

    /// The file or folder that must exist: a reader creates none.
    #[cfg(feature = "persistent")]
    pub(crate) fn path(&self) -> Option<&str> {
        match self.kind {
            Kind::File => Some(&self.address),
            Kind::Sqlite => {
                let path = self.address.trim_start_matches("sqlite:");
                let path = path.strip_prefix("//").unwrap_or(path);
                path.split('?').next()
            }
            _ => None,
        }
    }

    /// For people: without credentials.
    pub(crate) fn name(&self) -> String {
        let address = self.address.split('?').next().unwrap_or_default();
        match address.split_once("://") {
            Some((scheme, rest)) => {
                let host = rest.rsplit('@').next().unwrap_or_default();
                format!("{scheme}://{host}")
            }
            None => address.to_owned(),
        }
    }
}

impl Kind {
    /// The feature that enables this kind.
    pub(crate) fn feature(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Redis => "redis",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Mongo => "mongo",
            Self::S3 => "s3",
        }
    }

    /// The message if the program was built without this kind.
    pub(crate) fn missing(self) -> String {
        let feature = self.feature();
        format!(
            "this program was built without stores of its kind: cargo install --path cachier --features cli,{feature}"
        )
    }
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(&'static str, String)> {
        let store = StoreAddress::parse(text)?;
        Some((store.kind.feature(), store.name()))
    }

    #[test]
    fn stores_are_told_from_endpoints() {
        for (text, expected) in [
            ("file:/var/cache", Some(("file", "/var/cache"))),
            ("file:///var/cache", Some(("file", "/var/cache"))),
            ("file:cache", Some(("file", "cache"))),
            ("file:~/cache", Some(("file", "~/cache"))),
            (
                "redis://u:p@host:6379/0",
                Some(("redis", "redis://host:6379/0")),
            ),
            (
                "redis+cluster://a,b",
                Some(("redis", "redis+cluster://a,b")),
            ),
            ("sqlite:a.db?mode=ro", Some(("sqlite", "sqlite:a.db"))),
            ("postgres://u:p@h/db", Some(("postgres", "postgres://h/db"))),
            ("mariadb://h/db", Some(("mysql", "mariadb://h/db"))),
            ("mongodb+srv://h/db", Some(("mongo", "mongodb+srv://h/db"))),
            ("s3://bucket/app", Some(("s3", "s3://bucket/app"))),
            ("http://redis:9464", None),
            ("redis:9464", None),
            ("shop", None),
        ] {
            let expected = expected.map(|(feature, name)| (feature, name.to_owned()));
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    #[cfg(feature = "persistent")]
    fn paths_are_those_of_files_alone() {
        for (text, expected) in [
            ("file:/a/b", Some("/a/b")),
            ("sqlite:a.db?mode=ro", Some("a.db")),
            ("sqlite:///a.db", Some("/a.db")),
            ("redis://h", None),
        ] {
            let store = StoreAddress::parse(text);
            assert_eq!(store.as_ref().and_then(StoreAddress::path), expected);
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let store = StoreAddress::parse("redis://u:s3cr@t@host");
        assert_eq!(format!("{store:?}"), "Some(redis://host)");
    }
}
