//! Signatures of generated functions, and calls between them.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{
    FnArg, GenericParam, Generics, Lifetime, Receiver, ReceiverKind, Signature, Type, TypeFnPtr,
    TypeReference, WherePredicate,
};

use super::quoting::code;
use crate::model::{Cached, CompanionKind};

/// The wrapper's signature: the user's, with names in place of patterns.
pub(super) fn of_wrapper(cached: &Cached) -> Signature {
    let mut signature = cached.function.signature.clone();
    let mut parameters = cached.parameters.iter();
    for input in &mut signature.inputs {
        match input {
            // A body inside the wrapper has the wrapper's `self`, which no `let` can make `mut`.
            FnArg::Receiver(_) if matches!(cached.companion, CompanionKind::None) => {}
            FnArg::Receiver(receiver) => *receiver = immutable(receiver),
            FnArg::Typed(argument) => {
                if let Some(parameter) = parameters.next() {
                    let name = &parameter.name;
                    *argument.pat = syn::parse_quote!(#name);
                    argument.attrs.clear();
                }
            }
        }
    }
    signature
}

/// The receiver with a comma; its `mut` goes to the body.
pub(super) fn receiver(cached: &Cached) -> Option<TokenStream> {
    let receiver = immutable(cached.receiver?);
    Some(quote!(#receiver,))
}

/// `self` with a comma, for a call.
pub(super) fn this(cached: &Cached) -> Option<TokenStream> {
    let this = cached.receiver?.self_token;
    Some(quote!(#this,))
}

/// `name: Type, ...`.
pub(super) fn parameters(cached: &Cached) -> TokenStream {
    cached
        .parameters
        .iter()
        .map(|parameter| {
            let (name, ty) = (&parameter.name, &parameter.ty);
            quote!(#name: #ty,)
        })
        .collect()
}

/// `pattern: Type, ...`, as the user wrote it.
pub(super) fn patterns(cached: &Cached) -> TokenStream {
    cached
        .parameters
        .iter()
        .map(|parameter| {
            let (attributes, pattern, ty) =
                (&parameter.attributes, &parameter.pattern, &parameter.ty);
            quote!(#(#attributes)* #pattern: #ty,)
        })
        .collect()
}

/// `name, ...`, for a call.
pub(super) fn names(cached: &Cached) -> TokenStream {
    let names = cached.parameters.iter().map(|parameter| &parameter.name);
    quote!(#(#names,)*)
}

/// The function's type arguments for a call, for those that cannot be inferred.
pub(super) fn turbofish(cached: &Cached) -> TokenStream {
    let idents = type_parameters(&cached.function.signature.generics);
    if idents.is_empty() {
        TokenStream::new()
    } else {
        code!(::<#(#idents,)*>)
    }
}

/// The names of type and const parameters.
pub(super) fn type_parameters(generics: &Generics) -> Vec<&syn::Ident> {
    generics.params.iter().filter_map(type_parameter).collect()
}

/// The name of a type or const parameter.
pub(super) fn type_parameter(param: &GenericParam) -> Option<&syn::Ident> {
    match param {
        GenericParam::Type(param) => Some(&param.ident),
        GenericParam::Const(param) => Some(&param.ident),
        _ => None,
    }
}

fn immutable(receiver: &Receiver) -> Receiver {
    Receiver {
        mutability: None,
        ..receiver.clone()
    }
}

/// The function's generics and argument types, with one lifetime in place of all free ones.
pub(super) struct OneLifetime {
    pub(super) lifetime: Lifetime,
    pub(super) generics: Generics,
    /// The types of all arguments, the receiver first.
    pub(super) types: Vec<Type>,
}

impl OneLifetime {
    pub(super) fn new(cached: &Cached) -> Self {
        let mut generics = cached.function.signature.generics.clone();
        let lifetime = Lifetime::new("'cachier", Span::call_site());
        let own = generics
            .lifetimes()
            .map(|param| param.lifetime.clone())
            .collect();
        let mut unify = Unify {
            own,
            lifetime: &lifetime,
        };
        let receiver = cached.receiver.map(receiver_type);
        let parameters = cached
            .parameters
            .iter()
            .map(|parameter| parameter.ty.clone());
        let mut types: Vec<Type> = receiver.into_iter().chain(parameters).collect();
        if let Some(header) = cached.in_impl_of_trait() {
            types.iter_mut().for_each(|ty| header.write_out(ty));
        }
        types.iter_mut().for_each(|ty| unify.visit_type_mut(ty));
        unify.visit_generics_mut(&mut generics);
        name_impl_traits(&mut types, &mut generics);
        generics.params = keep_types(generics.params);
        if let Some(clause) = &mut generics.where_clause {
            let predicates = std::mem::take(&mut clause.predicates);
            clause.predicates = predicates
                .into_iter()
                .filter(|predicate| !matches!(predicate, WherePredicate::Lifetime(_)))
                .collect();
        }
        generics.params.insert(0, syn::parse_quote!(#lifetime));
        Self {
            lifetime,
            generics,
            types,
        }
    }
}

type Params = syn::punctuated::Punctuated<GenericParam, syn::Token![,]>;

fn keep_types(params: Params) -> Params {
    params
        .into_iter()
        .filter(|param| !matches!(param, GenericParam::Lifetime(_)))
        .collect()
}

/// Replaces each `impl Trait` argument by a type parameter.
fn name_impl_traits(types: &mut [Type], generics: &mut Generics) {
    struct Name<'g>(&'g mut Generics);
    impl VisitMut for Name<'_> {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            visit_mut::visit_type_mut(self, ty);
            if let Type::ImplTrait(opaque) = ty {
                let name = quote::format_ident!("Impl{}", self.0.params.len());
                let bounds = &opaque.bounds;
                self.0.params.push(syn::parse_quote!(#name: #bounds));
                *ty = syn::parse_quote!(#name);
            }
        }
    }
    let mut name = Name(generics);
    types.iter_mut().for_each(|ty| name.visit_type_mut(ty));
}

fn receiver_type(receiver: &Receiver) -> Type {
    match &receiver.kind {
        ReceiverKind::Typed(_, ty) => (**ty).clone(),
        ReceiverKind::Reference(and, lifetime, mutability) => {
            syn::parse_quote!(#and #lifetime #mutability Self)
        }
        _ => syn::parse_quote!(Self),
    }
}

/// Replaces all elided and declared lifetimes by one.
struct Unify<'l> {
    own: Vec<Lifetime>,
    lifetime: &'l Lifetime,
}

impl VisitMut for Unify<'_> {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        reference
            .lifetime
            .get_or_insert_with(|| self.lifetime.clone());
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" || self.own.contains(lifetime) {
            *lifetime = self.lifetime.clone();
        }
    }

    // Lifetimes elided inside a function pointer are its own.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments_mut(
        &mut self,
        _: &mut syn::ParenthesizedGenericArguments,
    ) {
    }
}

/// A type for places where the function's lifetimes have no names.
pub(super) fn without_lifetimes(cached: &Cached, ty: &Type) -> TokenStream {
    let own = cached
        .function
        .signature
        .generics
        .lifetimes()
        .map(|param| param.lifetime.clone())
        .collect();
    let mut ty = ty.clone();
    let anonymous = Lifetime::new("'_", Span::call_site());
    Unify {
        own,
        lifetime: &anonymous,
    }
    .visit_type_mut(&mut ty);
    ty.to_token_stream()
}
