//! Identifiers among tokens.

use proc_macro2::{Ident, TokenStream, TokenTree};

/// Whether any identifier, at any depth, satisfies a predicate.
pub(crate) fn has_word(tokens: TokenStream, is_meant: &impl Fn(&Ident) -> bool) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => is_meant(&word),
        TokenTree::Group(group) => has_word(group.stream(), is_meant),
        _ => false,
    })
}
