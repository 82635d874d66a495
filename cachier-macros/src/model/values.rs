//! The types of arguments' values; all their values are valid.

use std::time::Duration;

use quote::ToTokens;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::{
    Error, Expr, ExprClosure, ExprLit, Ident, Lit, LitInt, LitStr, Path, Result, Token, UnOp,
};

use super::computed::is_of_literals;
use crate::diagnostics::did_you_mean;
use crate::parse::{self, ParsedArgument, Value};

/// A type of argument value.
pub(crate) trait ArgumentValue: Sized {
    /// What it takes: the text after the argument's name in an error.
    const EXPECTED: &'static str;
    /// The text after the argument's name in a correct example.
    const EXAMPLE: &'static str;

    /// Parses an argument's value; an error has the span of the offending token.
    fn parse(parsed: &ParsedArgument) -> Result<Self>;
}

/// `next_time`, `next_time = false`.
pub(crate) struct Flag(pub(crate) bool);

/// `next_time`, `next_time = false`, `next_time = auto`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    Never,
    On,
    /// The program's parameters decide.
    Auto,
}

/// `"10m"`, or an expression of type `Duration`.
pub(crate) enum Time {
    Known(Duration),
    Computed(Box<Expr>),
}

/// A duration for all values, or `|value| ...` for each its own.
pub(crate) enum Age {
    OfAll(Time),
    OfEach(Box<ExprClosure>),
}

/// `"10%"`, or an expression of type `Share`.
pub(crate) enum Percentage {
    /// In millionths.
    Known(u32),
    Computed(Box<Expr>),
}

/// `"10KB"`, or an integer expression in bytes.
pub(crate) struct Size(pub(crate) Amount);

/// A number of entries.
pub(crate) struct Count(pub(crate) Amount);

/// An integer known to the macro, or an expression.
pub(crate) enum Amount {
    Known(u64),
    Computed(Box<Expr>),
}

/// `auto`, a number between 0 and 1, or a constant expression of type `f64`.
pub(crate) enum Rate {
    Auto,
    Known(f64),
    Computed(Box<Expr>),
}

/// A nonempty name.
pub(crate) struct Name(pub(crate) LitStr);

/// A folder: a string, or an expression that converts into a `PathBuf`.
pub(crate) struct Folder(pub(crate) Expr);

/// `|a, b| ...`: parameters that stand for arguments of the function.
pub(crate) struct KeyClosure(pub(crate) ExprClosure);

/// `|value| ...`.
pub(crate) struct Predicate(pub(crate) ExprClosure);

/// `skip(a, self)`.
pub(crate) struct Skipped(pub(crate) Vec<Ident>);

/// `auto`, `none` or a number.
pub(crate) enum Version {
    Auto,
    None,
    Fixed(u64),
}

/// The companion's name, or `false` for none.
pub(crate) enum Companion {
    Absent,
    Named(Ident),
}

/// `crate = path`.
pub(crate) struct CratePath(pub(crate) Path);

impl ArgumentValue for Flag {
    const EXPECTED: &'static str = "stands alone or takes `true` or `false`";
    const EXAMPLE: &'static str = " = true";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        match literal(parsed) {
            Some(Lit::Bool(value)) => Ok(Self(value.value)),
            _ if matches!(parsed.value, Value::Nothing) => Ok(Self(true)),
            _ => Err(wrong::<Self>(parsed)),
        }
    }
}

impl ArgumentValue for Switch {
    const EXPECTED: &'static str = "stands alone or takes `true`, `false` or `auto`";
    const EXAMPLE: &'static str = " = true";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        match &parsed.value {
            Value::Expr(Expr::Path(word)) if word.path.is_ident("auto") => Ok(Self::Auto),
            _ => match Flag::parse(parsed) {
                Ok(Flag(true)) => Ok(Self::On),
                Ok(Flag(false)) => Ok(Self::Never),
                Err(_) => Err(wrong::<Self>(parsed)),
            },
        }
    }
}

impl ArgumentValue for Time {
    const EXPECTED: &'static str = "expects a duration with its unit";
    const EXAMPLE: &'static str = " = \"10m\"";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        match expression::<Self>(parsed)? {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => parse::duration(&text.value())
                .map(Self::Known)
                .map_err(|problem| Error::new(text.span(), format!("not a duration: {problem}"))),
            other => computed::<Self>(other, parsed).map(Self::Computed),
        }
    }
}

impl ArgumentValue for Age {
    const EXPECTED: &'static str =
        "expects a duration with its unit, or a closure from the value to a duration";
    const EXAMPLE: &'static str = " = \"10m\"";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        match expression::<Self>(parsed)? {
            Expr::Closure(_) => match closure::<Self>(parsed)? {
                closure if closure.inputs.len() == 1 => Ok(Self::OfEach(Box::new(closure))),
                _ => Err(wrong::<Self>(parsed)),
            },
            Expr::Lit(ExprLit {
                lit: Lit::Str(_), ..
            }) => Time::parse(parsed).map(Self::OfAll),
            other => computed::<Self>(other, parsed).map(|time| Self::OfAll(Time::Computed(time))),
        }
    }
}

