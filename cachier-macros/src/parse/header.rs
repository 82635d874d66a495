//! The header of an annotated `impl`.

use proc_macro2::Span;
use quote::format_ident;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, GenericParam, Generics, Ident, ItemImpl, Lifetime, LifetimeParam,
    ParenthesizedGenericArguments, Path, Type, TypeFnPtr, TypeReference,
};

/// The header of a cached method's `impl`. Elided lifetimes have got names.
pub(crate) struct Header {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) generics: Generics,
    pub(crate) of_trait: Option<Path>,
    pub(crate) self_type: Type,
    /// The associated types that the impl defines; `None` for those that depend on parameters or on `cfg`.
    pub(crate) types: Vec<(Ident, Option<Type>)>,
}

impl Header {
    pub(super) fn new(parsed: ItemImpl, types: Vec<(Ident, Option<Type>)>) -> Self {
        let (mut generics, mut self_type) = (parsed.generics, *parsed.self_ty);
        let mut of_trait = parsed.trait_.map(|(path, _)| path);
        let mut naming = NameLifetimes(Vec::new());
        if let Some(path) = &mut of_trait {
            naming.visit_path_mut(path);
        }
        naming.visit_type_mut(&mut self_type);
        for lifetime in naming.0.into_iter().rev() {
            generics
                .params
                .insert(0, GenericParam::Lifetime(LifetimeParam::new(lifetime)));
        }
        Self {
            attributes: parsed.attrs,
            generics,
            of_trait,
            self_type,
            types,
        }
    }
}

/// Names elided lifetimes.
struct NameLifetimes(Vec<Lifetime>);

impl NameLifetimes {
    fn name(&mut self) -> Lifetime {
        let name = format_ident!("cachier{}", self.0.len());
        let lifetime = Lifetime::new(&format!("'{name}"), Span::call_site());
        self.0.push(lifetime.clone());
        lifetime
    }
}

impl VisitMut for NameLifetimes {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        if reference.lifetime.is_none() {
            reference.lifetime = Some(self.name());
        }
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            *lifetime = self.name();
        }
    }

    // Lifetimes elided inside a function pointer are its own.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {
    }
}
