//! Where a function is defined. Unless an attribute on the impl has shown it, the function's tokens decide.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;

use super::arguments::Arguments;
use crate::parse::{Function, has_word};
use crate::surroundings::Container;

/// Where a function is defined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Placement {
    /// In a module or a function.
    Free,
    /// In an impl: that has an attribute, or the function has a receiver, mentions `Self`, or declares `in_impl`.
    Associated,
    /// In an impl or a trait, as its file shows, but nothing says so.
    Undeclared,
}

impl Placement {
    pub(crate) fn of(arguments: &Arguments, function: &Function) -> Self {
        let is_declared = arguments.in_impl.as_ref().is_some_and(|flag| flag.value.0);
        let signature = &function.signature;
        if is_declared
            || function.within.is_some()
            || signature.receiver().is_some()
            || has_word(signature.to_token_stream(), &|word| word == "Self")
            || mentions_self(function.body.stream())
        {
            Self::Associated
        } else if function.surroundings.block.container == Container::Other {
            Self::Free
        } else {
            Self::Undeclared
        }
    }
}

/// Whether a body mentions `Self`, except in inner types and impls, which have their own.
fn mentions_self(tokens: TokenStream) -> bool {
    let mut in_own_item = false;
    for token in tokens {
        match token {
            TokenTree::Ident(word) => match word.to_string().as_str() {
                "impl" | "trait" | "struct" | "enum" => in_own_item = true,
                "Self" if !in_own_item => return true,
                _ => {}
            },
            TokenTree::Group(group) => {
                if !in_own_item && mentions_self(group.stream()) {
                    return true;
                }
                in_own_item &= group.delimiter() != Delimiter::Brace;
            }
            TokenTree::Punct(end) if end.as_char() == ';' => in_own_item = false,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn placement(arguments: &str, function: &str) -> Placement {
        let mut errors = crate::diagnostics::Errors::default();
        let written = crate::parse::arguments(arguments.parse().unwrap(), &mut errors);
        let arguments = Arguments::new(&written, &mut errors);
        Placement::of(
            &arguments,
            &crate::parse::function(function.parse().unwrap()).unwrap(),
        )
    }

    #[test]
    fn receiver_self_or_in_impl_mean_a_method() {
        assert_eq!(placement("", "fn f(&self) {}"), Placement::Associated);
        assert_eq!(
            placement("", "fn f() -> Self { todo!() }"),
            Placement::Associated
        );
        assert_eq!(
            placement("", "fn f(a: impl Into<u8>, b: Self) {}"),
            Placement::Associated
        );
        assert_eq!(
            placement("", "fn f() { vec![{ Self::g() }] }"),
            Placement::Associated
        );
        assert_eq!(placement("in_impl", "fn f() {}"), Placement::Associated);
        assert_eq!(placement("in_impl = false", "fn f() {}"), Placement::Free);
        assert_eq!(placement("", "fn f(a: u8) { a }"), Placement::Free);
    }

    #[test]
    fn self_of_inner_items_does_not_count() {
        let own = "fn f() { struct A(Box<Self>); struct B { next: Option<Box<Self>> } impl A { fn new() -> Self { Self } } }";
        assert_eq!(placement("", own), Placement::Free);
        let both = "fn f() { struct A; impl A { fn new() -> Self { Self } } Self::g() }";
        assert_eq!(placement("", both), Placement::Associated);
    }
}
