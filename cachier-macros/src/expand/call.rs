//! The wrapper that replaces the function: a lookup, and on a miss a call of the runtime.

use proc_macro2::{Delimiter, Group, TokenStream};

use super::quoting::code;
use super::{arguments, attributes, returned, signature, site};
use crate::model::Cached;

/// The wrapper of a function with separate site and dispatch items.
pub(super) fn wrapper(cached: &Cached, site: &TokenStream, dispatch: &TokenStream) -> TokenStream {
    let krate = &cached.krate;
    let lookup = lookup(cached, site);
    let (this, names) = (signature::this(cached), signature::names(cached));
    let (turbofish, wait) = (signature::turbofish(cached), wait(cached));
    around(
        cached,
        &code! {
            let lookup = #lookup;
            match lookup {
                #krate::__private::Lookup::Hit(value) => value,
                #krate::__private::Lookup::Miss(start) => {
                    let operation = #krate::__private::TypedRequest::first(start);
                    #dispatch #turbofish(#this operation, #names) #wait.value()
                }
            }
        },
    )
}

/// The user's function with another body.
pub(super) fn around(cached: &Cached, body: &TokenStream) -> TokenStream {
    let (attributes, visibility) = (attributes::of_wrapper(cached), &cached.function.visibility);
    let signature = signature::of_wrapper(cached);
    // Between the user's braces it is the user's function for lints, which pass over what a macro has made.
    let mut body = Group::new(Delimiter::Brace, body.clone());
    body.set_span(cached.function.body.span());
    code!(#attributes #visibility #signature #body)
}

/// `.await` in an async function.
pub(super) fn wait(cached: &Cached) -> Option<TokenStream> {
    cached.is_async().then(|| code!(.await))
}

/// The look at what can be had at once.
fn lookup(cached: &Cached, site: &TokenStream) -> TokenStream {
    let krate = &cached.krate;
    let (return_type, (key, arguments)) =
        (returned::return_type(cached), arguments::arguments(cached));
    let (typing, slot) = (site::typing(cached), site::slot(cached));
    code!(#krate::__lookup!(#typing #site, #return_type, [#key] #arguments, #slot))
}
