//! Words among tokens.

use proc_macro2::{Ident, TokenStream, TokenTree};

/// Whether one of the words, at whatever depth, is of a kind.
pub(crate) fn has_word(tokens: TokenStream, is_meant: &impl Fn(&Ident) -> bool) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => is_meant(&word),
        TokenTree::Group(group) => has_word(group.stream(), is_meant),
        _ => false,
    })
}
