//! The endpoint of one program.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::detail::Detail;
use crate::http::{self, Address, Token};
use crate::source::{Source, Window};

pub(crate) struct Endpoint {
    address: Address,
    token: Option<Token>,
}

impl Endpoint {
    pub(crate) fn new(address: &str, token: Option<Token>) -> Result<Self, String> {
        let address = Address::parse(address)?;
        Ok(Self { address, token })
    }

    fn ask(&self, query: &str) -> Result<Value, String> {
        let answer = http::get(
            &self.address,
            &format!("/stats.json?{query}"),
            self.token.as_ref(),
        )?;
        match answer.status {
            200 => serde_json::from_slice(&answer.body)
                .map_err(|_| "it answers, but not with JSON".to_owned()),
            401 if self.token.is_none() => Err("it asks for a token: --token-file".to_owned()),
            401 => Err("it asks for another token than that of --token-file".to_owned()),
            403 => Err("it shows its figures to its own machine only, unless it has a token".to_owned()),
            404 => Err("it has no /stats.json: is this the endpoint of cachier, with the path of its router?".to_owned()),
            status => Err(format!("it answers with status {status}")),
        }
    }
}

impl Source for Endpoint {
    fn name(&self) -> &str {
        self.address.name()
    }

    fn read(&self, window: Window) -> Result<Value, String> {
        self.ask(&format!("window={}", window.word()))
    }

    fn detail(&self, function: &str, window: Window) -> Result<Detail, String> {
        let function = http::encoded(function);
        Detail::parse(&self.ask(&format!("function={function}&series={}", window.word()))?)
    }
}

/// Reads the file with the token.
pub(crate) fn token(file: &Path) -> Result<Token, String> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("the file of the token, {}: {error}", file.display()))?;
    let unfit = || {
        format!(
            "{} holds no token: one line of letters, digits and signs",
            file.display()
        )
    };
    Token::new(text.trim()).ok_or_else(unfit)
}
