//! The hidden function that carries an operation to the runtime, and the function's body with it.

use proc_macro2::TokenStream;
use syn::{Ident, ReceiverKind, Type};

use super::{arguments, attributes, code, returned, signature, site, stored};
use crate::model::{Cached, Parameter, Passing};

/// The dispatching function.
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
    let statements = statements(cached, site, body);
    // Apart from the function, so that a hit drags nothing of a miss along.
    let apart = (!cached.is_async()).then(|| code!(#[cold] #[inline(never)]));
    code! {
        #apart
        #[allow(clippy::too_many_arguments, clippy::type_complexity, clippy::ptr_arg, clippy::used_underscore_binding)]
        #asyncness fn #name #generics(
            #receiver operation: #krate::__private::Operation<#stored>, #parameters
        ) -> #krate::__private::Reply<#returned, #stored> #clause {
            #statements
        }
    }
}

/// The function itself, under another name.
pub(super) fn body_function(cached: &Cached, name: &Ident) -> TokenStream {
    let (signature, body) = (&cached.function.signature, &cached.function.body);
    let attributes = attributes::of_body(cached);
    let (asyncness, output) = (&signature.asyncness, &signature.output);
    let (generics, _, clause) = signature.generics.split_for_impl();
    let receiver = cached.receiver.map(|receiver| code!(#receiver,));
    let patterns = signature::patterns(cached);
    code!(#attributes #asyncness fn #name #generics(#receiver #patterns) #output #clause #body)
}

fn statements(cached: &Cached, site: &TokenStream, body: &TokenStream) -> TokenStream {
    let (shape, recipe, arguments) = (
        stored::agreeing_shape(cached),
        returned::recipe(cached),
        arguments::arguments(cached),
    );
    let site = site::resolved(cached, site);
    let later = cached.is_next_time().then(|| later(cached, body));
    let carried = carried(cached, &given(cached), &now(cached, body), later.as_ref());
    let this = cached.receiver.map(|receiver| receiver.self_token);
    let this = this.map(|this| code!(let this = #this;));
    code! {
        let shape = #shape;
        #recipe
        let prepared = {
            #arguments
            #site.prepare(shape, operation, &arguments)
        };
        #this
        #carried
    }
}

/// The call of the runtime with `recipe`, `prepared` and the function, for now or for the background.
///
/// The body of a synchronous function reaches the runtime without its type, so what it is given is handed over inside.
pub(super) fn carried(
    cached: &Cached,
    given: &TokenStream,
    now: &TokenStream,
    later: Option<&TokenStream>,
) -> TokenStream {
    let krate = &cached.krate;
    let (mode, step) = match later {
        None => (code!(_), code!(#krate::__private::Step::Now(#now))),
        Some(later) => (
            code!(mode),
            code! {
                match mode {
                    #krate::__private::Mode::Now => #krate::__private::Step::Now(#now),
                    #krate::__private::Mode::Later => #later
                }
            },
        ),
    };
    if cached.is_async() {
        // In a box, so that the future of a hit, which is made and moved for each call, stays small.
        return code! {
            ::std::boxed::Box::pin(#krate::__private::dispatch_async(recipe, prepared, move |#mode| #step)).await
        };
    }
    code! {
        let mut given = ::core::option::Option::Some((#given));
        #krate::__private::dispatch(recipe, prepared, &mut |#mode| {
            let (#given) = #krate::__private::once(&mut given);
            #step
        })
    }
}

/// What the function is given, as the contents of a tuple: the receiver under the name `this`, and the arguments.
pub(super) fn given(cached: &Cached) -> TokenStream {
    let names = signature::names(cached);
    let this = cached.receiver.map(|_| code!(this,));
    code!(#this #names)
}

/// The function, run with what it is given.
pub(super) fn now(cached: &Cached, body: &TokenStream) -> TokenStream {
    let given = given(cached);
    code!(#body(#given))
}

/// The function, kept for the background with arguments of its own.
pub(super) fn later(cached: &Cached, body: &TokenStream) -> TokenStream {
    let krate = &cached.krate;
    let owned = cached.parameters.iter().filter_map(owned);
    let lent = cached.parameters.iter().map(lent);
    let (own_this, this) = own_receiver(cached).unzip();
    let run = match cached.is_async() {
        true => code!(in_task(async move { #body(#this #(#lent,)*).await })),
        false => code!(in_thread(move || #body(#this #(#lent,)*))),
    };
    code!({
        #own_this #(#owned)*
        #krate::__private::Step::Later(recipe.#run)
    })
}

/// The statement that turns a borrowed argument into one of the background's own.
fn owned(parameter: &Parameter) -> Option<TokenStream> {
    let name = &parameter.name;
    match parameter.passing {
        Passing::Value => None,
        Passing::Reference(_) => Some(code!(let #name = ::std::borrow::ToOwned::to_owned(#name);)),
        Passing::OptionalReference(_) => {
            Some(code!(let #name = #name.map(::std::borrow::ToOwned::to_owned);))
        }
    }
}

/// The owned argument as the function takes it.
fn lent(parameter: &Parameter) -> TokenStream {
    let name = &parameter.name;
    match parameter.passing {
        Passing::Value => code!(#name),
        Passing::Reference(_) => code!(&#name),
        Passing::OptionalReference(_) => code!(#name.as_ref().map(::core::borrow::Borrow::borrow)),
    }
}

/// The statement that makes the receiver the background's own, and the receiver for the call.
fn own_receiver(cached: &Cached) -> Option<(TokenStream, TokenStream)> {
    let receiver = cached.receiver?;
    let is_borrowed = match &receiver.kind {
        ReceiverKind::Reference(..) => true,
        ReceiverKind::Typed(_, ty) => matches!(**ty, Type::Reference(_)),
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
