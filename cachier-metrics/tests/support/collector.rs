//! A receiver of OTLP that answers as a test wants it to.

use std::collections::BTreeMap;
use std::future::ready;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, Gauge, Metric, NumberDataPoint, Sum, number_data_point,
};
use prost::Message as _;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;

/// It ends when this is dropped.
pub(super) struct Collector {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<Received>>>,
    _runtime: Runtime,
}

/// A request.
#[derive(Clone)]
pub(super) struct Received {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) message: ExportMetricsServiceRequest,
}

/// An answer.
#[derive(Clone, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// Instead of all that.
    pub(super) silent: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Speaks {
    Http,
    Grpc,
}

impl Answer {
    /// With this status of HTTP.
    pub(super) fn http(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// With this status of gRPC.
    pub(super) fn grpc(code: u16) -> Self {
        Self::http(200).with("grpc-status", &code.to_string())
    }

    pub(super) fn well(speaks: Speaks) -> Self {
        match speaks {
            Speaks::Http => Self::http(200),
            Speaks::Grpc => Self {
                body: vec![0; 5],
                ..Self::grpc(0)
            },
        }
    }

    pub(super) fn silent() -> Self {
        Self {
            silent: true,
            ..Self::default()
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// What was received of a series.
pub(super) enum Figure {
    Number(f64),
    /// The middles of buckets with their counts, and the sum.
    Histogram(Vec<(f64, f64)>, f64),
}

impl Collector {
    /// Answers the first requests with these, and further ones well.
    pub(super) fn start(speaks: Speaks, answers: Vec<Answer>) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), speaks, answers)
    }

    /// The same at an address.
    pub(super) fn start_at(address: SocketAddr, speaks: Speaks, answers: Vec<Answer>) -> Self {
        Self::start_over(None, address, speaks, answers)
    }

    /// Over TLS, with the certificate and the key in a folder; answers well, and only known clients if `is_for_known`.
    pub(super) fn start_with_tls(folder: &Path, speaks: Speaks, is_for_known: bool) -> Self {
        let certificate = CertificateDer::from_pem_file(folder.join("certificate.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        // It knows clients by the same certificate, if they show one.
        let mut known = rustls::RootCertStore::empty();
        known.add(certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(known), provider);
        let clients = match is_for_known {
            true => clients,
            false => clients.allow_unauthenticated(),
        };
        let builder = versions
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap());
        let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = match speaks {
            Speaks::Http => vec![b"http/1.1".to_vec()],
            Speaks::Grpc => vec![b"h2".to_vec()],
        };
        let tls = TlsAcceptor::from(Arc::new(config));
        Self::start_over(Some(tls), ([127, 0, 0, 1], 0).into(), speaks, vec![])
    }

    fn start_over(
        tls: Option<TlsAcceptor>,
        address: SocketAddr,
        speaks: Speaks,
        answers: Vec<Answer>,
    ) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind(address)).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::default();
        let (all, answers) = (Arc::clone(&requests), Arc::new(answers));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, all, answers) = (tls.clone(), Arc::clone(&all), Arc::clone(&answers));
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, speaks, all, answers).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, speaks, all, answers).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            requests,
            _runtime: runtime,
        }
    }

    /// What it has been sent so far.
    pub(super) fn requests(&self) -> Vec<Received> {
        self.requests.lock().unwrap().clone()
    }

    /// The same once there are so many.
    pub(super) fn wait_for(&self, count: usize) -> Vec<Received> {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let requests = self.requests();
            if requests.len() >= count {
                return requests;
            }
            assert!(Instant::now() < until, "{} requests", requests.len());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Received {
    pub(super) fn metrics(&self) -> &[Metric] {
        &self.message.resource_metrics[0].scope_metrics[0].metrics
    }

    pub(super) fn metric(&self, name: &str) -> Option<&Data> {
        let mut metrics = self.metrics().iter();
        metrics.find(|metric| metric.name == name)?.data.as_ref()
    }

    /// All figures: names, labels and values.
    pub(super) fn figures(&self) -> Vec<(String, BTreeMap<&str, &str>, Figure)> {
        let mut all = Vec::new();
        for metric in self.metrics() {
            let mut add = |attributes, figure| {
                all.push((metric.name.clone(), labels(attributes), figure));
            };
            match metric.data.as_ref().unwrap() {
                Data::Sum(Sum { data_points, .. }) | Data::Gauge(Gauge { data_points }) => {
                    data_points
                        .iter()
                        .for_each(|point| add(&point.attributes, number(point)));
                }
                Data::ExponentialHistogram(data) => {
                    data.data_points
                        .iter()
                        .for_each(|point| add(&point.attributes, values(point)));
                }
                other => panic!("{other:?}"),
            }
        }
        all
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn labels(attributes: &[KeyValue]) -> BTreeMap<&str, &str> {
    attributes
        .iter()
        .map(|attribute| match &attribute.value.as_ref().unwrap().value {
            Some(any_value::Value::StringValue(value)) => (&*attribute.key, &**value),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn number(point: &NumberDataPoint) -> Figure {
    Figure::Number(match point.value.unwrap() {
        number_data_point::Value::AsInt(count) => count as f64,
        number_data_point::Value::AsDouble(number) => number,
    })
}

fn values(point: &ExponentialHistogramDataPoint) -> Figure {
    let buckets = point.positive.as_ref().unwrap();
    let per_index = f64::from(point.scale).exp2();
    let all = (buckets.offset..).zip(&buckets.bucket_counts);
    let values = all.filter(|(_, count)| **count > 0).map(|(index, count)| {
        let middle = ((f64::from(index) + 0.5) / per_index).exp2();
        (middle, *count as f64)
    });
    Figure::Histogram(values.collect(), point.sum.unwrap())
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    speaks: Speaks,
    requests: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Vec<Answer>>,
) {
    let stream = TokioIo::new(stream);
    let service = service_fn(move |request: Request<Incoming>| {
        let (requests, answers) = (Arc::clone(&requests), Arc::clone(&answers));
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let number = {
                let mut requests = requests.lock().unwrap();
                requests.push(Received {
                    path: parts.uri.path().to_owned(),
                    message: message(speaks, &parts.headers, &body),
                    headers: parts.headers,
                });
                requests.len() - 1
            };
            let answer = answers.get(number).cloned();
            let answer = answer.unwrap_or_else(|| Answer::well(speaks));
            if answer.silent {
                std::future::pending::<()>().await;
            }
            Ok::<_, hyper::Error>(response(speaks, answer))
        }
    });
    match speaks {
        Speaks::Http => drop(
            http1::Builder::new()
                .serve_connection(stream, service)
                .await,
        ),
        Speaks::Grpc => {
            let server = http2::Builder::new(TokioExecutor::new());
            drop(server.serve_connection(stream, service).await);
        }
    }
}

/// A status of gRPC is in trailers if there is a message before it.
fn response(
    speaks: Speaks,
    answer: Answer,
) -> Response<impl hyper::body::Body<Data = Bytes, Error = std::convert::Infallible>> {
    let headers = answer
        .headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    let headers: HeaderMap = headers.collect();
    let (headers, trailers) = match speaks == Speaks::Grpc && !answer.body.is_empty() {
        true => (HeaderMap::new(), Some(Ok(headers))),
        false => (headers, None),
    };
    let body = Full::from(answer.body).with_trailers(ready(trailers));
    let mut response = Response::new(body);
    *response.status_mut() = answer.status.try_into().unwrap();
    *response.headers_mut() = headers;
    response
}

fn message(speaks: Speaks, headers: &HeaderMap, body: &[u8]) -> ExportMetricsServiceRequest {
    let (content, encoding) = match speaks {
        Speaks::Http => (body, "content-encoding"),
        Speaks::Grpc => {
            let (head, message) = body.split_at(5);
            let length = u32::from_be_bytes(head[1..].try_into().unwrap());
            assert_eq!(length as usize, message.len());
            let is_zipped = headers.contains_key("grpc-encoding");
            assert_eq!(head[0], u8::from(is_zipped));
            (message, "grpc-encoding")
        }
    };
    if !headers.contains_key(encoding) {
        return ExportMetricsServiceRequest::decode(content).unwrap();
    }
    let mut unzipped = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(content);
    std::io::Read::read_to_end(&mut decoder, &mut unzipped).unwrap();
    ExportMetricsServiceRequest::decode(&*unzipped).unwrap()
}
