//! The backend, as a program makes it.

use aws_sdk_s3::Client;

use super::bucket::Shared;
use super::connect::{self, Addressing, Settings};
use super::operations::S3;
use super::{names, sdk};
use crate::backend::{Backend, Instance, backend_by_instance, instance};

/// Keeps each entry in an object of a bucket.
///
/// Nothing is sent before the first operation. Region and credentials are found as in every AWS program: in the
/// environment, in `~/.aws`, or from the machine. The bucket must exist.
///
/// ```
/// use cachier_backends::s3::S3Backend;
///
/// let on_aws = S3Backend::new("my-bucket").prefix("my-app").region("eu-north-1");
/// let elsewhere = S3Backend::new("my-bucket")
///     .endpoint("https://minio.example.com")
///     .credentials("access-key", "secret");
/// ```
pub struct S3Backend {
    instance: Instance<S3>,
}

impl S3Backend {
    /// Entries in a bucket of AWS, unless an [`endpoint`](Self::endpoint) is set.
    #[must_use]
    #[doc(alias = "s3_bucket")]
    pub fn new(bucket: impl Into<String>) -> Self {
        // Rather here than in the first call, in the middle of which more programs fork. The first operation reports a failure.
        let _ = sdk::prepare();
        Self::of(Settings::default(), Shared::new(bucket.into()))
    }

    /// Entries in a bucket, accessed by the program's own client, with its region, timeouts and retries.
    ///
    /// The client belongs to the tokio runtime in which it is passed here: a multi-thread runtime serves every kind of
    /// caller, a current-thread runtime all but synchronous callers on its own thread, who get an error at once. After
    /// the runtime has ended, it reconnects on the callers' runtimes. Forked child processes get errors at once.
    ///
    /// ```no_run
    /// use cachier_backends::s3::S3Backend;
    ///
    /// # async fn connect(config: &aws_config::SdkConfig) -> S3Backend {
    /// S3Backend::with_client("my-bucket", aws_sdk_s3::Client::new(config)).prefix("my-app")
    /// # }
    /// ```
    #[must_use]
    #[doc(alias = "s3_client")]
    pub fn with_client(bucket: impl Into<String>, client: Client) -> Self {
        let settings = Settings::of_client(client);
        Self::of(settings, Shared::new(bucket.into()))
    }

    /// Prepends `prefix` and a slash to all object names.
    #[must_use]
    #[doc(alias = "s3_prefix")]
    pub fn prefix(self, prefix: impl AsRef<str>) -> Self {
        let shared = Shared {
            prefix: names::prefix(prefix.as_ref()),
            ..self.instance.shared.unused()
        };
        Self::of(self.instance.settings.clone(), shared)
    }

    /// Sets the region. The default comes from the environment, or is `us-east-1` with a custom endpoint.
    ///
    /// Has no effect with the program's own client, like the following methods.
    #[must_use]
    #[doc(alias = "s3_region")]
    pub fn region(self, region: impl Into<String>) -> Self {
        self.set(|settings| settings.region = Some(region.into()))
    }

    /// Sets the server's address: `https://…` or `http://…`. Anything before an `@` is left out.
    ///
    /// The bucket is then in the path of URLs, unless [`virtual_hosts`](Self::virtual_hosts) is set.
    #[must_use]
    #[doc(alias = "s3_endpoint_url")]
    pub fn endpoint(self, endpoint: impl Into<String>) -> Self {
        let endpoint = names::without_credentials(&endpoint.into());
        let shared = Shared {
            endpoint: Some(endpoint.clone()),
            ..self.instance.shared.unused()
        };
        Self::of(self.instance.settings.clone(), shared)
            .set(|settings| settings.endpoint = Some(endpoint))
    }

    /// Puts the bucket in the path of URLs: `https://host/bucket/…`.
    #[must_use]
    pub fn path_style(self) -> Self {
        self.set(|settings| settings.addressing = Some(Addressing::Path))
    }

    /// Puts the bucket in the host of URLs: `https://bucket.host/…`.
    #[must_use]
    pub fn virtual_hosts(self) -> Self {
        self.set(|settings| settings.addressing = Some(Addressing::Host))
    }

    /// Uses these credentials instead of the environment's.
    #[must_use]
    pub fn credentials(self, access_key: impl Into<String>, secret: impl Into<String>) -> Self {
        let credentials = connect::credentials(access_key.into(), secret.into());
        self.set(|settings| settings.credentials = Some(credentials))
    }

    fn set(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.instance.settings.clone();
        change(&mut settings);
        Self::of(settings, self.instance.shared.unused())
    }

    fn of(settings: Settings, shared: Shared) -> Self {
        let instance = instance(S3::new(settings, shared));
        Self { instance }
    }
}

backend_by_instance!(S3Backend);

impl std::fmt::Debug for S3Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Backend")
            .field("store", &self.instance.store_name())
            .finish_non_exhaustive()
    }
}
