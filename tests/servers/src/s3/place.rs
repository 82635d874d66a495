//! Addresses of buckets.

/// The bucket of servers started here.
pub(super) const BUCKET: &str = "cachier";

/// A bucket of a server, with credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `http://host:port`.
    pub endpoint: String,
    /// The bucket's name.
    pub bucket: String,
    /// The user's name.
    pub access_key: String,
    /// The user's secret.
    pub secret: String,
}

impl Place {
    /// The bucket of a server started here.
    pub(super) fn local(port: u16) -> Self {
        Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            bucket: BUCKET.to_owned(),
            access_key: "writer".to_owned(),
            secret: "the-secret-of-the-writer".to_owned(),
        }
    }

    /// The bucket of a URL: `http://access-key:secret@host:port/bucket`.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (who, rest) = rest.split_once('@')?;
        let (access_key, secret) = who.split_once(':')?;
        let (host, bucket) = rest.split_once('/')?;
        Some(Self {
            endpoint: format!("{scheme}://{host}"),
            bucket: bucket.to_owned(),
            access_key: access_key.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        let Self {
            endpoint,
            bucket,
            access_key,
            secret,
        } = self;
        let who = format!("://{access_key}:{secret}@");
        format!("{}/{bucket}", endpoint.replacen("://", &who, 1))
    }
}
