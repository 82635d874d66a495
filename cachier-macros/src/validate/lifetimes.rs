//! Elided lifetimes that a method's companion would have to name, and lifetimes that nobody declares.

use syn::visit::{self, Visit};
use syn::{
    FnArg, GenericArgument, Ident, Lifetime, LifetimeParam, ParenthesizedGenericArguments,
    PathArguments, PathSegment, TypeFnPtr,
};

use crate::diagnostics::Errors;
use crate::model::{Arguments, CompanionKind};
use crate::parse::Function;

/// The standard library's common type whose lifetime may be elided. Other types cannot be recognised here.
const BORROWING: &str = "Cow";

pub(super) fn check(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    if !matches!(
        CompanionKind::of(arguments, function),
        CompanionKind::Function(_)
    ) {
        return;
    }
    for input in &function.signature.inputs {
        if let FnArg::Typed(argument) = input {
            Hidden(errors).visit_type(&argument.ty);
        }
    }
}

/// Whether a lifetime is declared nowhere: the compiler says so, and would for each place where the expansion has it.
///
/// Certain only of an impl that is known, and of a companion that is a type, which the block of an impl cannot hold: the function
/// compiles with neither. Another function may stand in an impl that a macro makes, whose lifetimes are its own.
pub(crate) fn are_undeclared(arguments: &Arguments, function: &Function) -> bool {
    let mut found = Lifetimes::default();
    found.visit_signature(&function.signature);
    if let Some(generics) = super::type_parameters::of_impl(function) {
        found.visit_generics(&generics);
    } else if !matches!(
        CompanionKind::of(arguments, function),
        CompanionKind::Enum(_)
    ) {
        return false;
    }
    let is_declared = |name: &Ident| {
        name == "static" || name == "_" || found.declared.iter().any(|declared| declared == name)
    };
    !found.used.iter().all(is_declared)
}

#[derive(Default)]
struct Lifetimes {
    used: Vec<Ident>,
    /// The lifetimes of the function, and of types that declare their own.
    declared: Vec<Ident>,
}

impl<'ast> Visit<'ast> for Lifetimes {
    fn visit_lifetime_param(&mut self, param: &'ast LifetimeParam) {
        self.declared.push(param.lifetime.ident.clone());
        visit::visit_lifetime_param(self, param);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        self.used.push(lifetime.ident.clone());
    }
}

struct Hidden<'e>(&'e mut Errors);

impl<'ast> Visit<'ast> for Hidden<'_> {
    fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
        if segment.ident == BORROWING
            && let PathArguments::AngleBracketed(given) = &segment.arguments
            && matches!(given.args.first(), Some(GenericArgument::Type(_)))
        {
            self.0.over(
                segment,
                "the companion of a method names the types of its arguments, with their lifetimes: write `Cow<'_, ..>`, or `companion = false`",
            );
        }
        visit::visit_path_segment(self, segment);
    }

    // A function pointer's arguments have their own lifetimes.
    fn visit_type_fn_ptr(&mut self, _: &'ast TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast ParenthesizedGenericArguments) {}
}
