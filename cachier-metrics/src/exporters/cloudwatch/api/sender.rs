//! Sends what is new.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::Config;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::config::timeout::TimeoutConfig;
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataError;
use aws_sdk_cloudwatch::types::MetricDatum;
use tokio::runtime::Builder;

use super::backoff::Backoff;
use super::requests::{MAX_VALUES, requests};
use crate::exporters::cloudwatch::datum::data;
use crate::exporters::deltas::SentTotals;
use crate::exporters::error::ExportError;
use crate::exporters::registry::MetricsRegistry;
use crate::per_process::PerProcess;
use crate::warning::warn;

/// The figures, the client, and the totals sent so far.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) registry: MetricsRegistry,
    client: Client,
    namespace: String,
    /// A forked child counts from zero. Locked for an export, which calls never wait for.
    state: PerProcess<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    sent_totals: SentTotals,
    backoff: Backoff,
}

/// The fate of a request that failed.
#[derive(Debug, PartialEq)]
enum Fate {
    /// Not received; it may be sent later.
    Refused,
    /// Refused for good; or perhaps received, so that sending it again might count it twice.
    Lost,
}

/// For a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

impl Sender {
    pub(super) fn new(registry: MetricsRegistry, client: Client, namespace: String) -> Self {
        Self {
            registry,
            client,
            namespace,
            state: PerProcess::new(),
        }
    }

    /// Sends what is new unless the service has asked for a pause.
    pub(super) fn send_if_due(&self) {
        let is_due = self.with_state(|state| state.backoff.is_due());
        if is_due && let Err(error) = self.send() {
            warn("exports to CloudWatch", &error.to_string());
        }
    }

    /// Sends what is new, and counts whether it could.
    pub(super) fn send(&self) -> Result<(), ExportError> {
        let sent = self.with_state(|state| self.send_new(state));
        sent.inspect_err(|_| self.registry.export_failed())
    }

    fn with_state<R>(&self, action: impl FnOnce(&mut State) -> R) -> R {
        let state = self.state.get(|_| Mutex::default());
        action(&mut state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends with the first request that is refused: its deltas and those after it stay for the next export.
    fn send_new(&self, state: &mut State) -> Result<(), ExportError> {
        let export = self.registry.gather();
        let data = data(&export, &state.sent_totals, MAX_VALUES);
        let mut failed = None;
        for request in requests(data, export.time()) {
            let count = request.data.len() as u64;
            match self.put(request.data) {
                Ok(()) => self.registry.export_sent(request.size as u64),
                Err((Fate::Refused, message)) => {
                    state.backoff.refuse();
                    return Err(ExportError::new(message));
                }
                Err((Fate::Lost, message)) => {
                    self.registry.export_dropped(count);
                    failed = failed.or(Some(message));
                }
            }
            state.backoff.accept();
            let deltas = request.deltas.into_iter();
            deltas.for_each(|delta| state.sent_totals.mark_sent(delta));
        }
        failed.map_or(Ok(()), |message| Err(ExportError::new(message)))
    }

    /// On a thread of its own, as the caller may be on a runtime, where none may be waited for.
    fn put(&self, data: Vec<MetricDatum>) -> Result<(), (Fate, String)> {
        // Not by the client, which would send again what may have been counted.
        let config = Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_timeout(REQUEST_TIMEOUT)
                    .build(),
            );
        let request = self.client.put_metric_data().namespace(&self.namespace);
        let request = request
            .set_metric_data(Some(data))
            .customize()
            .config_override(config);
        let put = || {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(SdkError::construction_failure);
            let answer = runtime.map_err(Box::new)?.block_on(request.send());
            answer.map(drop).map_err(Box::new)
        };
        let failed = "cannot send metrics to CloudWatch";
        let panicked = (Fate::Refused, format!("{failed}: its client has panicked"));
        let answer = thread::scope(|scope| scope.spawn(put).join().ok());
        let answer = answer.ok_or(panicked)?;
        answer.map_err(|error| (fate(&error), format!("{failed}: {}", described(&error))))
    }
}

/// Without headers and bodies, which may repeat a token or a signed request: of an answer of the service its code.
fn described(error: &SdkError<PutMetricDataError>) -> String {
    if let SdkError::ServiceError(answer) = error {
        let code = answer.err().code().unwrap_or("an unknown code");
        return format!("the service answers `{code}`");
    }
    let causes = causes(error).map(ToString::to_string);
    causes.collect::<Vec<_>>().join(": ")
}

/// Codes of requests that may be made again another time: throttled, or not let in.
const REFUSALS: [&str; 16] = [
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

fn fate(error: &SdkError<PutMetricDataError>) -> Fate {
    let is_refused = match error {
        SdkError::ConstructionFailure(_) => true,
        SdkError::DispatchFailure(failure) => {
            // Failures outside the connection come before it: no client, or no credentials.
            let is_before = failure.is_other() && failure.as_other().is_none();
            is_before || failure.is_user() || is_unreached(error)
        }
        SdkError::ServiceError(answer) => {
            let code = answer.err().code();
            code.is_some_and(|code| REFUSALS.contains(&code))
        }
        _ => false,
    };
    match is_refused {
        true => Fate::Refused,
        false => Fate::Lost,
    }
}

/// Errors of a connection that there never was.
const UNREACHED: [ErrorKind; 3] = [
    ErrorKind::ConnectionRefused,
    ErrorKind::HostUnreachable,
    ErrorKind::NetworkUnreachable,
];

/// How the client names a connection that was never made: in time, by name, or by TLS.
const NO_CONNECTION: &str = "client error (Connect)";

/// Whether nothing of a request can have arrived.
fn is_unreached(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let is_io = |error: &io::Error| UNREACHED.contains(&error.kind());
        cause.downcast_ref::<io::Error>().is_some_and(is_io)
            || cause.to_string().contains(NO_CONNECTION)
    })
}

/// The error, and what it comes from.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_sdk_cloudwatch::config::http::HttpResponse;
    use aws_sdk_cloudwatch::error::{ConnectorError, ErrorMetadata};

    use super::*;

    #[test]
    fn unmade_requests_are_refused_and_late_ones_lost() {
        let unmade = SdkError::construction_failure("no region");
        assert_eq!(fate(&unmade), Fate::Refused);
        assert_eq!(fate(&SdkError::timeout_error("no answer")), Fate::Lost);
        let failed = |message: &str| {
            SdkError::dispatch_failure(ConnectorError::timeout(message.to_owned().into()))
        };
        let unconnected = failed("client error (Connect): HTTP connect timeout occurred after 1s");
        assert_eq!(fate(&unconnected), Fate::Refused);
        assert!(described(&unconnected).contains("HTTP connect timeout"));
        let unanswered = failed("HTTP read timeout occurred after 1s");
        assert_eq!(fate(&unanswered), Fate::Lost);
        let refused = io::Error::from(ErrorKind::ConnectionRefused);
        let refused = SdkError::dispatch_failure(ConnectorError::io(refused.into()));
        assert_eq!(fate(&refused), Fate::Refused);
        let answered = |code: &str| {
            let error = ErrorMetadata::builder().code(code).build();
            let answer = HttpResponse::new(400.try_into().unwrap(), "".into());
            SdkError::service_error(PutMetricDataError::generic(error), answer)
        };
        assert_eq!(fate(&answered("SignatureDoesNotMatch")), Fate::Refused);
        assert_eq!(fate(&answered("InvalidParameterValue")), Fate::Lost);
        let said = described(&answered("Throttling"));
        assert_eq!(said, "the service answers `Throttling`");
    }
}
