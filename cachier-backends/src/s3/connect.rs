//! Where the server is, and with which credentials.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};

use super::sdk;
use crate::error::Error;
use crate::network::{Clients, OnTimeout};

/// Limit for connecting: leaves time to resend a lost packet.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Limit for the first byte of the answer.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// Limit for a request, body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// The program's settings.
#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) addressing: Option<Addressing>,
    pub(super) credentials: Option<Credentials>,
    program_client: Option<Client>,
}

/// Where a URL has the bucket's name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Addressing {
    Path,
    Host,
}

impl Settings {
    pub(super) fn of_client(client: Client) -> Self {
        Self {
            program_client: Some(client),
            ..Self::default()
        }
    }

    pub(super) fn clients(&self) -> Clients<Client> {
        if let Some(client) = &self.program_client {
            return Clients::of_program(client.clone());
        }
        let settings = self.clone();
        Clients::new(OnTimeout::KeepClient, move |_| {
            let settings = settings.clone();
            async move { settings.client().await }
        })
    }

    /// A client with connections of its own.
    async fn client(self) -> Result<Client, Error> {
        sdk::prepare()?;
        let tls = tls::Provider::Rustls(CryptoMode::Ring);
        let is_plain = |endpoint: &String| endpoint.starts_with("http://");
        let is_plain = self.endpoint.as_ref().is_some_and(is_plain);
        if !is_plain {
            sdk::prepare_tls(tls.clone())?;
        }
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls)
            .build_https();
        let mut config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .region(self.regions())
            // The backend's callers retry.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts());
        if let Some(credentials) = self.credentials {
            config = config.credentials_provider(credentials);
        }
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint_url(endpoint);
        }
        let config = config.load().await;
        let addressing = self.addressing.unwrap_or(match self.endpoint {
            Some(_) => Addressing::Path,
            None => Addressing::Host,
        });
        let mut config = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(addressing == Addressing::Path)
            // Entries have their own checksums, and not every server supports those of AWS.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if is_plain {
            // Without the certificates of the machine, which take long to read.
            config = config.http_client(aws_smithy_http_client::Builder::new().build_http());
        }
        Ok(Client::from_conf(config.build()))
    }

    fn regions(&self) -> RegionProviderChain {
        match (&self.region, &self.endpoint) {
            (Some(region), _) => RegionProviderChain::first_try(Region::new(region.clone())),
            (None, None) => RegionProviderChain::default_provider(),
            // Other servers rarely care, and need no request to the AWS metadata service.
            (None, Some(_)) => {
                RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                    .or_else(ProfileFileRegionProvider::new())
                    .or_else("us-east-1")
            }
        }
    }
}

/// Credentials given by the program.
pub(super) fn credentials(access_key: String, secret: String) -> Credentials {
    Credentials::new(access_key, secret, None, None, "cachier")
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(RESPONSE_TIMEOUT)
        .operation_timeout(REQUEST_TIMEOUT)
        .build()
}
