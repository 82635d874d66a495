//! The answers to requests: figures, all of them as JSON, and whether the program is well.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderName, HeaderValue, VARY, WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::access::{Access, Denied};
use super::connections::Load;
use super::format::{Format, accepts_gzip};
use super::host::Refusal;
use super::query::Query;
use super::shared_replies::SharedReplies;
use super::view::View;
use super::{json, page};
use crate::readiness::{StoreReadiness, StoreState, readiness};

/// The pages, and who may see them.
#[derive(Debug)]
pub(super) struct Endpoint {
    view: Arc<View>,
    path: String,
    access: Access,
    /// The last answer about the stores, and when it was given.
    readiness: Mutex<Option<(Instant, Arc<[StoreReadiness]>)>>,
    shared: SharedReplies<Variant>,
}

/// A document in one of its encodings: what a request asks for, not who asks.
#[derive(Clone, Debug, PartialEq)]
struct Variant {
    document: Document,
    is_zipped: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Document {
    Metrics(Format),
    Stats(Query),
    Page,
}

pub(super) const PAGE: &str = "/";
pub(super) const STATS: &str = "/stats.json";
pub(super) const HEALTH: &str = "/health";
pub(super) const READY: &str = "/ready";

/// How long an answer about the stores holds: probes that come often ask the stores no more often than that.
const READINESS_AGE: Duration = Duration::from_secs(5);

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";
/// The headers that an answer depends on.
const VARYING: &str = "Accept, Accept-Encoding";

type Reply = Response<Bytes>;

impl Endpoint {
    pub(super) fn new(view: Arc<View>, path: String, access: Access) -> Self {
        Self {
            view,
            path,
            access,
            readiness: Mutex::default(),
            shared: SharedReplies::default(),
        }
    }

    pub(super) async fn answer<B>(&self, request: Request<B>, load: Load) -> Reply {
        if let Err(denied) = self.access.check(&request) {
            return refused(denied);
        }
        let (parts, _) = request.into_parts();
        let path = parts.uri.path();
        let is_known = [&self.path, PAGE, STATS, HEALTH, READY].contains(&path);
        if is_known && !matches!(parts.method, Method::GET | Method::HEAD) {
            let answer = (StatusCode::METHOD_NOT_ALLOWED, PLAIN_TEXT, String::new());
            return with(reply(answer), ALLOW, "GET, HEAD");
        }
        let query = parts.uri.query().unwrap_or_default();
        match path {
            HEALTH => reply((StatusCode::OK, PLAIN_TEXT, "ok\n".to_owned())),
            READY => self.ready(query).await,
            _ => self.figures(path, query, &parts.headers, load),
        }
    }

    /// The pages that the token guards.
    fn figures(&self, path: &str, query: &str, headers: &HeaderMap, load: Load) -> Reply {
        let may = self.access.check_token(headers);
        let may = may.and_then(|()| match path {
            path if path == self.path => Ok(()),
            PAGE | STATS => self.access.check_page(),
            _ => Ok(()),
        });
        if let Err(denied) = may {
            return refused(denied);
        }
        let document = match path {
            STATS => match Query::parse(|name| parameter(query, name)) {
                Ok(query) => Document::Stats(query),
                Err(problem) => return reply((StatusCode::BAD_REQUEST, PLAIN_TEXT, problem)),
            },
            path if path == self.path => {
                Document::Metrics(Format::accepted(&joined(headers, ACCEPT)))
            }
            PAGE => Document::Page,
            _ => return reply((StatusCode::NOT_FOUND, PLAIN_TEXT, String::new())),
        };
        let is_zipped = accepts_gzip(&joined(headers, ACCEPT_ENCODING));
        let variant = Variant {
            document,
            is_zipped,
        };
        match load {
            Load::Usual => self.found(&variant),
            Load::Crowded => self.shared.get(variant, |variant| self.found(variant)),
        }
    }

    /// Figures, as the client asked for them.
    fn found(&self, variant: &Variant) -> Reply {
        let (content_type, body) = match &variant.document {
            Document::Metrics(format) => (format.content_type(), self.view.encode(*format)),
            Document::Stats(query) => {
                let answer = query.read(&self.view.registry).to_string();
                (json::CONTENT_TYPE, answer.into_bytes())
            }
            Document::Page => (page::CONTENT_TYPE, page::HTML.into()),
        };
        let found = |body| with(reply((StatusCode::OK, content_type, body)), VARY, VARYING);
        let answer = match variant.is_zipped {
            true => with(found(gzip(&body)), CONTENT_ENCODING, "gzip"),
            false => found(body),
        };
        match variant.document {
            Document::Page => with(answer, CONTENT_SECURITY_POLICY, page::POLICY),
            _ => answer,
        }
    }

