//! The value of `refresh_after`.

use quote::ToTokens as _;
use syn::{Error, Expr, ExprLit, Ident, Lit, Result};

use super::values::{ArgumentValue, Time, computed, expression, message, wrong};
use crate::diagnostics::did_you_mean;
use crate::parse::{self, ParsedArgument};

/// `"8m"`, `"80%"`, `early`, or an expression of type `Duration` or `Share`; `auto` leaves it to the program's parameters, which
/// do not matter with `false`.
pub(crate) enum RefreshAfter {
    Auto,
    Never,
    Early,
    Age(Time),
    Share(u32),
}

impl ArgumentValue for RefreshAfter {
    const EXPECTED: &'static str =
        "expects a duration with its unit, a share of `stale_after`, `early`, `auto` or `false`";
    const EXAMPLE: &'static str = " = \"80%\"";

    fn parse(parsed: &ParsedArgument) -> Result<Self> {
        match expression::<Self>(parsed)? {
            Expr::Path(word) if word.path.is_ident("auto") => Ok(Self::Auto),
            Expr::Path(word) if word.path.is_ident("early") => Ok(Self::Early),
            // A constant has capital letters.
            Expr::Path(word) if word.path.get_ident().is_some_and(is_small) => {
                let word = word.to_token_stream();
                let answer = did_you_mean(&word.to_string(), ["auto", "early"])
                    .unwrap_or_else(|| format!("; {}", message::<Self>(parsed)));
                let message = format!("unknown time `{word}`{answer}");
                Err(Error::new_spanned(&word, message))
            }
            Expr::Lit(ExprLit {
                lit: Lit::Bool(word),
                ..
            }) if !word.value => Ok(Self::Never),
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) if ["auto", "early"].contains(&&*text.value()) => Err(wrong::<Self>(parsed)),
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) if text.value().ends_with('%') => parse::percentage(&text.value())
                .map(Self::Share)
                .map_err(|problem| Error::new(text.span(), format!("not a share: {problem}"))),
            Expr::Lit(ExprLit {
                lit: Lit::Str(_), ..
            }) => Time::parse(parsed).map(Self::Age),
            other => computed::<Self>(other, parsed).map(|age| Self::Age(Time::Computed(age))),
        }
    }
}

fn is_small(word: &Ident) -> bool {
    !word.to_string().contains(char::is_uppercase)
}
