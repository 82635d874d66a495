//! Sends what is new.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::Config;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::config::timeout::TimeoutConfig;
use aws_sdk_cloudwatch::types::MetricDatum;

use super::backoff::Backoff;
use super::failure::{Failure, Retry};
use super::requests::{MAX_VALUES, Request, requests};
use crate::exporters::block_on::block_on;
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
    /// The longest time until the last request of an export begins.
    timeout: Duration,
    /// A forked child counts from zero. Locked for an export, which calls never wait for.
    state: PerProcess<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    sent_totals: SentTotals,
    backoff: Backoff,
}

/// The time limit of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an export may go on before it begins no further request.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(20);
const TOO_SLOW: &str = "it answers too slowly for all of them at once";
const THREAD: &str = "cachier-cloudwatch-push";

impl Sender {
    pub(super) fn new(registry: MetricsRegistry, client: Client, namespace: String) -> Self {
        Self {
            registry,
            client,
            namespace,
            timeout: EXPORT_TIMEOUT,
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

    fn send_new(&self, state: &mut State) -> Result<(), ExportError> {
        let export = self.registry.gather();
        let data = data(&export, &state.sent_totals, MAX_VALUES);
        let requests = requests(data, export.time());
        let thread = thread::Builder::new().name(THREAD.to_owned());
        let sent = block_on(thread, self.send_all(requests, state));
        sent.map_err(failed)?.map_err(failed)
    }

    /// Ends with the first request that is not answered, or that is to be sent later, as those after it would cost as much
    /// time: their deltas stay for the next export.
    async fn send_all(&self, requests: Vec<Request>, state: &mut State) -> Result<(), String> {
        let deadline = Instant::now() + self.timeout;
        let mut requests = requests.into_iter().peekable();
        let mut refused = None;
        while let Some(request) = requests.next() {
            match self.send_request(request, &mut state.sent_totals).await {
                Err(failure) if failure.retry != Retry::Never => {
                    state.backoff.refuse();
                    return Err(failure.reason);
                }
                answered => {
                    state.backoff.accept();
                    refused = refused.or(answered.err());
                }
            }
            let is_in_time = Instant::now() < deadline || requests.peek().is_none();
            is_in_time.then_some(()).ok_or(TOO_SLOW)?;
        }
        refused.map_or(Ok(()), |failure| Err(failure.reason))
    }

    /// Marks the request's deltas as sent, unless they may be sent again.
    async fn send_request(
        &self,
        request: Request,
        sent_totals: &mut SentTotals,
    ) -> Result<(), Failure> {
        let count = request.data.len() as u64;
        let sent = self.put(request.data).await;
        match sent.as_ref().map_err(|failure| failure.retry) {
            Ok(()) => self.registry.export_sent(request.size as u64),
            Err(Retry::Later) => return sent,
            Err(Retry::Never | Retry::Unsafe) => self.registry.export_dropped(count),
        }
        let deltas = request.deltas.into_iter();
        deltas.for_each(|delta| sent_totals.mark_sent(delta));
        sent
    }

    async fn put(&self, data: Vec<MetricDatum>) -> Result<(), Failure> {
        // The client must not retry: it could send what is already counted.
        let config = Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_timeout(REQUEST_TIMEOUT)
                    .build(),
            );
        let request = self.client.put_metric_data().namespace(&self.namespace);
        let request = request.set_metric_data(Some(data)).customize();
        let answer = request.config_override(config).send().await;
        answer.map(drop).map_err(|error| Failure::of(&error))
    }
}

fn failed(reason: impl Display) -> ExportError {
    ExportError::new(format!("cannot send metrics to CloudWatch: {reason}"))
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::service::{answering, client, fine};
    use super::*;
    use crate::metrics::CacheMetrics;
    use crate::options::MetricsOptions;

    /// A sender with more figures than fit into one request.
    fn sender(endpoint: &str, timeout: Duration) -> Sender {
        let registry = MetricsRegistry::new("cloudwatch").max_series(100_000);
        for number in 0..240 {
            let options = MetricsOptions::new(format!("function {number}"), "memory").unlisted();
            registry.register_function(CacheMetrics::create(options));
        }
        let sender = Sender::new(registry, client(endpoint), "Shop".to_owned());
        Sender { timeout, ..sender }
    }

    #[test]
    fn a_slow_service_gets_the_rest_later() {
        let (endpoint, told) = answering(|_| Some(fine()));
        let sender = sender(&endpoint, Duration::ZERO);
        let error = sender.send().unwrap_err().to_string();
        assert!(error.contains("too slowly"), "{error}");
        assert_eq!(told.try_iter().count(), 1);
        let is_due = sender.with_state(|state| state.backoff.is_due());
        assert!(is_due, "it asks for no pause");
    }

    #[test]
    fn an_unknown_outcome_asks_for_a_pause() {
        let (endpoint, _told) = answering(|_| None);
        let sender = sender(&endpoint, EXPORT_TIMEOUT);
        sender.send().unwrap_err();
        let is_due = sender.with_state(|state| state.backoff.is_due());
        assert!(!is_due);
    }
}
