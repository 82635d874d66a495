//! The hidden trait of an impl of a trait: a place for the hidden functions of cached methods, whatever the type.
//!
//! It extends the trait, so that associated types and methods mean in its impl what they mean in the user's.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident};
use syn::{GenericParam, Ident};

use super::companion_function::{self, Accessor, Names};
use super::{Expanded, attributes, call, code, signature};
use crate::fingerprint::fingerprint;
use crate::model::Cached;
use crate::parse::Header;

/// What a method of a trait's impl has outside of that.
pub(crate) struct Outside {
    /// The attributes of each.
    pub(super) attributes: TokenStream,
    /// The hidden functions: their declarations and definitions.
    pub(super) declarations: TokenStream,
    pub(super) definitions: TokenStream,
    pub(super) companion: OutsideCompanion,
}

/// The companion of a method of a trait's impl.
pub(super) enum OutsideCompanion {
    Accessor(Accessor),
    /// Of a method with errors, under this name and of this type.
    Stub(Ident, TokenStream),
}

/// The wrapper of a method, and the rest.
pub(super) fn method(cached: &Cached, header: &Header, companion: &Ident) -> Expanded {
    let names = Names::at(cached, path(header));
    let item = call::wrapper(cached, &names.site(), &names.dispatch());
    // Outside, the signature's `Self` would be another trait's.
    let written_out = header.written_out(cached.function);
    let cached = &Cached::new(cached.arguments, &written_out, cached.package.clone());
    let marker = names.marker(cached);
    let definitions = companion_function::hidden(cached, &names);
    let name_function = name_function(cached, header, &names);
    let outside = Outside {
        attributes: attributes::of_companion(cached),
        declarations: companion_function::declarations(cached, &names),
        definitions: code!(#definitions #name_function),
        companion: OutsideCompanion::Accessor(Accessor::new(
            cached,
            &names,
            companion,
            &code!(#marker()),
        )),
    };
    Expanded {
        item,
        outside: Some(outside),
    }
}

/// The function that tells the name of the method, which all its code has in common.
fn name_function(cached: &Cached, header: &Header, names: &Names) -> TokenStream {
    let (krate, marker) = (&cached.krate, &names.marker);
    let attributes = attributes::of_companion(cached);
    let (generics, _, clause) = cached.function.signature.generics.split_for_impl();
    let (method, turbofish) = (
        &cached.function.signature.ident,
        signature::turbofish(cached),
    );
    let of_trait = header.of_trait.as_ref();
    code! {
        #attributes
        #[allow(clippy::extra_unused_lifetimes, clippy::extra_unused_type_parameters)]
        fn #marker #generics() -> &'static str #clause {
            #krate::__private::name_of(&<Self as #of_trait>::#method #turbofish)
        }
    }
}

/// The hidden trait's name, which tells impls of one module apart.
pub(super) fn name(header: &Header) -> Ident {
    let of_trait = header.of_trait.as_ref();
    let last = of_trait.and_then(|path| path.segments.last());
    let last = last.map(|last| last.ident.to_string()).unwrap_or_default();
    let (generics, ty) = (&header.generics, &header.self_type);
    let clause = &generics.where_clause;
    let hash = fingerprint(code!(#generics #of_trait #ty #clause));
    format_ident!("__Cachier{}_{hash:016x}", last.trim_start_matches("r#"))
}

/// The hidden trait of the type, in expressions.
pub(super) fn path(header: &Header) -> TokenStream {
    let (name, arguments) = (name(header), arguments(header));
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
