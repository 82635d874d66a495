//! The kinds of value that an argument can have, each read into a type that holds only sensible values.

use std::time::Duration;

use quote::ToTokens;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprClosure, ExprLit, Ident, Lit, LitStr, Pat, Path, Result, Token, UnOp};

use crate::diagnostics::did_you_mean;
use crate::parse::{self, Value, Written};

/// A kind of value.
pub(crate) trait Kind: Sized {
    /// What the value is, for "expects ...".
    const WHAT: &'static str;
    /// What follows the argument's name in a correct example.
    const EXAMPLE: &'static str;

    /// Reads the value of an argument; an error points at the token at fault.
    fn read(written: &Written) -> Result<Self>;
}

/// `next_time`, `next_time = false`.
pub(crate) struct Flag(pub(crate) bool);

/// `"10m"`, or an expression of type `Duration`.
pub(crate) enum Time {
    Known(Duration),
    Computed(Box<Expr>),
}

/// `"10KB"`, or an integer expression in bytes.
pub(crate) struct Size(pub(crate) Amount);

/// A number of entries.
pub(crate) struct Count(pub(crate) Amount);

/// A whole number that the macro knows, or an expression.
pub(crate) enum Amount {
    Known(u64),
    Computed(Box<Expr>),
}

/// A share between 0 and 1, or a constant expression of type `f64`.
pub(crate) enum Rate {
    Known(f64),
    Computed(Box<Expr>),
}

/// A name that is not empty.
pub(crate) struct Name(pub(crate) LitStr);

/// A folder: a string, or an expression that converts into a `PathBuf`.
pub(crate) struct Folder(pub(crate) Expr);

/// `|a, b| ...`: parameters named after the function's arguments.
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

/// What is to stand beside the function.
pub(crate) enum Companion {
    Absent,
    Named(Ident),
}

/// `crate = path`.
pub(crate) struct CratePath(pub(crate) Path);

impl Kind for Flag {
    const WHAT: &'static str = "nothing, `true` or `false`";
    const EXAMPLE: &'static str = "";

    fn read(written: &Written) -> Result<Self> {
        match literal(written) {
            Some(Lit::Bool(value)) => Ok(Self(value.value)),
            _ if matches!(written.value, Value::Nothing) => Ok(Self(true)),
            _ => Err(wrong::<Self>(written)),
        }
    }
}

impl Kind for Time {
    const WHAT: &'static str = "a duration with its unit";
    const EXAMPLE: &'static str = " = \"10m\"";

    fn read(written: &Written) -> Result<Self> {
        match expression::<Self>(written)? {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => parse::duration(&text.value())
                .map(Self::Known)
                .map_err(|problem| Error::new(text.span(), format!("not a duration: {problem}"))),
            Expr::Lit(_) | Expr::Closure(_) => Err(wrong::<Self>(written)),
            computed => Ok(Self::Computed(Box::new(computed.clone()))),
        }
    }
}

impl Kind for Size {
    const WHAT: &'static str = "a size";
    const EXAMPLE: &'static str = " = \"10MB\"";

    fn read(written: &Written) -> Result<Self> {
        match expression::<Self>(written)? {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => parse::size(&text.value())
                .map(|bytes| Self(Amount::Known(bytes)))
                .map_err(|problem| Error::new(text.span(), format!("not a size: {problem}"))),
            other => amount::<Self>(other, written).map(Self),
        }
    }
}

impl Kind for Count {
    const WHAT: &'static str = "a number of entries";
    const EXAMPLE: &'static str = " = 10_000";

    fn read(written: &Written) -> Result<Self> {
        amount::<Self>(expression::<Self>(written)?, written).map(Self)
    }
}

impl Kind for Rate {
    const WHAT: &'static str = "a share between 0 and 1";
    const EXAMPLE: &'static str = " = 0.1";

    fn read(written: &Written) -> Result<Self> {
        let rate = match expression::<Self>(written)? {
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
            Expr::Lit(_) | Expr::Closure(_) => return Err(wrong::<Self>(written)),
            computed => return Ok(Self::Computed(Box::new(computed.clone()))),
        };
        if (0.0..=1.0).contains(&rate) {
            Ok(Self::Known(rate))
        } else {
            Err(wrong::<Self>(written))
        }
    }
}

impl Kind for Name {
    const WHAT: &'static str = "a string that is not empty";
    const EXAMPLE: &'static str = " = \"users\"";

    fn read(written: &Written) -> Result<Self> {
        match literal(written) {
            Some(Lit::Str(text)) if !text.value().is_empty() => Ok(Self(text.clone())),
            _ => Err(wrong::<Self>(written)),
        }
    }
}

impl Kind for Folder {
    const WHAT: &'static str = "a folder";
    const EXAMPLE: &'static str = " = \"/var/cache/app\"";

    fn read(written: &Written) -> Result<Self> {
        match expression::<Self>(written)? {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) if text.value().is_empty() => Err(wrong::<Self>(written)),
            folder @ Expr::Lit(ExprLit {
                lit: Lit::Str(_), ..
            }) => Ok(Self(folder.clone())),
            Expr::Lit(_) | Expr::Closure(_) => Err(wrong::<Self>(written)),
            computed => Ok(Self(computed.clone())),
        }
    }
}

impl Kind for KeyClosure {
    const WHAT: &'static str = "a closure over the arguments that tell calls apart";
    const EXAMPLE: &'static str = " = |id, day| (*id, *day)";

