//! Arguments of a recomputation in the background: each is asked whether it can go there, and lent to the call.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote_spanned};
use syn::{Receiver, ReceiverKind, Type};

use super::quoting::{SpanRange, code, krate_at};
use crate::model::{Cached, Passing, is_static};

/// The arguments and the call, for the runtime's macro.
pub(super) fn later(cached: &Cached, body: &TokenStream) -> TokenStream {
    let receiver = cached.receiver.map(|receiver| {
        let at = SpanRange::over(receiver.self_token);
        Sent::new(cached, at, &code!(this), passing_of(receiver))
    });
    let parameters = cached.parameters.iter().map(|parameter| {
        let (at, name) = (SpanRange::over(&parameter.ty), &parameter.name);
        let how = Kind::of(parameter.background_passing());
        Sent::new(cached, at, &name.to_token_stream(), how)
    });
    let sent = receiver.into_iter().chain(parameters);
    let (taken, lent): (Vec<_>, Vec<_>) = sent.map(|sent| (sent.taken, sent.lent)).unzip();
    // Types that cannot go there are errors at the argument that asks for it.
    let asking = cached.arguments.recomputes_by();
    let span = asking.map_or_else(Span::call_site, |name| name.span());
    let krate = krate_at(cached, span);
    let inside = span.resolved_at(Span::mixed_site());
    let call = match cached.is_async() {
        true => {
            let future = quote_spanned!(inside=> async move { #body(#(#lent,)*).await });
            quote_spanned!(span=> #krate::__private::in_background(#future))
        }
        false => quote_spanned!(inside=> move || #body(#(#lent,)*)),
    };
    code!(later [#(#taken,)*] #call)
}

/// An argument on its way.
struct Sent {
    /// How it is taken, and its probe: the runtime's macro makes it owned.
    taken: TokenStream,
    /// The owned argument as the function takes it.
    lent: TokenStream,
}

/// How an argument goes.
enum Kind {
    Value,
    Reference,
    OptionalReference,
}

impl Kind {
    fn of(passing: &Passing) -> Self {
        match passing {
            Passing::Value => Self::Value,
            Passing::Reference(_) => Self::Reference,
            Passing::OptionalReference(_) => Self::OptionalReference,
        }
    }
}

impl Sent {
    /// Errors about the argument point at these spans.
    fn new(cached: &Cached, at: SpanRange, name: &TokenStream, how: Kind) -> Self {
        let (taken, probe, lent) = match how {
            Kind::Value => (code!(value), code!(__value(&#name)), code!(#name.give())),
            Kind::Reference => (
                code!(reference),
                code!(__reference(#name)),
                code!(#name.lend()),
            ),
            Kind::OptionalReference => (
                code!(optional_reference),
                code!(__optional_reference(&#name)),
                code!(#name.lend_if_any()),
            ),
        };
        let krate = krate_at(cached, at.first);
        let place = match cached.is_async() {
            true => code!(in_task),
            false => code!(in_thread),
        };
        let probe = quote_spanned!(at.first=> #krate::#probe);
        let probe = quote_spanned!(at.last=> #probe.#place());
        Self {
            taken: code!(#taken #name(#probe)),
            lent,
        }
    }
}

fn passing_of(receiver: &Receiver) -> Kind {
    let is_borrowed = match &receiver.kind {
        ReceiverKind::Reference(_, lifetime, _) => !is_static(lifetime.as_ref()),
        ReceiverKind::Typed(_, ty) => {
            matches!(&**ty, Type::Reference(reference) if !is_static(reference.lifetime.as_ref()))
        }
        _ => false,
    };
    match is_borrowed {
        true => Kind::Reference,
        false => Kind::Value,
    }
}
