//! Arguments with a fixed set of words.

use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprCall, ExprLit, Lit, LitStr, Result};

use super::values::{ArgumentValue, expression, message, wrong};
use crate::diagnostics::did_you_mean;
use crate::parse::ParsedArgument;

/// Where values are stored.
pub(crate) enum Backend {
    BuiltIn(BuiltIn),
    Registered(LitStr),
}

/// A built-in backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BuiltIn {
    Memory,
    File,
    Redis,
    Sql,
    Mongo,
    S3,
}

/// How calls handle backend errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnBackendError {
    Compute,
    Propagate,
}

const BACKENDS: [(&str, BuiltIn); 6] = [
    ("memory", BuiltIn::Memory),
    ("file", BuiltIn::File),
    ("redis", BuiltIn::Redis),
    ("sql", BuiltIn::Sql),
    ("mongo", BuiltIn::Mongo),
    ("s3", BuiltIn::S3),
];

const REACTIONS: [(&str, OnBackendError); 2] = [
    ("compute", OnBackendError::Compute),
    ("propagate", OnBackendError::Propagate),
];

/// Other names of stores, and of what is in them.
const STORES: &[(&str, &str)] = &[
    ("disk", "file"),
    ("filesystem", "file"),
    ("fs", "file"),
    ("pickle", "file"),
    ("ram", "memory"),
    ("lru", "memory"),
    ("sqlite", "sql"),
    ("postgres", "sql"),
    ("postgresql", "sql"),
    ("mysql", "sql"),
    ("mariadb", "sql"),
    ("valkey", "redis"),
    ("mongodb", "mongo"),
    ("aws", "s3"),
];

/// Other names of reactions.
const ANSWERS: &[(&str, &str)] = &[
    ("ignore", "compute"),
    ("call", "compute"),
    ("raise", "propagate"),
    ("error", "propagate"),
    ("return", "propagate"),
    ("fail", "propagate"),
];

impl BuiltIn {
    /// The name in the attribute.
    pub(crate) fn name(self) -> &'static str {
        BACKENDS
            .iter()
            .find(|(_, backend)| *backend == self)
            .map_or("", |(name, _)| name)
    }
}

impl ArgumentValue for Backend {
    const EXPECTED: &'static str = "expects \"memory\", \"file\", \"redis\", \"sql\", \"mongo\", \"s3\" or `registered(\"name\")`";
    const EXAMPLE: &'static str = " = \"memory\"";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        match expression::<Self>(parsed)? {
            Expr::Call(call) => registered(call)
                .map(Self::Registered)
                .ok_or_else(|| wrong::<Self>(parsed)),
            _ => choose::<Self, _>(parsed, &BACKENDS, STORES).map(Self::BuiltIn),
        }
    }
}

impl ArgumentValue for OnBackendError {
    const EXPECTED: &'static str = "expects \"compute\" or \"propagate\"";
    const EXAMPLE: &'static str = " = \"compute\"";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        choose::<Self, _>(parsed, &REACTIONS, ANSWERS)
    }
}

/// The name in `registered("name")`.
fn registered(call: &ExprCall) -> Option<LitStr> {
    let Expr::Path(function) = &*call.func else {
        return None;
    };
    if !function.path.is_ident("registered") {
        return None;
    }
    match only(&call.args)? {
        Expr::Lit(ExprLit {
            lit: Lit::Str(name),
            ..
        }) if !name.value().is_empty() => Some(name.clone()),
        _ => None,
    }
}

fn only<T, P>(items: &Punctuated<T, P>) -> Option<&T> {
    items.first().filter(|_| items.len() == 1)
}

/// The meaning of a literal; an error suggests the word that it is another name for, or the closest one.
fn choose<K: ArgumentValue, T: Copy>(
    parsed: &ParsedArgument,
    words: &[(&str, T)],
    others: &[(&str, &str)],
) -> Result<T> {
    let Expr::Lit(ExprLit {
        lit: Lit::Str(literal),
        ..
    }) = expression::<K>(parsed)?
    else {
        return Err(wrong::<K>(parsed));
    };
    let word = literal.value();
    if let Some((_, choice)) = words.iter().find(|(name, _)| *name == word) {
        return Ok(*choice);
    }
    let meant = others.iter().find(|(name, _)| *name == word);
    let answer = match meant {
        Some((_, meant)) => Some(format!(", did you mean `{meant}`?")),
        None => did_you_mean(&word, words.iter().map(|(name, _)| *name)),
    };
    let answer = answer.unwrap_or_else(|| format!("; {}", message::<K>(parsed)));
    Err(Error::new(
        literal.span(),
        format!("unknown value {word:?} of `{}`{answer}", parsed.name),
    ))
}
