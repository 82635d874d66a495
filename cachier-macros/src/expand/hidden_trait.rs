//! The hidden trait of an impl of a trait: a place for the hidden functions of cached methods, whatever the type.
//!
//! It extends the trait, so that associated types and methods mean in its impl what they mean in the user's.

use proc_macro2::TokenStream;
use syn::Ident;

use super::accessor::Accessor;
use super::expanded::{Expanded, Outside, OutsideCompanion};
use super::hidden_names::{Names, trait_path};
use super::quoting::code;
use super::{attributes, call, companion_function, signature};
use crate::model::Cached;
use crate::parse::Header;

/// The wrapper of a method, and the rest.
pub(super) fn method(cached: &Cached, header: &Header, companion: &Ident) -> Expanded {
    let names = Names::at(cached, trait_path(header));
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
