//! Arguments that cannot be part of a key, and their number.

use syn::visit::{self, Visit};
use syn::{Lifetime, ParenthesizedGenericArguments, TypeFnPtr, TypeReference};

use crate::diagnostics::Errors;
use crate::model::{
    Arguments, CompanionKind, MAX_KEY_ARGUMENTS, Parameter, Role, Store, is_compiled_in, is_static,
};
use crate::parse::Function;

pub(super) fn check(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    let parameters = Parameter::all(arguments, function);
    let companion = CompanionKind::of(arguments, function);
    if arguments.key.is_none() {
        check_keyed(arguments, &parameters, errors);
    }
    if let (CompanionKind::Function(_), Some(extra)) =
        (&companion, parameters.get(MAX_KEY_ARGUMENTS))
    {
        errors.over(
            &extra.ty,
            format!("the companion of a method holds {MAX_KEY_ARGUMENTS} arguments; take several as one struct, or write `companion = false`"),
        );
    }
    if let (CompanionKind::None, Some(receiver), true) = (
        &companion,
        function.signature.receiver(),
        is_compiled_in(&arguments.next_time),
    ) {
        errors.at(
            receiver.self_token.span,
            "`next_time` needs to take `self` to the background, which works beside a companion only; move the body into an \
             inherent method, and cache that",
        );
    }
}

fn check_keyed(arguments: &Arguments, parameters: &[Parameter], errors: &mut Errors) {
    let keyed: Vec<_> = parameters
        .iter()
        .filter(|parameter| parameter.role == Role::Keyed)
        .collect();
    if let Some(extra) = keyed.get(MAX_KEY_ARGUMENTS) {
        errors.over(
            &extra.ty,
            format!("a key holds {MAX_KEY_ARGUMENTS} arguments; write `key = |..| ..` with what tells calls apart, or `skip(..)` the others"),
        );
    }
    if Store::of(arguments) != Store::Persistent {
        for parameter in keyed {
            Borrowing(errors).visit_type(parameter.owned_type());
        }
    }
}

/// Finds borrows behind the outermost reference.
struct Borrowing<'e>(&'e mut Errors);

const BORROWED: &str = "a key in memory owns its parts, so only the outermost `&` of an argument is seen through; write \
                        `key = |..| ..` with owned values";

impl<'ast> Visit<'ast> for Borrowing<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        if is_static(reference.lifetime.as_ref()) {
            visit::visit_type(self, &reference.elem);
        } else if reference.mutability.is_none() {
            // `&mut` has its own error.
            self.0.over(reference, BORROWED);
        }
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if !is_static(Some(lifetime)) {
            self.0.over(lifetime, BORROWED);
        }
    }

    // References in a function pointer's signature borrow nothing.
    fn visit_type_fn_ptr(&mut self, _: &'ast TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast ParenthesizedGenericArguments) {}
}
