//! The companion of a method: hidden functions, and one that returns the operations on its cache.

use proc_macro2::TokenStream;
use quote::format_ident;
use syn::Ident;

use super::signature::OneLifetime;
use super::{attributes, code, dispatch, signature, site, stored};
use crate::model::Cached;

/// The names of the hidden functions.
pub(super) struct Names {
    pub(super) site: Ident,
    pub(super) dispatch: Ident,
    body: Ident,
}

impl Names {
    pub(super) fn of(cached: &Cached) -> Self {
        let method = &cached.function.signature.ident;
        Self {
            site: format_ident!("__cachier_{method}_site"),
            dispatch: format_ident!("__cachier_{method}"),
            body: format_ident!("__cachier_{method}_body"),
        }
    }
}

/// All generated items next to the method.
pub(super) fn siblings(cached: &Cached, names: &Names, companion: &Ident) -> TokenStream {
    let Names {
        site,
        dispatch,
        body,
    } = names;
    let turbofish = signature::turbofish(cached);
    let attributes = attributes::of_companion(cached);
    let static_item = site::item(cached, &code!(fn #site()));
    let dispatch_function = dispatch::function(
        cached,
        dispatch,
        &code!(Self::#site()),
        &code!(Self::#body #turbofish),
    );
    let body_function = dispatch::body_function(cached, body);
    let companion = accessor(cached, names, companion);
    code! {
        #attributes #static_item
        #attributes #dispatch_function
        #attributes #[doc(hidden)] #[allow(clippy::too_many_arguments, clippy::type_complexity)] #body_function
        #attributes #companion
    }
}

/// The function that returns the operations.
fn accessor(cached: &Cached, names: &Names, name: &Ident) -> TokenStream {
    let (krate, visibility) = (&cached.krate, &cached.function.visibility);
    let Names { site, dispatch, .. } = names;
    let OneLifetime {
        lifetime,
        generics,
        types,
    } = OneLifetime::new(cached);
    let (generics, _, clause) = generics.split_for_impl();
    let (returned, stored) = (cached.returned(), stored::stored(cached));
    let metered = if cached.has_metrics() {
        code!(Metered)
    } else {
        code!(Unmetered)
    };
    let this = cached.receiver.map(|_| code!(this,));
    let names = signature::names(cached);
    let call = code!(Self::#dispatch(#this operation, #names));
    let (cache, call) = match cached.is_async() {
        true => (
            code!(AsyncMethodCache<#lifetime, (#(#types,)*), #returned, #stored,),
            code!(::std::boxed::Box::pin(#call)),
        ),
        false => (code!(MethodCache<(#(#types,)*), #returned, #stored,), call),
    };
    let constructor = if cached.is_async() {
        code!(AsyncMethodCache)
    } else {
        code!(MethodCache)
    };
    let line = format!(
        "The operations on the cache of `{}`.",
        cached.function.signature.ident
    );
    code! {
        #[doc = #line]
        #[must_use]
        #[allow(dead_code, clippy::type_complexity)]
        #visibility fn #name #generics() -> #krate::#cache #krate::__private::#metered> #clause {
            #krate::#constructor::new(
                Self::#site(),
                #krate::__private::name_of(&|| ()),
                |operation, (#this #names)| #call,
            )
        }
    }
}
