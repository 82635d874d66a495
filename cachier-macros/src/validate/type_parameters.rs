//! Type parameters that may be borrowed, where something of them is kept in memory or goes to the background: the compiler finds
//! that out late, at each place that depends on it.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{
    GenericParam, Generics, Ident, ItemImpl, ReturnType, Type, TypeImplTrait, TypeParamBound,
    TypePath, WherePredicate,
};

use crate::diagnostics::Errors;
use crate::model::{Arguments, Parameter, Role, Store};
use crate::parse::Function;

/// Kept types outlive the call. Traits that are not well known may demand that of a type, which is left to the compiler.
pub(super) fn check(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    let of_impl = of_impl(function);
    let all = [Some(&function.signature.generics), of_impl.as_ref()];
    let borrowing: Vec<_> = all.into_iter().flatten().flat_map(borrowing).collect();
    let mut kept = Kept {
        borrowing,
        traits: &KEY,
        by: "memory keeps it longer".to_owned(),
        errors,
    };
    if Store::of(arguments) != Store::Persistent {
        check_in_memory(arguments, function, &mut kept);
    }
    if let Some(name) = arguments.recomputes_by() {
        kept.by = format!("`{name}` computes with it later");
        check_in_background(arguments, function, &mut kept);
    }
}

fn check_in_memory(arguments: &Arguments, function: &Function, kept: &mut Kept) {
    for parameter in Parameter::all(arguments, function) {
        // An encoding borrows nothing.
        let is_kept = parameter.role == Role::Keyed && !parameter.is_encoded();
        if is_kept && arguments.key.is_none() {
            kept.visit_type(&parameter.ty);
        }
    }
    kept.traits = &VALUE;
    kept.visit_return_type(&function.signature.output);
}

fn check_in_background(arguments: &Arguments, function: &Function, kept: &mut Kept) {
    kept.traits = &SENT;
    for parameter in Parameter::all(arguments, function) {
        kept.visit_type(&parameter.ty);
    }
    kept.traits = &STORED;
    kept.visit_return_type(&function.signature.output);
}

/// The traits of types that a key in memory owns. A type with others is not owned by the key, or is an error of its own.
const KEY: [&[&str]; 5] = [
    &["Hash"],
    &["Eq", "Ord"],
    &["Clone", "Copy"],
    &["Send"],
    &["Sync"],
];

/// The traits of a value in memory.
const VALUE: [&[&str]; 3] = [&["Clone", "Copy"], &["Send"], &["Sync"]];

/// The traits of what goes to the background.
const SENT: [&[&str]; 1] = [&["Send"]];

/// The traits of a stored value.
const STORED: [&[&str]; 2] = [&["Serialize"], &["Deserialize", "DeserializeOwned"]];

/// Well-known traits that say nothing of what is borrowed.
const WELL_KNOWN: [&str; 29] = [
    "AsRef",
    "Borrow",
    "Clone",
    "Copy",
    "Debug",
    "Default",
    "Deserialize",
    "DeserializeOwned",
    "Display",
    "Eq",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromStr",
    "Hash",
    "Into",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Send",
    "Serialize",
    "Sized",
    "Sync",
    "ToOwned",
    "ToString",
    "TryFrom",
    "TryInto",
    "Unpin",
];

/// A type parameter that may be borrowed, and its traits.
struct Borrowing {
    name: Ident,
    traits: Vec<String>,
}

/// The parameters of the impl, as its attribute has shown them, or the file.
pub(super) fn of_impl(function: &Function) -> Option<Generics> {
    if let Some(header) = &function.within {
        return Some(header.generics.clone());
    }
    let head = &function.surroundings.block.head;
    let parsed = syn::parse_str::<ItemImpl>(&format!("{head} {{}}")).ok()?;
    Some(parsed.generics)
}

