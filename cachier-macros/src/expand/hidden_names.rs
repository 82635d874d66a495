//! The names of what is generated for a method: hidden functions, and for a trait's impl a hidden trait.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote_spanned};
use syn::{GenericParam, Ident};

use super::quoting::code;
use super::signature;
use crate::fingerprint::fingerprint;
use crate::model::Cached;
use crate::parse::Header;

/// The names of the hidden functions, and where they are.
pub(super) struct Names {
    pub(super) place: TokenStream,
    pub(super) site: Ident,
    pub(super) dispatch: Ident,
    pub(super) body: Ident,
    /// Tells the name of the method, where its code is in two places.
    pub(super) marker: Ident,
}

impl Names {
    /// The names next to the method.
    pub(super) fn of(cached: &Cached) -> Self {
        // Outside of an impl, `Self` is an error at what has claimed one.
        let claim = cached.arguments.in_impl.as_ref();
        let span = claim.map_or_else(Span::call_site, |argument| argument.span());
        Self::at(
            cached,
            quote_spanned!(span.resolved_at(Span::mixed_site())=> Self),
        )
    }

    pub(super) fn at(cached: &Cached, place: TokenStream) -> Self {
        let method = &cached.function.signature.ident;
        Self {
            place,
            site: format_ident!("__cachier_{method}_site"),
            dispatch: format_ident!("__cachier_{method}"),
            body: format_ident!("__cachier_{method}_body"),
            marker: format_ident!("__cachier_{method}_name"),
        }
    }

    /// The expression of the site.
    pub(super) fn site(&self) -> TokenStream {
        let (place, site) = (&self.place, &self.site);
        code!(#place::#site())
    }

    /// The path of the dispatching function.
    pub(super) fn dispatch(&self) -> TokenStream {
        let (place, dispatch) = (&self.place, &self.dispatch);
        code!(#place::#dispatch)
    }

    /// The path of the function that tells the method's name.
    pub(super) fn marker(&self, cached: &Cached) -> TokenStream {
        let (place, marker, turbofish) = (&self.place, &self.marker, signature::turbofish(cached));
        code!(#place::#marker #turbofish)
    }
}

/// The hidden trait's name, which tells impls of one module apart.
pub(super) fn trait_name(header: &Header) -> Ident {
    let of_trait = header.of_trait.as_ref();
    let last = of_trait.and_then(|path| path.segments.last());
    let last = last.map(|last| last.ident.to_string()).unwrap_or_default();
    let (generics, ty) = (&header.generics, &header.self_type);
    let clause = &generics.where_clause;
    let hash = fingerprint(code!(#generics #of_trait #ty #clause));
    format_ident!("__Cachier{}_{hash:016x}", last.trim_start_matches("r#"))
}

/// The hidden trait of the type, in expressions.
pub(super) fn trait_path(header: &Header) -> TokenStream {
    let (name, arguments) = (trait_name(header), arguments(header));
    code!(<Self as #name #arguments>)
}

/// The impl's parameters as arguments in an expression, where lifetimes may have no names.
fn arguments(header: &Header) -> TokenStream {
    let arguments = header.generics.params.iter().map(|param| match param {
        GenericParam::Lifetime(_) => code!('_),
        GenericParam::Type(param) => param.ident.to_token_stream(),
        GenericParam::Const(param) => param.ident.to_token_stream(),
    });
    let arguments: Vec<_> = arguments.collect();
    match arguments.is_empty() {
        true => TokenStream::new(),
        false => code!(<#(#arguments),*>),
    }
}