impl ArgumentValue for Percentage {
    const EXPECTED: &'static str =
        "expects a percentage in quotes, of at most \"100%\", or a constant of type `Share`";
    const EXAMPLE: &'static str = " = \"10%\"";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        match expression::<Self>(parsed)? {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => parse::percentage(&text.value())
                .map(Self::Known)
                .map_err(|problem| Error::new(text.span(), format!("not a share: {problem}"))),
            other => computed::<Self>(other, parsed).map(Self::Computed),
        }
    }
}

impl ArgumentValue for Size {
    const EXPECTED: &'static str = "expects a size";
    const EXAMPLE: &'static str = " = \"10MB\"";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        match expression::<Self>(parsed)? {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => parse::size(&text.value())
                .map(|bytes| Self(Amount::Known(bytes)))
                .map_err(|problem| Error::new(text.span(), format!("not a size: {problem}"))),
            other => amount::<Self>(other, parsed).map(Self),
        }
    }
}

impl ArgumentValue for Count {
    const EXPECTED: &'static str = "expects a number of entries";
    const EXAMPLE: &'static str = " = 10_000";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        amount::<Self>(expression::<Self>(parsed)?, parsed).map(Self)
    }
}

impl ArgumentValue for Rate {
    const EXPECTED: &'static str = "expects `auto` or a share between 0 and 1";
    const EXAMPLE: &'static str = " = 0.1";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        let rate = match expression::<Self>(parsed)? {
            Expr::Lit(ExprLit {
                lit: Lit::Float(rate),
                ..
            }) => rate.base10_parse()?,
            Expr::Lit(ExprLit {
                lit: Lit::Int(rate),
                ..
            }) => rate.base10_parse()?,
            Expr::Unary(unary)
                if matches!((&unary.op, &*unary.expr), (UnOp::Neg(_), Expr::Lit(_))) =>
            {
                -1.0
            }
            Expr::Path(word) if word.path.is_ident("auto") => return Ok(Self::Auto),
            Expr::Lit(_) | Expr::Closure(_) => return Err(wrong::<Self>(parsed)),
            computed => return Ok(Self::Computed(Box::new(computed.clone()))),
        };
        if (0.0..=1.0).contains(&rate) {
            Ok(Self::Known(rate))
        } else {
            Err(wrong::<Self>(parsed))
        }
    }
}

impl ArgumentValue for Name {
    const EXPECTED: &'static str = "expects a string that is not empty";
    const EXAMPLE: &'static str = " = \"users\"";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        match literal(parsed) {
            Some(Lit::Str(text)) if !text.value().is_empty() => Ok(Self(text.clone())),
            _ => Err(wrong::<Self>(parsed)),
        }
    }
}

impl ArgumentValue for Folder {
    const EXPECTED: &'static str = "expects a folder";
    const EXAMPLE: &'static str = " = \"/var/cache/app\"";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        match expression::<Self>(parsed)? {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) if text.value().is_empty() => Err(wrong::<Self>(parsed)),
            folder @ Expr::Lit(ExprLit {
                lit: Lit::Str(_), ..
            }) => Ok(Self(folder.clone())),
            Expr::Lit(_) | Expr::Closure(_) => Err(wrong::<Self>(parsed)),
            computed => Ok(Self(computed.clone())),
        }
    }
}

impl ArgumentValue for KeyClosure {
    const EXPECTED: &'static str = "expects a closure over the arguments that tell calls apart";
    const EXAMPLE: &'static str = " = |id, day| (id, day)";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        closure::<Self>(parsed).map(Self)
    }
}

impl ArgumentValue for Predicate {
    const EXPECTED: &'static str = "expects a closure over the value";
    const EXAMPLE: &'static str = " = |value| !value.is_empty()";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        let closure = closure::<Self>(parsed)?;
        match closure.inputs.len() {
            1 => Ok(Self(closure)),
            _ => Err(wrong::<Self>(parsed)),
        }
    }
}

impl ArgumentValue for Skipped {
    const EXPECTED: &'static str = "expects the names of arguments";
    const EXAMPLE: &'static str = "(connection)";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        let Value::List { items, .. } = &parsed.value else {
            return Err(wrong::<Self>(parsed));
        };
        let read = Punctuated::<Ident, Token![,]>::parse_terminated_with;
        let any = <Ident as syn::ext::IdentExt>::parse_any;
        let names = (|input: syn::parse::ParseStream| read(input, any))
            .parse2(items.clone())
            .map_err(|error| Error::new(error.span(), message::<Self>(parsed)))?;
        if names.is_empty() {
            return Err(wrong::<Self>(parsed));
        }
        Ok(Self(names.into_iter().collect()))
    }
}