fn borrowing(generics: &Generics) -> impl Iterator<Item = Borrowing> {
    let borrowing = |param: &GenericParam| {
        let GenericParam::Type(param) = param else {
            return None;
        };
        let name = param.ident.clone();
        let bounds = param.bounds.iter().chain(in_clause(generics, &param.ident));
        let traits = well_known(bounds)?;
        Some(Borrowing { name, traits })
    };
    generics.params.iter().filter_map(borrowing)
}

/// The bounds of a parameter in the `where` clause.
fn in_clause<'g>(generics: &'g Generics, name: &Ident) -> impl Iterator<Item = &'g TypeParamBound> {
    let predicates = generics.where_clause.iter();
    let predicates = predicates.flat_map(|clause| &clause.predicates);
    let bounds = predicates.filter_map(move |predicate| match predicate {
        WherePredicate::Type(bounded) => match &bounded.bounded_ty {
            Type::Path(path) if path.path.is_ident(name) => Some(&bounded.bounds),
            _ => None,
        },
        _ => None,
    });
    bounds.flatten()
}

/// The traits of bounds that let borrow.
fn well_known<'b>(bounds: impl Iterator<Item = &'b TypeParamBound>) -> Option<Vec<String>> {
    let name = |bound: &TypeParamBound| match bound {
        TypeParamBound::Trait(bound) => {
            let name = bound.path.segments.last()?.ident.to_string();
            WELL_KNOWN.contains(&&*name).then_some(name)
        }
        _ => None,
    };
    bounds.map(name).collect()
}

/// Finds what may be borrowed in types of which a part is kept.
struct Kept<'e> {
    borrowing: Vec<Borrowing>,
    /// The traits of a part that is kept, each with what implies it.
    traits: &'static [&'static [&'static str]],
    /// Its keeper, and the purpose.
    by: String,
    errors: &'e mut Errors,
}

impl Kept<'_> {
    fn is_kept(&self, traits: &[String]) -> bool {
        let has = |one_of: &&[&str]| {
            one_of
                .iter()
                .any(|name| traits.iter().any(|own| own == name))
        };
        self.traits.iter().all(has)
    }

    fn report(&mut self, ty: TokenStream, name: &str, example: &str) {
        let by = &self.by;
        self.errors.over(
            ty,
            format!("{name} may borrow from what is gone after the call, and {by}; add `'static` to its bounds: `{example}`"),
        );
    }
}

impl<'ast> Visit<'ast> for Kept<'_> {
    fn visit_return_type(&mut self, returned: &'ast ReturnType) {
        // The error of a `Result` is not kept.
        if let ReturnType::Type(_, ty) = returned {
            match &**ty {
                Type::Path(path)
                    if path
                        .path
                        .segments
                        .last()
                        .is_some_and(|last| last.ident == "Result") =>
                {
                    let arguments = path.path.segments.last().map(|last| &last.arguments);
                    if let Some(syn::PathArguments::AngleBracketed(given)) = arguments
                        && let Some(first) = given.args.first()
                    {
                        self.visit_generic_argument(first);
                    }
                }
                ty => self.visit_type(ty),
            }
        }
    }

    fn visit_type_path(&mut self, path: &'ast TypePath) {
        let mut borrowing = self.borrowing.iter();
        let found = borrowing
            .position(|parameter| path.qself.is_none() && path.path.is_ident(&parameter.name));
        match found {
            Some(index) if self.is_kept(&self.borrowing[index].traits) => {
                // One error for each parameter.
                let name = self.borrowing.swap_remove(index).name;
                self.report(
                    path.to_token_stream(),
                    &format!("`{name}`"),
                    &format!("{name}: 'static"),
                );
            }
            _ => visit::visit_type_path(self, path),
        }
    }

    fn visit_type_impl_trait(&mut self, opaque: &'ast TypeImplTrait) {
        if let Some(traits) = well_known(opaque.bounds.iter())
            && self.is_kept(&traits)
        {
            self.report(
                opaque.to_token_stream(),
                "this argument",
                "impl .. + 'static",
            );
        }
    }
}
