//! What stands beside a free function: an empty enum of its name, with the operations on its cache.

use proc_macro2::TokenStream;
use quote::format_ident;
use syn::Ident;

use super::{attributes, code, dispatch, signature, site, stored};
use crate::model::{Backend, BuiltIn, Cached, Typing};

/// The companion.
pub(super) fn companion(cached: &Cached, name: &Ident) -> TokenStream {
    let visibility = &cached.function.visibility;
    let attributes = attributes::of_companion(cached);
    let site = site::item(cached, &code!(fn __site()));
    let turbofish = signature::turbofish(cached);
    let dispatch = dispatch::function(
        cached,
        &format_ident!("__dispatch"),
        &code!(Self::__site()),
        &code!(Self::__body #turbofish),
    );
    let body = dispatch::body_function(cached, &format_ident!("__body"));
    let (metrics, operations, cache_dir) = (metrics(cached), operations(cached), cache_dir(cached));
    code! {
        #attributes
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code)]
        #visibility enum #name {}

        #attributes
        #[doc(hidden)]
        #[allow(dead_code, clippy::too_many_arguments, clippy::type_complexity, clippy::ptr_arg)]
        impl #name {
            #site
            #dispatch
            #body
            #metrics
            #operations
            #cache_dir
        }
    }
}

/// The operations that every companion has, as the runtime's macro writes them.
fn operations(cached: &Cached) -> TokenStream {
    let (krate, visibility) = (&cached.krate, &cached.function.visibility);
    let asyncness = &cached.function.signature.asyncness;
    let (generics, _, clause) = cached.function.signature.generics.split_for_impl();
    let (parameters, turbofish) = (signature::parameters(cached), signature::turbofish(cached));
    let (returned, stored, marker) = (cached.returned(), stored::stored(cached), marker(cached));
    code! {
        #krate::__operations! {
            [#visibility] [#asyncness] [#generics] [#turbofish] (#parameters) [#clause] [#returned] [#stored] [Self::__site()] [#marker]
        }
    }
}

fn metrics(cached: &Cached) -> Option<TokenStream> {
    let (krate, visibility, marker) = (&cached.krate, &cached.function.visibility, marker(cached));
    cached
        .has_metrics()
        .then(|| code!(#krate::__metrics! { [#visibility] Self::__site(), #marker }))
}

/// Where the file backend keeps the values, if that is the backend, or may be.
fn cache_dir(cached: &Cached) -> Option<TokenStream> {
    let (krate, visibility, marker) = (&cached.krate, &cached.function.visibility, marker(cached));
    let backend = cached
        .arguments
        .backend
        .as_ref()
        .map(|argument| &argument.value);
    matches!(backend, None | Some(Backend::BuiltIn(BuiltIn::File)))
        .then(|| code!(#krate::__cache_dir! { [#visibility] Self::__site(), #marker }))
}

/// What an erased site is told in place of type arguments, when all instantiations are meant.
fn marker(cached: &Cached) -> Option<TokenStream> {
    (cached.typing == Typing::Erased).then(|| match cached.is_generic() {
        true => code!("<_>"),
        false => code!(""),
    })
}