    /// 200 as long as calls are answered, with `strict` only if all stores work.
    async fn ready(&self, query: &str) -> Reply {
        let stores = self.readiness().await;
        let all = |is_so: fn(&StoreState) -> bool| stores.iter().all(|store| is_so(&store.state));
        let works = all(|state| *state == StoreState::Works);
        let answers = all(|state| !matches!(state, StoreState::Fails(_)));
        let is_strict = parameter(query, "strict").is_some();
        let status = match (works, answers) {
            (true, _) => "ready",
            (false, true) => "degraded",
            (false, false) => "failing",
        };
        let code = match works || answers && !is_strict {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        reply((code, json::CONTENT_TYPE, json::readiness(&stores, status)))
    }

    async fn readiness(&self) -> Arc<[StoreReadiness]> {
        // Concurrent requests wait for the same answer.
        let mut last = self.readiness.lock().await;
        if let Some((at, stores)) = &*last
            && at.elapsed() < READINESS_AGE
        {
            return Arc::clone(stores);
        }
        // Stores may take a while, for which others are answered.
        let Ok(stores) = spawn_blocking(readiness).await else {
            return Arc::from([unknown()]);
        };
        let stores = Arc::from(stores);
        *last = Some((Instant::now(), Arc::clone(&stores)));
        stores
    }
}

/// The readiness after a probe has panicked: unknown.
fn unknown() -> StoreReadiness {
    StoreReadiness {
        name: "probe".to_owned(),
        store: String::new(),
        state: StoreState::Fails("panicked"),
    }
}

fn reply((status, content_type, body): (StatusCode, &'static str, impl Into<Bytes>)) -> Reply {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    with(response, CONTENT_TYPE, content_type)
}

fn with(mut response: Reply, name: HeaderName, value: &'static str) -> Reply {
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
    response
}

fn refused(denied: Denied) -> Reply {
    match denied {
        Denied::Host(Refusal::Malformed) => {
            let text = "a request names one host, as in `Host: localhost:9464`\n";
            reply((StatusCode::BAD_REQUEST, PLAIN_TEXT, text))
        }
        Denied::Host(Refusal::Foreign(name)) => {
            let text = format!(
                "metrics are served here to whoever asks for an IP address or `localhost`, not for `{name}`; if that name \
                 leads here by your will, allow it: PrometheusExporter::builder().allow_host(\"{name}\")\n"
            );
            reply((StatusCode::FORBIDDEN, PLAIN_TEXT, text))
        }
        Denied::Token => {
            let text = "figures are served to whoever shows the token: `Authorization: Bearer …`\n";
            let reply = reply((StatusCode::UNAUTHORIZED, PLAIN_TEXT, text));
            with(reply, WWW_AUTHENTICATE, "Bearer")
        }
        Denied::Page => {
            let text = "all figures are served to this machine alone; to serve them to others, set a token, \
                        PrometheusExporter::builder().bearer_token(…), or allow it, .page(true)\n";
            reply((StatusCode::FORBIDDEN, PLAIN_TEXT, text))
        }
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Neither fails on bytes in memory.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

/// All headers of a name as one.
fn joined(headers: &HeaderMap, name: HeaderName) -> String {
    let values = headers.get_all(name).into_iter();
    let values: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

/// A parameter of a query, decoded; empty if it has no value.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut all = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    all.find(|(key, _)| *key == name)
        .map(|(_, value)| decoded(value))
}

/// Decodes `%3A` to `:`, and `+` to a space. Other text stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let of = |query| parameter(query, "function");
        assert_eq!(
            of("function=app%3A%3auser&x=1").as_deref(),
            Some("app::user")
        );
        assert_eq!(
            of("x=1&function=a+b%C3%A4%zz%2").as_deref(),
            Some("a bä%zz%2")
        );
        assert_eq!(of("function").as_deref(), Some(""));
        assert_eq!(of("functions=1"), None);
    }
}
