//! The attribute's arguments as syntax, before interpretation.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Error, Expr, Ident, LitStr, Result, Token, parenthesized, token};

use crate::diagnostics::Errors;

/// An argument: `name`, `name = value` or `name(items)`.
pub(crate) struct ParsedArgument {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

/// The part after an argument's name.
pub(crate) enum Value {
    Nothing,
    Expr(Expr),
    List {
        parentheses: Span,
        items: TokenStream,
    },
}

/// Parses all arguments, skipping those with errors so that the others still count.
pub(crate) fn arguments(tokens: TokenStream, errors: &mut Errors) -> Vec<ParsedArgument> {
    let read = |input: ParseStream| Ok(all(input, errors));
    // The parser consumes everything and never fails.
    read.parse2(tokens).unwrap_or_default()
}

fn all(input: ParseStream, errors: &mut Errors) -> Vec<ParsedArgument> {
    let mut written = Vec::new();
    while !input.is_empty() {
        match one(input) {
            Ok(argument) => written.push(argument),
            Err(error) => {
                errors.note::<()>(Err(error));
                skip_to_comma(input);
            }
        }
        if !input.is_empty() && input.parse::<Token![,]>().is_err() {
            errors.at(input.span(), "expected `,` between arguments");
            skip_to_comma(input);
            let _ = input.parse::<Token![,]>();
        }
    }
    written
}

fn one(input: ParseStream) -> Result<ParsedArgument> {
    let expected = "expected an argument, such as `stale_after = \"10m\"` or `next_time`";
    // `crate` is a keyword, and an argument.
    let name = Ident::parse_any(input).map_err(|error| {
        let text = input.fork().parse::<LitStr>().map(|text| text.value());
        let message = match text {
            Ok(name) if is_backend(&name) => {
                format!("the name of a backend comes after `backend =`: `backend = \"{name}\"`")
            }
            _ => expected.to_owned(),
        };
        Error::new(error.span(), message)
    })?;
    if input.peek(Token![:]) {
        let message = format!("the value of an argument comes after `=`: `{name} = ..`");
        return Err(Error::new(input.span(), message));
    }
    let value = if let Some(equals) = input.parse::<Option<Token![=]>>()? {
        Value::Expr(expression(input, &name, equals)?)
    } else if input.peek(token::Paren) {
        let items;
        let parentheses = parenthesized!(items in input);
        Value::List {
            parentheses: parentheses.span.join(),
            items: items.parse()?,
        }
    } else {
        Value::Nothing
    };
    Ok(ParsedArgument { name, value })
}

fn is_backend(name: &str) -> bool {
    ["memory", "file", "redis", "sql", "mongo", "s3"].contains(&name)
}

fn expression(input: ParseStream, name: &Ident, equals: Token![=]) -> Result<Expr> {
    if input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new(
            equals.span,
            format!("expected a value after `{name} =`"),
        ));
    }
    input.parse().map(ungrouped)
}

/// Unwraps the invisible group that a `macro_rules!` variable adds, and parentheses around a closure.
fn ungrouped(expr: Expr) -> Expr {
    match expr {
        Expr::Group(group) => ungrouped(*group.expr),
        Expr::Paren(paren) if matches!(*paren.expr, Expr::Closure(_)) => *paren.expr,
        expr => expr,
    }
}

fn skip_to_comma(input: ParseStream) {
    while !input.is_empty() && !input.peek(Token![,]) {
        // Not empty, so there is a token tree to skip.
        let _ = input.parse::<proc_macro2::TokenTree>();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(source: &str) -> (Vec<String>, Vec<(String, String)>) {
        let mut errors = Errors::default();
        let written = arguments(source.parse().unwrap(), &mut errors);
        let names = written
            .iter()
            .map(|argument| argument.name.to_string())
            .collect();
        (names, errors.described())
    }

    #[test]
    fn all_three_forms_are_read() {
        let (names, errors) =
            read("next_time, key = |a, b| (a, b), skip(c, d), crate = ::cachier,");
        assert_eq!(names, ["next_time", "key", "skip", "crate"]);
        assert!(errors.is_empty());
    }

    #[test]
    fn an_invalid_argument_does_not_hide_others() {
        let (names, errors) = read("stale_after =, \"x\", next_time, capacity = = 3, in_impl");
        assert_eq!(names, ["next_time", "in_impl"]);
        let expected = "expected an argument, such as `stale_after = \"10m\"` or `next_time`";
        let messages: Vec<_> = errors
            .iter()
            .map(|(message, at)| (message.as_str(), at.as_str()))
            .collect();
        assert_eq!(
            messages,
            [
                ("expected a value after `stale_after =`", "="),
                (expected, "\"x\""),
                ("expected an expression", "="),
            ]
        );
    }

    #[test]
    fn other_languages_forms_are_answered() {
        let (names, errors) = read("\"redis\", stale_after: \"1h\", in_impl");
        assert_eq!(names, ["in_impl"]);
        let messages: Vec<_> = errors
            .iter()
            .map(|(message, at)| (message.as_str(), at.as_str()))
            .collect();
        assert_eq!(
            messages,
            [
                (
                    "the name of a backend comes after `backend =`: `backend = \"redis\"`",
                    "\"redis\""
                ),
                (
                    "the value of an argument comes after `=`: `stale_after = ..`",
                    ":"
                ),
            ]
        );
    }

    #[test]
    fn a_missing_comma_is_reported_in_place() {
        let (names, errors) = read("next_time allow_none, in_impl");
        assert_eq!(names, ["next_time", "in_impl"]);
        assert_eq!(
            errors,
            [(
                "expected `,` between arguments".to_owned(),
                "allow_none".to_owned()
            )]
        );
    }
}
