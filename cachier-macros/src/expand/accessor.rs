//! The function that returns the operations on the cache of a method.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Generics, Ident};

use super::hidden_names::Names;
use super::quoting::{code, krate_at};
use super::signature::OneLifetime;
use super::{signature, stored};
use crate::model::Cached;

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
        let folder = if cached.has_folder() {
            code!(InFolder)
        } else {
            code!(InNoFolder)
        };
        let this = cached.receiver.map(|_| code!(this,));
        let (site, dispatch) = (names.site(), names.dispatch());
        let names = signature::names(cached);
        let call = code!(#dispatch(#this operation, #names));
        let (cache, call) = match cached.is_async() {
            true => (
                code!(AsyncMethodCache<#lifetime, (#(#types,)*), #returned, #stored,),
                sent(cached, &call),
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
            returned: code!(#krate::#cache (#krate::__private::#metered, #krate::__private::#folder)>),
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

/// The future of an operation. One that cannot go to other threads is an error at the method's name.
fn sent(cached: &Cached, call: &TokenStream) -> TokenStream {
    let at = cached.function.signature.ident.span();
    let krate = krate_at(cached, at);
    let future = quote_spanned!(at.resolved_at(Span::mixed_site())=> async move { #call.await });
    quote_spanned!(at=> #krate::__private::in_companion(#future))
}
