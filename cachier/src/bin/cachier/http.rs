//! Requests, each on a new connection, as there is only one per second.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::timeout;

use crate::tls;

/// The time limit of a request and its answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const MAX_ANSWER: usize = 64 << 20;

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    is_secure: bool,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// As shown in headers and to users.
    authority: String,
    /// The prefix of all paths, without a trailing slash.
    path: String,
}

/// Never printed.
#[derive(Clone)]
pub(crate) struct Token(HeaderValue);

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Address {
    /// Reads `http://host:port/path`; all but the host may be missing.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let whole = match text.contains("://") {
            true => text.to_owned(),
            false => format!("http://{text}"),
        };
        let address = whole.parse().ok().and_then(|uri: Uri| Self::of(&uri));
        // Not shown: it may hold a password.
        let unfit = "an endpoint is an address such as http://127.0.0.1:9464; a token goes into --token-file";
        address.ok_or_else(|| unfit.to_owned())
    }

    fn of(uri: &Uri) -> Option<Self> {
        let is_secure = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let authority = uri.authority()?.as_str();
        let (host, port) = (uri.host()?, uri.port_u16());
        // Without credentials, and without a port that is none.
        let is_whole = match port {
            Some(port) => authority == format!("{host}:{port}"),
            None => authority == host,
        };
        (is_whole && !host.is_empty()).then(|| Self {
            is_secure,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: port.unwrap_or(if is_secure { 443 } else { 80 }),
            authority: authority.to_owned(),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// For people.
    pub(crate) fn name(&self) -> &str {
        &self.authority
    }
}

impl Token {
    /// One that a header can carry.
    pub(crate) fn new(token: &str) -> Option<Self> {
        let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let header = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut header = header.ok().filter(|_| is_token)?;
        header.set_sensitive(true);
        Some(Self(header))
    }
}

/// A text within a query.
pub(crate) fn encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

/// Asks for a path; an error says what went wrong, without the address.
pub(crate) fn get(address: &Address, path: &str, token: Option<&Token>) -> Result<Answer, String> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let answer = runtime.block_on(async { timeout(TIMEOUT, ask(address, path, token)).await });
    // Not waiting for a name server that does not answer.
    runtime.shutdown_background();
    answer.unwrap_or_else(|_| Err(format!("no answer within {} s", TIMEOUT.as_secs())))
}

async fn ask(address: &Address, path: &str, token: Option<&Token>) -> Result<Answer, String> {
    let stream = TcpStream::connect((&*address.host, address.port)).await;
    let stream = stream.map_err(|error| format!("no connection: {error}"))?;
    match address.is_secure {
        true => {
            ask_over(
                tls::connect(&address.host, stream).await?,
                address,
                path,
                token,
            )
            .await
        }
        false => ask_over(stream, address, path, token).await,
    }
}

async fn ask_over(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    address: &Address,
    path: &str,
    token: Option<&Token>,
) -> Result<Answer, String> {
    let failed = |error: &dyn std::error::Error| format!("no answer: {error}");
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| failed(&error))?;
    tokio::spawn(connection);
    let mut request =
        Request::get(format!("{}{path}", address.path)).header(HOST, &address.authority);
    if let Some(Token(token)) = token {
        request = request.header(AUTHORIZATION, token);
    }
    let request = request.body(Empty::<Bytes>::new());
    let request = request.map_err(|error| failed(&error))?;
    let response = sender.send_request(request).await;
    let (head, body) = response.map_err(|error| failed(&error))?.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    Ok(Answer {
        status: head.status.as_u16(),
        body: body.map_err(|error| failed(&*error))?.to_bytes(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_need_a_host_alone() {
        let of = |text: &str| {
            let address = Address::parse(text).unwrap();
            (address.is_secure, address.host, address.port, address.path)
        };
        let is = |is_secure, host: &str, port, path: &str| {
            (is_secure, host.to_owned(), port, path.to_owned())
        };
        assert_eq!(
            of("http://127.0.0.1:9464"),
            is(false, "127.0.0.1", 9464, "")
        );
        assert_eq!(of("shop:9464"), is(false, "shop", 9464, ""));
        assert_eq!(
            of("https://shop/cachier/"),
            is(true, "shop", 443, "/cachier")
        );
        assert_eq!(of("http://[::1]:1"), is(false, "::1", 1, ""));
        assert_eq!(of("shop"), is(false, "shop", 80, ""));
        for unfit in [
            "",
            "ftp://shop",
            "http://me:s3cret@shop",
            "http://shop:99999",
            "http://",
            "two words",
        ] {
            let error = Address::parse(unfit).unwrap_err();
            assert!(
                error.contains("--token-file") && !error.contains("s3cret"),
                "{error}"
            );
        }
    }

    #[test]
    fn tokens_are_words() {
        assert!(Token::new("s3cret").is_some());
        assert!(
            ["", "two words", "ü", "a\nb"]
                .iter()
                .all(|unfit| Token::new(unfit).is_none())
        );
        assert_eq!(encoded("a::b<ü>&"), "a%3A%3Ab%3C%C3%BC%3E%26");
    }
}
