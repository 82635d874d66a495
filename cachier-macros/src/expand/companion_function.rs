//! The companion of a method: hidden functions, and one that returns the operations on its cache.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident};
use syn::{Generics, Ident};

use super::signature::OneLifetime;
use super::{attributes, code, dispatch, signature, site, stored};
use crate::model::Cached;

/// The names of the hidden functions, and where they are.
pub(super) struct Names {
    place: TokenStream,
    site: Ident,
    dispatch: Ident,
    pub(super) body: Ident,
    /// Tells the name of the method, where its code is in two places.
    pub(super) marker: Ident,
}

impl Names {
    /// The names beside the method.
    pub(super) fn of(cached: &Cached) -> Self {
        Self::at(cached, code!(Self))
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

/// The function that returns the operations.
#[derive(Clone)]
pub(super) struct Accessor {
    attributes: TokenStream,
    name: Ident,
    pub(super) generics: Generics,
    returned: TokenStream,
    body: TokenStream,
}

impl Accessor {
    /// `marker` is the expression of the method's name.
    pub(super) fn new(cached: &Cached, names: &Names, name: &Ident, marker: &TokenStream) -> Self {
        let krate = &cached.krate;
        let OneLifetime {
            lifetime,
            generics,
            types,
        } = OneLifetime::new(cached);
        let (returned, stored) = (cached.returned(), stored::stored(cached));
        let metered = if cached.has_metrics() {
            code!(Metered)
        } else {
            code!(Unmetered)
        };
        let this = cached.receiver.map(|_| code!(this,));
        let (site, dispatch) = (names.site(), names.dispatch());
        let names = signature::names(cached);
        let call = code!(#dispatch(#this operation, #names));
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
        Self {
            attributes: code! {
                #[doc = #line]
                #[must_use]
                #[allow(dead_code, clippy::type_complexity)]
            },
            name: name.clone(),
            generics,
            returned: code!(#krate::#cache #krate::__private::#metered>),
            body: code! {
                #krate::#constructor::new(
                    #site,
                    #marker,
                    |operation, (#this #names)| #call,
                )
            },
        }
    }

    /// The function, where it has this visibility.
    pub(super) fn function(&self, visibility: &impl ToTokens) -> TokenStream {
        let (declaration, body) = (self.signature(), &self.body);
        let attributes = &self.attributes;
        code!(#attributes #visibility #declaration { #body })
    }

    /// The function's declaration in a trait.
    pub(super) fn declaration(&self) -> TokenStream {
        let (attributes, declaration) = (&self.attributes, self.signature());
        code!(#attributes #declaration;)
    }

    fn signature(&self) -> TokenStream {
        let (name, returned) = (&self.name, &self.returned);
        let (generics, _, clause) = self.generics.split_for_impl();
        code!(fn #name #generics() -> #returned #clause)
    }
}
