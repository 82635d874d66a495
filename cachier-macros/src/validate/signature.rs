//! Functions that cannot be cached.

use syn::visit::{self, Visit};
use syn::{
    FnArg, Ident, ParenthesizedGenericArguments, PatType, Receiver, ReceiverKind, Safety,
    Signature, Type, TypeFnPtr, TypeReference,
};

use crate::diagnostics::Errors;
use crate::model::{Arguments, Parameter, Placement};
use crate::parse::{Function, is_cachier};

pub(super) fn check(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    check_qualifiers(&function.signature, errors);
    check_main(arguments, function, errors);
    check_repetition(function, errors);
    for input in &function.signature.inputs {
        match input {
            FnArg::Receiver(receiver) => check_receiver(receiver, arguments, errors),
            FnArg::Typed(argument) => check_argument(argument, arguments, errors),
        }
    }
    if let Some(name) = arguments.recomputes_by() {
        check_background(name, arguments, function, errors);
    }
}

fn check_qualifiers(signature: &Signature, errors: &mut Errors) {
    if let Some(token) = &signature.constness {
        errors.at(
            token.span,
            "a `const fn` cannot be cached: it may run at compile time; remove `const`",
        );
    }
    if let Safety::Unsafe(token) = &signature.safety {
        errors.at(token.span, "an `unsafe fn` cannot be cached: its conditions may not hold when it is called later; cache a safe function around it");
    }
    if let Some(abi) = &signature.abi {
        errors.over(abi, "an `extern` function cannot be cached; cache a Rust function and call it from this one");
    }
    if let Some(variadic) = &signature.variadic {
        errors.over(
            variadic.dots,
            "a variadic function cannot be cached: its arguments cannot be told apart",
        );
    }
}

/// A program whose `main` is on a store would not run again.
fn check_main(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    let signature = &function.signature;
    let is_free = Placement::of(arguments, function) == Placement::Free;
    if is_free && signature.ident == "main" && signature.inputs.is_empty() {
        errors.at(
            signature.ident.span(),
            "`main` that is cached does not run while its result is kept; cache a function that it calls",
        );
    }
}

/// Another function of the name, and another `#[cachier]` on the same function.
fn check_repetition(function: &Function, errors: &mut Errors) {
    let name = &function.signature.ident;
    if function
        .surroundings
        .repetition
        .is_some_and(|place| place > 0)
    {
        errors.at(
            name.span(),
            format!("there is another function `{name}` above; give one of them another name"),
        );
    }
    for attribute in &function.attributes {
        if is_cachier(attribute) {
            errors.over(
                attribute,
                "the function has two `#[cachier]` attributes; merge their arguments into one",
            );
        }
    }
}

fn check_receiver(receiver: &Receiver, arguments: &Arguments, errors: &mut Errors) {
    let place = receiver.self_token.span;
    let exclusive = match &receiver.kind {
        ReceiverKind::Reference(_, _, mutability) => mutability.is_some(),
        ReceiverKind::Typed(_, ty) => is_exclusive(ty),
        _ => false,
    };
    if !decided(arguments, "self") {
        errors.at(
            place,
            "say what `self` means for the key: `skip(self)` where the result does not depend on it, else \
             `key = |self, ..| ..` with what it depends on",
        );
    } else if let (true, Some(name)) = (exclusive, arguments.recomputes_by()) {
        errors.at(place, mut_in_background(name));
    }
}

fn check_argument(argument: &PatType, arguments: &Arguments, errors: &mut Errors) {
    for attribute in &argument.attrs {
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
            errors.over(attribute, "`#[cfg]` on an argument cannot be seen through; put it on two versions of the function");
        }
    }
    if !is_exclusive(&argument.ty) {
        return;
    }
    let name = match &*argument.pat {
        syn::Pat::Ident(pattern) => pattern.ident.to_string(),
        _ => "..".to_owned(),
    };
    if !decided(arguments, &name) {
        errors.over(
            &argument.ty,
            format!("what is written through `&mut` would be missing on a hit; leave it out of the key with `skip({name})` where that is right"),
        );
    } else if let Some(name) = arguments.recomputes_by() {
        errors.over(&argument.ty, mut_in_background(name));
    }
}

/// Rejects arguments that borrow behind a reference or inside a type: no clone frees them.
fn check_background(name: &Ident, arguments: &Arguments, function: &Function, errors: &mut Errors) {
    for parameter in Parameter::all(arguments, function) {
        if parameter.is_encoded() && !is_exclusive(&parameter.ty) {
            errors.over(
                &parameter.ty,
                format!(
                    "`{name}` recomputes in the background, after the call, so an argument may borrow by one outer `&` only; take \
                     what is owned, such as `&[String]` for `&[&str]`"
                ),
            );
        }
    }
}

fn mut_in_background(name: &Ident) -> String {
    format!(
        "`{name}` recomputes in the background, where a `&mut` argument cannot follow; take it behind a `Mutex`"
    )
}

/// Whether a type contains `&mut`.
fn is_exclusive(ty: &Type) -> bool {
    let mut found = Exclusive(false);
    found.visit_type(ty);
    found.0
}

struct Exclusive(bool);

impl<'ast> Visit<'ast> for Exclusive {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        self.0 |= reference.mutability.is_some();
        visit::visit_type_reference(self, reference);
    }

    // A function pointer's arguments are not this function's.
    fn visit_type_fn_ptr(&mut self, _: &'ast TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast ParenthesizedGenericArguments) {}
}

/// Whether the user specified an argument's role in the key.
fn decided(arguments: &Arguments, name: &str) -> bool {
    arguments.key.is_some()
        || arguments
            .skip
            .as_ref()
            .is_some_and(|skip| skip.value.contains(name))
}
