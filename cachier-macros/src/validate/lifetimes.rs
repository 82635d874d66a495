//! Elided lifetimes that a method's companion would have to name.

use syn::visit::{self, Visit};
use syn::{
    FnArg, GenericArgument, ParenthesizedGenericArguments, PathArguments, PathSegment, TypeFnPtr,
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