    fn read(written: &Written) -> Result<Self> {
        closure::<Self>(written).map(Self)
    }
}

impl Kind for Predicate {
    const WHAT: &'static str = "a closure over the value";
    const EXAMPLE: &'static str = " = |value| !value.is_empty()";

    fn read(written: &Written) -> Result<Self> {
        let closure = closure::<Self>(written)?;
        match closure.inputs.len() {
            1 => Ok(Self(closure)),
            _ => Err(wrong::<Self>(written)),
        }
    }
}

impl Kind for Skipped {
    const WHAT: &'static str = "the names of arguments";
    const EXAMPLE: &'static str = "(connection)";

    fn read(written: &Written) -> Result<Self> {
        let Value::List { items, .. } = &written.value else {
            return Err(wrong::<Self>(written));
        };
        let read = Punctuated::<Ident, Token![,]>::parse_terminated_with;
        let any = <Ident as syn::ext::IdentExt>::parse_any;
        let names = (|input: syn::parse::ParseStream| read(input, any))
            .parse2(items.clone())
            .map_err(|error| Error::new(error.span(), message::<Self>(written)))?;
        if names.is_empty() {
            return Err(wrong::<Self>(written));
        }
        Ok(Self(names.into_iter().collect()))
    }
}

impl Kind for Version {
    const WHAT: &'static str = "`auto`, `none` or a number";
    const EXAMPLE: &'static str = " = 2";

    fn read(written: &Written) -> Result<Self> {
        match expression::<Self>(written)? {
            Expr::Lit(ExprLit {
                lit: Lit::Int(number),
                ..
            }) => number.base10_parse().map(Self::Fixed),
            Expr::Path(word) if word.path.is_ident("auto") => Ok(Self::Auto),
            Expr::Path(word) if word.path.is_ident("none") => Ok(Self::None),
            Expr::Path(word) => {
                let word = word.to_token_stream();
                let answer = did_you_mean(&word.to_string(), ["auto", "none"])
                    .unwrap_or_else(|| format!("; {}", message::<Self>(written)));
                Err(Error::new_spanned(
                    &word,
                    format!("unknown version `{word}`{answer}"),
                ))
            }
            _ => Err(wrong::<Self>(written)),
        }
    }
}

impl Kind for Companion {
    const WHAT: &'static str = "another name for the companion, or `false` for none";
    const EXAMPLE: &'static str = " = user_cache";

    fn read(written: &Written) -> Result<Self> {
        match expression::<Self>(written)? {
            Expr::Lit(ExprLit {
                lit: Lit::Bool(wanted),
                ..
            }) if !wanted.value => Ok(Self::Absent),
            Expr::Path(name) if name.path.get_ident().is_some() => {
                Ok(Self::Named(name.path.require_ident()?.clone()))
            }
            _ => Err(wrong::<Self>(written)),
        }
    }
}

impl Kind for CratePath {
    const WHAT: &'static str = "the path of the runtime crate";
    const EXAMPLE: &'static str = " = ::cachier";

    fn read(written: &Written) -> Result<Self> {
        match expression::<Self>(written)? {
            Expr::Path(path) if path.qself.is_none() => Ok(Self(path.path.clone())),
            _ => Err(wrong::<Self>(written)),
        }
    }
}

/// The error for a value of another kind.
pub(super) fn wrong<K: Kind>(written: &Written) -> Error {
    let message = message::<K>(written);
    match &written.value {
        Value::Nothing => Error::new(written.name.span(), message),
        Value::Expr(value) => Error::new_spanned(value, message),
        Value::List { parentheses, .. } => Error::new(*parentheses, message),
    }
}

pub(super) fn message<K: Kind>(written: &Written) -> String {
    let name = &written.name;
    format!(
        "`{name}` expects {}, such as `{name}{}`",
        K::WHAT,
        K::EXAMPLE
    )
}

/// The expression after `=`.
pub(super) fn expression<K: Kind>(written: &Written) -> Result<&Expr> {
    match &written.value {
        Value::Expr(value) => Ok(value),
        _ => Err(wrong::<K>(written)),
    }
}

fn literal(written: &Written) -> Option<&Lit> {
    match &written.value {
        Value::Expr(Expr::Lit(literal)) => Some(&literal.lit),
        _ => None,
    }
}

fn amount<K: Kind>(value: &Expr, written: &Written) -> Result<Amount> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number.base10_parse().map(Amount::Known),
        Expr::Lit(_) | Expr::Closure(_) | Expr::Unary(_) => Err(wrong::<K>(written)),
        computed => Ok(Amount::Computed(Box::new(computed.clone()))),
    }
}

fn closure<K: Kind>(written: &Written) -> Result<ExprClosure> {
    match expression::<K>(written)? {
        Expr::Closure(closure) => match &closure.asyncness {
            Some(token) => Err(Error::new(
                token.span,
                format!("`{}` cannot be async", written.name),
            )),
            None => Ok(closure.clone()),
        },
        _ => Err(wrong::<K>(written)),
    }
}

impl Skipped {
    /// Where a name stands in the list.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|skipped| skipped == name)
    }
}

impl KeyClosure {
    /// The parameters with the name of each; one that is more than a name has none.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&Pat, Option<&Ident>)> {
        self.0
            .inputs
            .iter()
            .map(|pattern| (pattern, named(pattern)))
    }
}

fn named(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(name) if name.subpat.is_none() => Some(&name.ident),
        Pat::Type(typed) => named(&typed.pat),
        _ => None,
    }
}
