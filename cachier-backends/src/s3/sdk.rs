//! What the SDK keeps for the whole process: tables of regions and features, the certificates of the machine.
//!
//! It makes each of them when it is first needed, in a cell that is locked meanwhile. So they are made here, before they are
//! needed, by who can tell a child that was forked in the middle.

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

use crate::error::{Error, ErrorKind, Operation};
use crate::process::Prepared;

/// Has the SDK make what every client needs.
pub(super) fn prepare() -> Result<(), Error> {
    static CLIENTS: Prepared = Prepared::new();
    usable(CLIENTS.get(|| rehearse(NeverSent)))
}

/// Has it read the certificates of the machine, which takes long.
pub(super) fn prepare_tls(provider: Provider) -> Result<(), Error> {
    static CERTIFICATES: Prepared = Prepared::new();
    usable(CERTIFICATES.get(|| drop(Connector::builder().tls_provider(provider).build())))
}

fn usable(is_prepared: bool) -> Result<(), Error> {
    let message = "a thread of the process that this one was forked from was just beginning to use S3: what its client keeps \
        for a whole process is locked here for ever";
    let hint = "fork before the first backend for S3 is made, or after";
    let error = || Error::new(ErrorKind::Io, Operation::Load, message).with_hint(hint);
    is_prepared.then_some(()).ok_or_else(error)
}

/// A request that goes all its way through a client, and stops where it would be sent.
fn rehearse(stop: impl Intercept + 'static) {
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
    let request = client.head_object().bucket("rehearsal").key("rehearsal");
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
        "cachier: a rehearsal"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Err("it is a rehearsal".into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Tells whether a request came as far as this.
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
    fn a_rehearsal_reaches_the_signed_request_at_once() {
        let reached = Arc::default();
        rehearse(Reached(Arc::clone(&reached)));
        assert!(reached.load(Ordering::SeqCst));
    }
}
