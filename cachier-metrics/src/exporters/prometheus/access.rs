//! Access: which request gets which answer.

use std::fmt;
use std::hint::black_box;

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, Request};

use super::host::{AllowedHosts, Refusal};

/// The conditions of an endpoint.
#[derive(Clone, Debug)]
pub(super) struct Access {
    /// The hosts that requests may name; none where there is no DNS to be rebound.
    pub(super) hosts: Option<AllowedHosts>,
    pub(super) token: Option<Token>,
    /// Whether pages are served to others than this machine, without a token.
    pub(super) page: bool,
    /// Whether only this machine, or clients that another server lets in, can ask.
    pub(super) is_private: bool,
}

/// The token that clients must show. Never printed.
#[derive(Clone)]
pub(super) struct Token(String);

/// Why a request is not answered.
#[derive(Debug, PartialEq)]
pub(super) enum Denied {
    Host(Refusal),
    /// The token is missing or another.
    Token,
    /// It is for this machine alone.
    Page,
}

impl Access {
    /// Any request.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), Denied> {
        match &self.hosts {
            Some(hosts) => hosts.check(request).map_err(Denied::Host),
            None => Ok(()),
        }
    }

    /// A request for figures.
    pub(super) fn check_token(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let is_shown = self.token.as_ref().is_none_or(|token| token.is_in(headers));
        is_shown.then_some(()).ok_or(Denied::Token)
    }

    /// A request for all figures, which a browser of anybody could read.
    pub(super) fn check_page(&self) -> Result<(), Denied> {
        let may = self.is_private || self.page || self.token.is_some();
        may.then_some(()).ok_or(Denied::Page)
    }
}

impl Token {
    /// A token that a header can carry.
    pub(super) fn new(token: String) -> Option<Self> {
        let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        is_token.then_some(Self(token))
    }

    fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut all = headers.get_all(AUTHORIZATION).into_iter();
        let (Some(header), None) = (all.next(), all.next()) else {
            return false;
        };
        let header = header.to_str().unwrap_or_default();
        let (scheme, shown) = header.split_once(' ').unwrap_or_default();
        scheme.eq_ignore_ascii_case("bearer") && self.equals(shown.trim())
    }

    /// Compares every byte, so that the time does not reveal how many were right.
    fn equals(&self, shown: &str) -> bool {
        let (own, shown) = (self.0.as_bytes(), shown.as_bytes());
        let pairs = own.iter().zip(shown);
        let differences = pairs.fold(0, |all, (own, shown)| black_box(all | (own ^ shown)));
        own.len() == shown.len() && differences == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_the_token_is_the_token() {
        let token = Token::new("s3cret".to_owned()).unwrap();
        let with = |headers: &[&str]| {
            let mut map = HeaderMap::new();
            for header in headers {
                map.append(AUTHORIZATION, header.parse().unwrap());
            }
            token.is_in(&map)
        };
        assert!(with(&["Bearer s3cret"]) && with(&["bearer  s3cret"]));
        for wrong in [
            &[] as &[&str],
            &["Bearer s3cre"],
            &["Bearer s3crets"],
            &["Bearer S3cret"],
            &["Bearer"],
            &["Basic s3cret"],
            &["s3cret"],
            &["Bearer s3cret", "Bearer s3cret"],
        ] {
            assert!(!with(wrong), "{wrong:?}");
        }
        assert_eq!(format!("{token:?}"), "Token(…)");
        for unfit in ["", "two words", "line\nbreak", "ä"] {
            assert!(Token::new(unfit.to_owned()).is_none(), "{unfit}");
        }
    }
}
