//! The companion of a method: hidden functions, and one that returns the operations on its cache.

use proc_macro2::TokenStream;
use syn::Ident;

use super::accessor::Accessor;
use super::hidden_names::Names;
use super::quoting::code;
use super::{attributes, dispatch, signature, site, stored};
use crate::model::Cached;

/// All generated items next to the method.
pub(super) fn siblings(cached: &Cached, names: &Names, companion: &Ident) -> TokenStream {
    let attributes = attributes::of_companion(cached);
    let hidden = hidden(cached, names);
    let krate = &cached.krate;
    let marker = code!(#krate::__private::name_of(&|| ()));
    let accessor = Accessor::new(cached, names, companion, &marker);
    let accessor = accessor.function(&cached.function.visibility);
    code!(#hidden #attributes #accessor)
}

/// The hidden functions.
pub(super) fn hidden(cached: &Cached, names: &Names) -> TokenStream {
    let (place, body) = (&names.place, &names.body);
    let turbofish = signature::turbofish(cached);
    let attributes = attributes::of_companion(cached);
    let site = &names.site;
    let static_item = site::item(cached, &code!(fn #site()));
    let dispatch_function = dispatch::function(
        cached,
        &names.dispatch,
        &names.site(),
        &code!(#place::#body #turbofish),
    );
    let body_function = dispatch::body_function(cached, body);
    code! {
        #attributes #static_item
        #attributes #dispatch_function
        #attributes #[doc(hidden)] #[allow(clippy::too_many_arguments, clippy::type_complexity)] #body_function
    }
}

/// The declarations of the hidden functions, for a trait.
pub(super) fn declarations(cached: &Cached, names: &Names) -> TokenStream {
    let krate = &cached.krate;
    let attributes = attributes::of_companion(cached);
    let Names {
        site,
        dispatch,
        body,
        marker,
        ..
    } = names;
    let signature = &cached.function.signature;
    let (asyncness, output) = (&signature.asyncness, &signature.output);
    let (generics, _, clause) = signature.generics.split_for_impl();
    let (receiver, parameters) = (signature::receiver(cached), signature::parameters(cached));
    let (returned, stored) = (cached.returned(), stored::stored(cached));
    code! {
        #attributes fn #site() -> &'static #krate::__private::ErasedSite;
        #attributes fn #marker #generics() -> &'static str #clause;
        #attributes #asyncness fn #dispatch #generics(
            #receiver operation: #krate::__private::TypedRequest<#stored>, #parameters
        ) -> #krate::__private::TypedResponse<#returned, #stored> #clause;
        #attributes #asyncness fn #body #generics(#receiver #parameters) #output #clause;
    }
}
