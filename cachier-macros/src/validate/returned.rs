//! Return types that cannot be stored beyond the call.

use syn::visit::{self, Visit};
use syn::{
    GenericArgument, Lifetime, ParenthesizedGenericArguments, PathArguments, PathSegment,
    ReturnType, Signature, TraitBound, Type, TypeFnPtr, TypeImplTrait, TypeNever, TypeParamBound,
    TypeReference, TypeTraitObject,
};

use crate::diagnostics::Errors;
use crate::model::{Arguments, OnBackendError, Store, is_static};

pub(super) fn check(arguments: &Arguments, signature: &Signature, errors: &mut Errors) {
    check_propagation(arguments, &signature.output, errors);
    if is_rewritten(signature) {
        errors.at(signature.ident.span(), REWRITTEN);
    } else {
        let mut uncacheable = Errors::default();
        UncacheableParts(&mut uncacheable).visit_return_type(&signature.output);
        let is_stored = Store::of(arguments) != Store::Memory;
        if let (ReturnType::Type(_, ty), true) =
            (&signature.output, is_stored && uncacheable.is_empty())
        {
            check_stored(ty, &mut uncacheable);
        }
        errors.append(uncacheable);
    }
}

/// Types of which a store gives back parts that it has made itself.
const CONTAINERS: [&str; 13] = [
    "Arc",
    "BTreeMap",
    "BTreeSet",
    "BinaryHeap",
    "Box",
    "HashMap",
    "HashSet",
    "LinkedList",
    "Option",
    "Rc",
    "Result",
    "Vec",
    "VecDeque",
];

/// A store has nothing that a `'static` reference could point to, unless the program has taught serde for a type of its own.
/// Types of others may do without what they seem to hold.
fn check_stored(ty: &Type, errors: &mut Errors) {
    match ty {
        Type::Reference(reference) if is_text_or_list(&reference.elem) => {
            errors.over(reference, STATIC_IN_STORE);
        }
        Type::Tuple(tuple) => tuple.elems.iter().for_each(|ty| check_stored(ty, errors)),
        Type::Array(array) => check_stored(&array.elem, errors),
        Type::Path(path) => {
            let last = path.path.segments.last();
            let container = last.filter(|last| CONTAINERS.iter().any(|name| last.ident == name));
            if let Some(segment) = container
                && let PathArguments::AngleBracketed(given) = &segment.arguments
            {
                // The error of a `Result` is not kept.
                let count = if segment.ident == "Result" { 1 } else { 2 };
                for argument in given.args.iter().take(count) {
                    if let GenericArgument::Type(ty) = argument {
                        check_stored(ty, errors);
                    }
                }
            }
        }
        _ => {}
    }
}

fn is_text_or_list(ty: &Type) -> bool {
    match ty {
        Type::Slice(_) => true,
        Type::Path(path) => path.path.is_ident("str"),
        _ => false,
    }
}

const STATIC_IN_STORE: &str = "a store gives back values of its own, to which no reference is `'static`; return an owned type, such \
                               as `String` for `&'static str`, or keep values in the process with `backend = \"memory\"`";

/// Whether `#[async_trait]` has been at the method already.
pub(super) fn is_rewritten(signature: &Signature) -> bool {
    let mut lifetimes = signature.generics.lifetimes();
    lifetimes.any(|param| param.lifetime.ident == "async_trait")
}

/// Types that are no `Result` under whatever name.
const PLAIN: [&str; 22] = [
    "Arc", "Box", "HashMap", "Option", "String", "Vec", "bool", "char", "f32", "f64", "i8", "i16",
    "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize",
];

/// A backend's failure is returned as the function's own error. Aliases are left to the compiler.
fn check_propagation(arguments: &Arguments, output: &ReturnType, errors: &mut Errors) {
    let Some(reaction) = &arguments.on_backend_error else {
        return;
    };
    let is_plain = match output {
        ReturnType::Default => true,
        ReturnType::Type(_, ty) => match &**ty {
            Type::Tuple(_) | Type::Array(_) => true,
            Type::Path(path) => path
                .path
                .segments
                .last()
                .is_some_and(|last| PLAIN.iter().any(|plain| last.ident == plain)),
            _ => false,
        },
    };
    if reaction.value == OnBackendError::Propagate && is_plain {
        errors.at(reaction.span(), WITHOUT_ERROR);
    }
}

const WITHOUT_ERROR: &str = "`propagate` returns a backend's failure as an error of the function, which has none; return a `Result` \
                             whose error is `From<cachier::Error>`, or leave `on_backend_error` out";

const FUTURE: &str =
    "a future cannot be kept, only what it gives; return its `Output` from an `async fn`";

/// Attributes of the impl are expanded before those of its methods, whatever their order.
const REWRITTEN: &str = "`#[async_trait]` has made a boxed future of this method, which cannot be cached; write \
                         `#[cachier::methods]` on the impl, above `#[async_trait]`";

fn is_future(bound: &TypeParamBound) -> bool {
    match bound {
        TypeParamBound::Trait(bound) => {
            let last = bound.path.segments.last();
            last.is_some_and(|last| last.ident == "Future")
        }
        _ => false,
    }
}

/// Finds parts of a type that borrow, or have no name.
struct UncacheableParts<'e>(&'e mut Errors);

const BORROWED: &str = "a cached value outlives the call, so it cannot borrow; return an owned type, such as `String` for `&str`, \
                        `Vec<T>` for `&[T]`, or `Arc<T>`";

impl<'ast> Visit<'ast> for UncacheableParts<'_> {
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

    fn visit_type_trait_object(&mut self, object: &'ast TypeTraitObject) {
        if object.bounds.iter().any(is_future) {
            self.0.over(object, FUTURE);
        } else {
            visit::visit_type_trait_object(self, object);
        }
    }

    fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
        if segment.ident == "BoxFuture" || segment.ident == "LocalBoxFuture" {
            self.0.over(segment, FUTURE);
        } else {
            visit::visit_path_segment(self, segment);
        }
    }

    fn visit_type_impl_trait(&mut self, opaque: &'ast TypeImplTrait) {
        if opaque.bounds.iter().any(is_future) {
            return self.0.over(opaque, FUTURE);
        }
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
