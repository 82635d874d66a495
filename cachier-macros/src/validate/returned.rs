//! Return types that cannot be stored beyond the call.

use syn::visit::{self, Visit};
use syn::{
    Lifetime, ParenthesizedGenericArguments, Signature, TraitBound, TypeFnPtr, TypeImplTrait,
    TypeNever, TypeReference,
};

use crate::diagnostics::Errors;
use crate::model::is_static;

pub(super) fn check(signature: &Signature, errors: &mut Errors) {
    let is_rewritten = signature
        .generics
        .lifetimes()
        .any(|param| param.lifetime.ident == "async_trait");
    if is_rewritten {
        errors.at(signature.ident.span(), REWRITTEN);
    } else {
        Unkept(errors).visit_return_type(&signature.output);
    }
}

/// Attributes of the impl are expanded before those of its methods, whatever their order.
const REWRITTEN: &str = "`#[async_trait]` has made a boxed future of this method, which cannot be cached; move the body into \
                         an inherent `async fn`, cache that, and call it from here";

/// Finds parts of a type that borrow, or have no name.
struct Unkept<'e>(&'e mut Errors);

const BORROWED: &str = "a cached value outlives the call, so it cannot borrow; return an owned type, such as `String` for `&str`, \
                        `Vec<T>` for `&[T]`, or `Arc<T>`";

impl<'ast> Visit<'ast> for Unkept<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        if is_static(reference.lifetime.as_ref()) {
            visit::visit_type(self, &reference.elem);
        } else {
            self.0.over(reference, BORROWED);
        }
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if !is_static(Some(lifetime)) {
            self.0.over(lifetime, BORROWED);
        }
    }

    fn visit_type_impl_trait(&mut self, opaque: &'ast TypeImplTrait) {
        self.0.over(
            opaque,
            "a cached value needs a type that can be named, not `impl Trait`; return the type itself, or collect what is \
             computed lazily, such as an iterator into a `Vec`",
        );
    }

    fn visit_type_never(&mut self, never: &'ast TypeNever) {
        self.0
            .over(never, "a function that never returns has nothing to cache");
    }

    // References in a function pointer's signature borrow nothing from this call.
    fn visit_type_fn_ptr(&mut self, _: &'ast TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast ParenthesizedGenericArguments) {}

    fn visit_trait_bound(&mut self, bound: &'ast TraitBound) {
        // Lifetimes declared by `for<'a>` borrow nothing.
        if bound.lifetimes.is_none() {
            visit::visit_trait_bound(self, bound);
        }
    }
}
