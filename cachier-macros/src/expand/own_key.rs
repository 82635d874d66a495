//! `key = |..| ..`: the closure's parameters bound to the function's arguments, and the members of its result.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident};
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, Ident, Index, Pat, PatIdent, Type};

use super::quoting::code;
use crate::model::{
    Cached, KeyClosure, KeyParameter, MAX_KEY_ARGUMENTS, Parameter, Passing, StandsFor,
};

/// The statement that binds `key` to the closure's result.
pub(super) fn statement(cached: &Cached, closure: &KeyClosure) -> TokenStream {
    let parameters = closure.parameters(cached.function).into_iter().flatten();
    let bound = parameters.filter_map(|parameter| {
        let argument = argument(cached, &parameter)?;
        Some((parameter.pattern, argument))
    });
    let (patterns, arguments): (Vec<_>, Vec<_>) = bound.unzip();
    // A pattern that does not fit its argument is an error at the pattern.
    let given: Vec<_> = patterns
        .iter()
        .enumerate()
        .map(|(place, pattern)| {
            let span = Span::mixed_site().located_at(pattern.span());
            format_ident!("given{place}", span = span)
        })
        .collect();
    let (output, body) = (&closure.0.output, body(&closure.0.body));
    // A closure without parameters: types are known inside, and `return` stays inside. All arguments are given before the
    // first pattern hides one.
    code!(let key = (|| #output {
        #(let #given = #arguments;)*
        #(let #patterns = #given;)*
        #body
    })();)
}

/// The body for a block around it: without its own braces, which the compiler would call unnecessary.
fn body(body: &Expr) -> TokenStream {
    match body {
        Expr::Block(block) if block.label.is_none() && block.attrs.is_empty() => {
            let statements = &block.block.stmts;
            code!(#(#statements)*)
        }
        body => body.to_token_stream(),
    }
}

/// The parts of a key in memory: the members of a tuple, so that each may be a reference.
pub(super) fn members(cached: &Cached, closure: &KeyClosure) -> Vec<TokenStream> {
    let krate = &cached.krate;
    match closure.tuple_members() {
        Some(members @ 1..=MAX_KEY_ARGUMENTS) => (0..members)
            .map(Index::from)
            .map(|member| code!(#krate::__key_member!(&key.#member)))
            .collect(),
        _ => vec![code!(#krate::__key_member!(&key))],
    }
}

/// The binding of a closure's parameter; `None` for one that needs none.
fn argument(cached: &Cached, parameter: &KeyParameter) -> Option<TokenStream> {
    let krate = &cached.krate;
    let wants_reference = asks_for_reference(parameter.pattern);
    match &parameter.stands_for {
        StandsFor::Receiver | StandsFor::Nothing => None,
        StandsFor::Argument(place) => {
            let own = cached.parameters.get(*place)?;
            let borrowed = own.borrowed();
            Some(match own.passing {
                Passing::Reference(_) => borrowed,
                _ if wants_reference => borrowed,
                _ => code!(#krate::__key_argument!(#borrowed)),
            })
        }
        StandsFor::Binding(place, name) => {
            let reference = bound(cached.parameters.get(*place)?, name);
            Some(match wants_reference {
                true => reference,
                false => code!(#krate::__key_argument!(#reference)),
            })
        }
    }
}

/// Whether a parameter is `name: &Type` or `&name`, which a `Copy` type by value would not fit.
fn asks_for_reference(pattern: &Pat) -> bool {
    match pattern {
        Pat::Reference(_) => true,
        Pat::Type(typed) => matches!(*typed.ty, Type::Reference(_)),
        Pat::Paren(paren) => asks_for_reference(&paren.pat),
        _ => false,
    }
}

/// A reference to what the pattern of an argument binds to a name.
fn bound(argument: &Parameter, name: &Ident) -> TokenStream {
    let mut pattern = argument.pattern.clone();
    // A pattern of a value behind a reference binds references as it is.
    let is_borrowed = matches!(argument.passing, Passing::Reference(_));
    let by_reference = !is_borrowed || matches!(pattern, Pat::Reference(_));
    Borrow { by_reference }.visit_pat_mut(&mut pattern);
    let whole = &argument.name;
    code!({
        #[allow(unused_variables)]
        let #pattern = #whole;
        #name
    })
}

/// Makes all names of a pattern bind references, so that nothing is moved out of the argument.
struct Borrow {
    by_reference: bool,
}

impl VisitMut for Borrow {
    fn visit_pat_ident_mut(&mut self, name: &mut PatIdent) {
        name.mutability = None;
        name.by_ref = self.by_reference.then(Default::default);
        visit_mut::visit_pat_ident_mut(self, name);
    }
}
