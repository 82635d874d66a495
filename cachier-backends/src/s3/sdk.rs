//! Initializes the SDK's process-wide state: tables of regions and features, root certificates.
//!
//! The SDK does it lazily, in cells that are locked meanwhile, and a child forked then would wait forever. Done here and in
//! advance, such a child gets an error instead.

use std::pin::pin;
use std::task::{Context, Waker};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{
    BehaviorVersion, ConfigBag, Credentials, IdentityCache, Intercept, Region, RuntimeComponents,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::BoxError;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::{Builder, Connector};

use crate::error::Error;
use crate::process::ProcessOnce;

/// Initializes what every client needs.
pub(super) fn prepare() -> Result<(), Error> {
    static CLIENTS: ProcessOnce = ProcessOnce::new();
    CLIENTS.prepare("S3", || warm_up(NeverSent))
}

/// Reads the root certificates, which takes long.
pub(super) fn prepare_tls(provider: Provider) -> Result<(), Error> {
    static CERTIFICATES: ProcessOnce = ProcessOnce::new();
    CERTIFICATES.prepare("S3", || {
        drop(Connector::builder().tls_provider(provider).build());
    })
}

/// Runs a request through a client up to the point where it would be sent.
fn warm_up(stop: impl Intercept + 'static) {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url("http://localhost")
        .credentials_provider(Credentials::new("none", "none", None, None, "cachier"))
        .http_client(Builder::new().build_http())
        // Nothing waits, so no runtime is needed.
        .identity_cache(IdentityCache::no_cache())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    let client = Client::from_conf(config.build());
    let request = client.head_object().bucket("warm-up").key("warm-up");
    let mut request = pin!(request.customize().interceptor(stop).send());
    let _ = request
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
}

/// Stops a request.
#[derive(Debug)]
struct NeverSent;

impl Intercept for NeverSent {
    fn name(&self) -> &'static str {
        "cachier: a warm-up"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Err("it is a warm-up".into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Records whether a request has come this far.
    #[derive(Debug)]
    struct Reached(Arc<AtomicBool>);

    impl Intercept for Reached {
        fn name(&self) -> &'static str {
            "reached"
        }

        fn read_before_transmit(
            &self,
            context: &BeforeTransmitInterceptorContextRef<'_>,
            components: &RuntimeComponents,
            bag: &mut ConfigBag,
        ) -> Result<(), BoxError> {
            let is_signed = context.request().headers().contains_key("authorization");
            self.0.store(is_signed, Ordering::SeqCst);
            NeverSent.read_before_transmit(context, components, bag)
        }
    }

    #[test]
    fn warming_up_reaches_the_signed_request() {
        let reached = Arc::default();
        warm_up(Reached(Arc::clone(&reached)));
        assert!(reached.load(Ordering::SeqCst));
    }
}
