//! The hidden function that passes an operation and the function's body to the runtime.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{Ident, ReceiverKind, Type};

use super::{arguments, attributes, code, returned, signature, site, stored};
use crate::model::{Cached, Parameter, Passing, is_static};

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
    let later = cached.is_next_time().then(|| in_background(cached, body));
    let later = later.map(|later| code!(, later #later));
    code!((#this #names) => (#inputs), #body(#inputs) #later)
}

/// The names of the inputs: `this` for the receiver, and the arguments.
fn inputs(cached: &Cached) -> TokenStream {
    let names = signature::names(cached);
    let this = cached.receiver.map(|_| code!(this,));
    code!(#this #names)
}

/// The body with owned arguments, for the background.
fn in_background(cached: &Cached, body: &TokenStream) -> TokenStream {
    let owned = cached.parameters.iter().filter_map(own);
    let borrowed = cached.parameters.iter().map(borrow);
    let (own_this, this) = own_receiver(cached).unzip();
    // A value that cannot go there is an error at the argument that asks for it.
    let asking = cached.arguments.next_time.as_ref();
    let span = asking.map_or_else(Span::call_site, |argument| argument.span());
    let span = span.resolved_at(Span::mixed_site());
    let run = match cached.is_async() {
        true => quote_spanned!(span=> async move { #body(#this #(#borrowed,)*).await }),
        false => quote_spanned!(span=> move || #body(#this #(#borrowed,)*)),
    };
    quote_spanned!(span=> { #own_this #(#owned)* #run })
}

/// The statement that turns a borrowed argument into an owned one.
fn own(parameter: &Parameter) -> Option<TokenStream> {
    let name = &parameter.name;
    match parameter.background_passing() {
        Passing::Value => None,
        Passing::Reference(_) => Some(code!(let #name = ::std::borrow::ToOwned::to_owned(#name);)),
        Passing::OptionalReference(_) => {
            Some(code!(let #name = #name.map(::std::borrow::ToOwned::to_owned);))
        }
    }
}

/// The owned argument as the function takes it.
fn borrow(parameter: &Parameter) -> TokenStream {
    let name = &parameter.name;
    match parameter.background_passing() {
        Passing::Value => code!(#name),
        Passing::Reference(_) => code!(&#name),
        Passing::OptionalReference(_) => code!(#name.as_ref().map(::core::borrow::Borrow::borrow)),
    }
}

/// The statement that makes the receiver owned, and the receiver for the call.
fn own_receiver(cached: &Cached) -> Option<(TokenStream, TokenStream)> {
    let receiver = cached.receiver?;
    let is_borrowed = match &receiver.kind {
        ReceiverKind::Reference(_, lifetime, _) => !is_static(lifetime.as_ref()),
        ReceiverKind::Typed(_, ty) => {
            matches!(&**ty, Type::Reference(reference) if !is_static(reference.lifetime.as_ref()))
        }
        _ => false,
    };
    Some(match is_borrowed {
        true => (
            code!(let this = ::std::borrow::ToOwned::to_owned(this);),
            code!(&this,),
        ),
        false => (TokenStream::new(), code!(this,)),
    })
}
