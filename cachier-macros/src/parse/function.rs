//! The annotated function: its signature as syntax, its body as tokens.

use std::rc::Rc;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, Error, Result, Signature, Token, Visibility};

use super::header::Header;
use crate::surroundings::{self, Surroundings};

/// A function with a body. The body is not parsed: incomplete code must expand, for editors.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Group,
    pub(crate) surroundings: Surroundings,
    /// The impl around it, if an attribute there has shown it.
    pub(crate) within: Option<Rc<Header>>,
}

/// Parses the annotated item.
///
/// # Errors
/// If it is not a function with a body.
pub(crate) fn function(item: TokenStream) -> Result<Function> {
    let function = Function::parse.parse2(item)?;
    let signature = &function.signature;
    let name = signature.ident.unraw().to_string();
    let surroundings = surroundings::of(&name, signature.fn_token.span);
    Ok(Function {
        surroundings,
        ..function
    })
}

/// Whether an attribute is this macro.
pub(crate) fn is_cachier(attribute: &Attribute) -> bool {
    attribute
        .path()
        .segments
        .last()
        .is_some_and(|segment| segment.ident == "cachier")
}

impl Function {
    pub(super) fn parse(input: ParseStream) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        if !starts_function(input) {
            return Err(Error::new(input.span(), not_a_function(input)));
        }
        let signature: Signature = input.parse()?;
        if let Some(end) = input.parse::<Option<Token![;]>>()? {
            return Err(Error::new(
                end.span,
                "`#[cachier]` needs a function with a body; annotate the methods of the impl",
            ));
        }
        let body = ungrouped(input.parse()?);
        Ok(Self {
            attributes,
            visibility,
            signature,
            body,
            surroundings: Surroundings::default(),
            within: None,
        })
    }
}

/// Unwraps the invisible group that a `macro_rules!` variable adds.
fn ungrouped(body: TokenTree) -> Group {
    match body {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut inside = group.stream().into_iter();
            match (inside.next(), inside.next()) {
                (Some(only), None) => ungrouped(only),
                _ => group,
            }
        }
        TokenTree::Group(group) => group,
        // The compiler allows nothing else in the place of a body.
        other => Group::new(Delimiter::Brace, other.into()),
    }
}

pub(super) fn starts_function(input: ParseStream) -> bool {
    let ahead = input.fork();
    ahead.parse::<Option<Token![const]>>().is_ok()
        && ahead.parse::<Option<Token![async]>>().is_ok()
        && ahead.parse::<Option<Token![unsafe]>>().is_ok()
        && ahead.parse::<Option<syn::Abi>>().is_ok()
        && ahead.peek(Token![fn])
}

fn not_a_function(input: ParseStream) -> &'static str {
    if input.peek(Token![impl]) || input.peek(Token![trait]) {
        "`#[cachier]` goes on a function; annotate each method that is to be cached"
    } else {
        "`#[cachier]` goes on a function"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn problem(source: &str) -> (String, String) {
        let error = function(source.parse().unwrap()).err().unwrap();
        (error.to_string(), error.span().source_text().unwrap())
    }

    #[test]
    fn an_incomplete_body_is_kept() {
        let function = function(
            "pub(crate) async fn f<T>(a: &T) -> u8 where T: Sized { let x = ; a. }"
                .parse()
                .unwrap(),
        );
        assert_eq!(function.unwrap().body.to_string(), "{ let x = ; a . }");
    }

    #[test]
    fn an_invisible_group_around_the_body_is_ignored() {
        let body = Group::new(Delimiter::None, "{ 3 }".parse().unwrap());
        let function = function(quote::quote!(fn f() -> u8 #body)).unwrap();
        assert_eq!(function.body.to_string(), "{ 3 }");
    }

    #[test]
    fn other_items_are_refused_where_they_start() {
        let on_function = "`#[cachier]` goes on a function".to_owned();
        assert_eq!(
            problem("pub struct S;"),
            (on_function.clone(), "struct".to_owned())
        );
        assert_eq!(
            problem("const X: u8 = 3;"),
            (on_function, "const".to_owned())
        );
        let each_method =
            "`#[cachier]` goes on a function; annotate each method that is to be cached".to_owned();
        assert_eq!(problem("impl S {}"), (each_method, "impl".to_owned()));
    }

    #[test]
    fn a_function_without_a_body_is_refused() {
        let message = "`#[cachier]` needs a function with a body; annotate the methods of the impl"
            .to_owned();
        assert_eq!(problem("fn f(&self) -> u8;"), (message, ";".to_owned()));
    }
}
