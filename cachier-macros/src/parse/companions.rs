//! The arguments of `#[cachier::methods]`: where the companions of a trait's methods stand.

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser as _};
use syn::{Error, Ident, Result, Token, Visibility};

/// The visibility of the companions, and the extension trait that holds them: `pub(crate)`, `pub trait Name`.
#[derive(Default)]
pub(crate) struct Companions {
    pub(crate) visibility: Option<Visibility>,
    pub(crate) in_trait: Option<Ident>,
}

/// Parses the arguments of `#[cachier::methods]`.
///
/// # Errors
/// If they are anything else.
pub(crate) fn companions(arguments: TokenStream) -> Result<Companions> {
    read.parse2(arguments)
}

fn read(input: ParseStream) -> Result<Companions> {
    let visibility = match input.parse()? {
        Visibility::Inherited => None,
        visibility => Some(visibility),
    };
    let in_trait = match input.parse::<Option<Token![trait]>>()? {
        Some(_) => Some(input.parse()?),
        None => None,
    };
    match input.is_empty() {
        true => Ok(Companions {
            visibility,
            in_trait,
        }),
        false => Err(Error::new(
            input.span(),
            "expected nothing, a visibility such as `pub(crate)`, or an extension trait such as `pub trait MyTypeCaches`; \
             what is to be cached, and how, `#[cachier(..)]` says on each method",
        )),
    }
}
