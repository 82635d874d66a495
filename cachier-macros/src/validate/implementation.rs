//! An impl as a whole: what its attribute says, and the names of its companions.

use proc_macro2::Span;
use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{FnArg, Ident, Type, TypeImplTrait, TypePath};

use crate::diagnostics::Errors;
use crate::model::{Arguments, CompanionKind, path_of};
use crate::parse::{Companions, Function, Header};
use crate::surroundings::Surroundings;

/// Checks an impl with this many cached methods against its attribute, and the file around it.
pub(crate) fn check(
    header: &Header,
    companions: &Companions,
    methods: usize,
    surroundings: &Surroundings,
    errors: &mut Errors,
) {
    if methods == 0 {
        errors.at(
            Span::call_site(),
            "no method of this impl has `#[cachier(..)]`: write it on each that is to be cached",
        );
    }
    check_place(header, companions, errors);
    if methods > 0 && is_foreign(header, companions, surroundings) {
        let ty = &header.self_type;
        let name = ty.to_token_stream();
        errors.over(
            ty,
            format!("`{name}` is a type of another crate, beside whose methods nothing can stand; name a trait for the companions: `#[cachier::methods(trait {name}Caches)]`"),
        );
    }
}

/// Whether the companions would stand in an impl of a type that a `use` brings in from the standard library.
pub(crate) fn is_foreign(
    header: &Header,
    companions: &Companions,
    surroundings: &Surroundings,
) -> bool {
    let Type::Path(path) = &header.self_type else {
        return false;
    };
    let import = path.path.get_ident().and_then(|name| {
        let imports = &surroundings.block.imports;
        imports.get(&name.to_string())
    });
    let is_standard = import.is_some_and(|import| {
        let crates = ["std", "core", "alloc"];
        crates.contains(&&*import.root)
    });
    is_standard && header.of_trait.is_some() && companions.in_trait.is_none()
}

fn check_place(header: &Header, companions: &Companions, errors: &mut Errors) {
    const INHERENT: &str = "the companions of an inherent impl stand beside its methods, and are as visible as those; a \
                            visibility or a trait is for the companions of a trait's impl";
    if header.of_trait.is_some() {
    } else if let Some(visibility) = &companions.visibility {
        errors.over(visibility, INHERENT);
    } else if let Some(name) = &companions.in_trait {
        errors.over(name, INHERENT);
    }
}

/// What another function of the impl has of a method.
pub(crate) enum Clash {
    /// Its own name, which the compiler does not take.
    Method,
    /// The name of its companion.
    Companion(Ident),
}

/// Finds for each method what another function has of it. Items with `#[cfg]` may be versions of one.
pub(crate) fn clashes(
    header: &Header,
    methods: &[(&Arguments, &Function)],
    uncached: &[Ident],
) -> Vec<Option<Clash>> {
    let mut names: Vec<Ident> = Vec::new();
    let mut companions: Vec<Ident> = Vec::new();
    let clash = |(arguments, function): &(&Arguments, &Function)| {
        let mut attributes = function.attributes.iter();
        if attributes.any(|attribute| path_of(attribute).is_ident("cfg")) {
            return None;
        }
        let name = &function.signature.ident;
        if uncached.contains(name) || names.contains(name) {
            return Some(Clash::Method);
        }
        names.push(name.clone());
        let CompanionKind::Function(companion) = CompanionKind::of(arguments, function) else {
            return None;
        };
        // In a trait's impl, the companions are in another one.
        let is_other = header.of_trait.is_none() && uncached.contains(&companion);
        if is_other || companions.contains(&companion) {
            return Some(Clash::Companion(companion));
        }
        companions.push(companion);
        None
    };
    methods.iter().map(clash).collect()
}

/// The companion of a trait's method names types outside of the trait's impl.
pub(super) fn check_signature(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    let Some(header) = function.within.as_deref() else {
        return;
    };
    let companion = CompanionKind::of(arguments, function);
    if header.of_trait.is_none() || matches!(companion, CompanionKind::None) {
        return;
    }
    for input in &function.signature.inputs {
        if let FnArg::Typed(argument) = input {
            Opaque(errors).visit_type(&argument.ty);
            UndefinedTypes { header, errors }.visit_type(&argument.ty);
        }
    }
    UndefinedTypes { header, errors }.visit_return_type(&function.signature.output);
}

/// Finds argument types without a name.
struct Opaque<'e>(&'e mut Errors);

impl<'ast> Visit<'ast> for Opaque<'_> {
    fn visit_type_impl_trait(&mut self, opaque: &'ast TypeImplTrait) {
        self.0.over(
            opaque,
            "the companion of a trait's method has to name the types of its arguments; write `companion = false`",
        );
    }
}

/// Finds associated types that the impl does not define.
struct UndefinedTypes<'a> {
    header: &'a Header,
    errors: &'a mut Errors,
}

impl<'ast> Visit<'ast> for UndefinedTypes<'_> {
    fn visit_type_path(&mut self, path: &'ast TypePath) {
        let mut segments = path.path.segments.iter();
        if path.qself.is_none()
            && segments.next().is_some_and(|first| first.ident == "Self")
            && let Some(associated) = segments.next()
            && !self
                .header
                .types
                .iter()
                .any(|(name, _)| *name == associated.ident)
        {
            let written = path.to_token_stream().to_string().replace(' ', "");
            let name = &associated.ident;
            self.errors.over(
                path,
                format!("`{written}` is not defined in this impl; write the type itself, or `<Self as TheTrait>::{name}`"),
            );
        }
        visit::visit_type_path(self, path);
    }
}