impl ArgumentValue for Version {
    const EXPECTED: &'static str = "expects `auto`, `none` or a number";
    const EXAMPLE: &'static str = " = 2";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        match expression::<Self>(parsed)? {
            Expr::Lit(ExprLit {
                lit: Lit::Int(number),
                ..
            }) => whole(number, parsed).map(Self::Fixed),
            Expr::Path(word) if word.path.is_ident("auto") => Ok(Self::Auto),
            Expr::Path(word) if word.path.is_ident("none") => Ok(Self::None),
            Expr::Path(word) => {
                let word = word.to_token_stream();
                let answer = did_you_mean(&word.to_string(), ["auto", "none"])
                    .unwrap_or_else(|| format!("; {}", message::<Self>(parsed)));
                Err(Error::new_spanned(
                    &word,
                    format!("unknown version `{word}`{answer}"),
                ))
            }
            _ => Err(wrong::<Self>(parsed)),
        }
    }
}

impl ArgumentValue for Companion {
    const EXPECTED: &'static str = "expects another name for the companion, or `false` for none";
    const EXAMPLE: &'static str = " = user_cache";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        match expression::<Self>(parsed)? {
            Expr::Lit(ExprLit {
                lit: Lit::Bool(wanted),
                ..
            }) if !wanted.value => Ok(Self::Absent),
            Expr::Path(name) if name.path.get_ident().is_some() => {
                Ok(Self::Named(name.path.require_ident()?.clone()))
            }
            _ => Err(wrong::<Self>(parsed)),
        }
    }
}

impl ArgumentValue for CratePath {
    const EXPECTED: &'static str = "expects the path of the runtime crate";
    const EXAMPLE: &'static str = " = ::cachier";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        match expression::<Self>(parsed)? {
            Expr::Path(path) if path.qself.is_none() => Ok(Self(path.path.clone())),
            _ => Err(wrong::<Self>(parsed)),
        }
    }
}

/// The error for a value of the wrong type.
pub(super) fn wrong<K: ArgumentValue>(parsed: &ParsedArgument) -> Error {
    let message = message::<K>(parsed);
    match &parsed.value {
        Value::Nothing => Error::new(parsed.name.span(), message),
        Value::Expr(value) => Error::new_spanned(value, message),
        Value::List { parentheses, .. } => Error::new(*parentheses, message),
    }
}

pub(super) fn message<K: ArgumentValue>(parsed: &ParsedArgument) -> String {
    let name = &parsed.name;
    format!(
        "`{name}` {}, for example `{name}{}`",
        K::EXPECTED,
        K::EXAMPLE
    )
}

/// The expression after `=`.
pub(super) fn expression<K: ArgumentValue>(parsed: &ParsedArgument) -> Result<&Expr> {
    match &parsed.value {
        Value::Expr(value) => Ok(value),
        _ => Err(wrong::<K>(parsed)),
    }
}

fn literal(parsed: &ParsedArgument) -> Option<&Lit> {
    match &parsed.value {
        Value::Expr(Expr::Lit(literal)) => Some(&literal.lit),
        _ => None,
    }
}

fn amount<K: ArgumentValue>(value: &Expr, parsed: &ParsedArgument) -> Result<Amount> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => whole(number, parsed).map(Amount::Known),
        Expr::Lit(_) | Expr::Closure(_) => Err(wrong::<K>(parsed)),
        Expr::Unary(number) if is_of_literals(&number.expr) => Err(wrong::<K>(parsed)),
        computed => Ok(Amount::Computed(Box::new(computed.clone()))),
    }
}

/// An expression that may have a type of its own, unlike a closure or a calculation with mere numbers.
pub(super) fn computed<K: ArgumentValue>(
    value: &Expr,
    parsed: &ParsedArgument,
) -> Result<Box<Expr>> {
    match value {
        Expr::Closure(_) => Err(wrong::<K>(parsed)),
        value if is_of_literals(value) => Err(wrong::<K>(parsed)),
        value => Ok(Box::new(value.clone())),
    }
}

/// A whole number, as far as it has 64 bits.
fn whole(number: &LitInt, parsed: &ParsedArgument) -> Result<u64> {
    number.base10_parse().map_err(|_| {
        let name = &parsed.name;
        let message = format!("`{name}` is too large: the limit is 2^64 - 1");
        Error::new(number.span(), message)
    })
}

fn closure<K: ArgumentValue>(parsed: &ParsedArgument) -> Result<ExprClosure> {
    match expression::<K>(parsed)? {
        Expr::Closure(closure) => match &closure.asyncness {
            Some(token) => Err(Error::new(
                token.span,
                format!("`{}` cannot be async", parsed.name),
            )),
            None => Ok(closure.clone()),
        },
        _ => Err(wrong::<K>(parsed)),
    }
}

impl Skipped {
    /// Whether the list contains a name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|skipped| skipped == name)
    }
}
