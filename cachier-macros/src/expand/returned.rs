//! What the function returns, and what is done with it.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::ReturnType;
use syn::spanned::Spanned as _;

use super::{code, krate_at};
use crate::model::{Cached, Store};

/// Where to point when something is wrong with the return type.
pub(super) fn place(cached: &Cached) -> Span {
    let span = match &cached.function.signature.output {
        ReturnType::Default => cached.function.signature.ident.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    span.resolved_at(Span::mixed_site())
}

/// The expression of the return type's shape.
pub(super) fn shape(cached: &Cached) -> TokenStream {
    let (place, returned) = (place(cached), cached.returned());
    let krate = krate_at(cached, place);
    let allow_none = cached.allows_none().then(|| code!(; allow_none));
    quote_spanned!(place=> #krate::__shape!(#returned #allow_none))
}

/// The statements that make `recipe` of `shape`.
pub(super) fn recipe(cached: &Cached) -> TokenStream {
    let (krate, a) = (&cached.krate, cached.arguments);
    let cache_if = a.cache_if.as_ref().map(|given| {
        let closure = &given.value.0;
        code!(recipe.cache_if = #krate::__private::Option::Some(#closure);)
    });
    let must_measure = a.capacity_bytes.is_some() || a.entry_size_limit.is_some();
    let measure = (cached.store == Store::Memory).then(|| match must_measure {
        true => code!(recipe.measure = #krate::__private::measured(shape);),
        false => code!(recipe.measure = #krate::__measure!(shape);),
    });
    let propagates = a
        .on_backend_error
        .as_ref()
        .is_some_and(|given| given.value == crate::model::OnBackendError::Propagate);
    let propagate =
        propagates.then(|| code!(recipe.propagate = #krate::__private::propagating(shape);));
    let mutable = (cache_if.is_some() || measure.is_some() || propagates).then(|| code!(mut));
    code! {
        let #mutable recipe = #krate::__private::Recipe::new(shape);
        #cache_if #measure #propagate
    }
}
