//! The hidden function that passes an operation and the function's body to the runtime.

use proc_macro2::TokenStream;
use syn::Ident;

use super::quoting::code;
use super::{arguments, attributes, background, returned, signature, site, stored};
use crate::model::Cached;

pub(super) fn function(
    cached: &Cached,
    name: &Ident,
    site: &TokenStream,
    body: &TokenStream,
) -> TokenStream {
    let krate = &cached.krate;
    let (returned, stored) = (cached.returned(), stored::stored(cached));
    let asyncness = &cached.function.signature.asyncness;
    let (generics, _, clause) = cached.function.signature.generics.split_for_impl();
    let (receiver, parameters) = (signature::receiver(cached), signature::parameters(cached));
    // Cold and not inlined, which keeps misses out of the code of hits.
    let cold = (!cached.is_async()).then(|| code!(#[cold] #[inline(never)]));
    let spec = returned::spec(cached, &stored::agreeing_return_type(cached));
    let (typing, (key, arguments)) = (site::typing(cached), arguments::arguments(cached));
    let run = run(cached, body);
    code! {
        #krate::__dispatch! {
            #cold
            [#asyncness] #name [#generics] [#receiver] (#parameters) [#clause] [#returned] [#stored]
            #typing #site, #spec, [#key] #arguments, #run
        }
    }
}

/// The user's function under another name.
pub(super) fn body_function(cached: &Cached, name: &Ident) -> TokenStream {
    let (signature, body) = (&cached.function.signature, &cached.function.body);
    let attributes = attributes::of_body(cached);
    let (asyncness, output) = (&signature.asyncness, &signature.output);
    let (generics, _, clause) = signature.generics.split_for_impl();
    let receiver = cached.receiver.map(|receiver| code!(#receiver,));
    let patterns = signature::patterns(cached);
    // With the places of the user's own, or lints would pass over it.
    let (fn_token, mut name) = (signature.fn_token, name.clone());
    name.set_span(name.span().located_at(signature.ident.span()));
    code!(#attributes #asyncness #fn_token #name #generics(#receiver #patterns) #output #clause #body)
}

/// The body's inputs and how to run it now and, if possible, in the background, for the runtime's macro.
pub(super) fn run(cached: &Cached, body: &TokenStream) -> TokenStream {
    let (this, names) = (signature::this(cached), signature::names(cached));
    let inputs = inputs(cached);
    let later = cached
        .has_background()
        .then(|| background::later(cached, body));
    let later = later.map(|later| code!(, #later));
    code!((#this #names) => (#inputs), #body(#inputs) #later)
}

/// The names of the inputs: `this` for the receiver, and the arguments.
fn inputs(cached: &Cached) -> TokenStream {
    let names = signature::names(cached);
    let this = cached.receiver.map(|_| code!(this,));
    code!(#this #names)
}
