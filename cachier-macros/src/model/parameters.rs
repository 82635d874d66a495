//! The arguments of the annotated function, as the wrapper and the companion deal with them.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{
    AngleBracketedGenericArguments, Attribute, FnArg, GenericArgument, Ident, Lifetime, Pat,
    PatType, PathArguments, Type, TypeReference,
};

use super::Arguments;
use crate::parse::Function;

/// An argument other than the receiver.
pub(crate) struct Parameter {
    pub(crate) attributes: Vec<Attribute>,
    /// What the user wrote before the colon; it stays with the body.
    pub(crate) pattern: Pat,
    /// The name outside of the body.
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    pub(crate) passing: Passing,
    pub(crate) role: Role,
}

/// How an argument comes, as far as its tokens tell.
pub(crate) enum Passing {
    Value,
    Reference(TypeReference),
    OptionalReference(TypeReference),
}

/// What an argument is to the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Keyed,
    Skipped,
}

impl Parameter {
    /// All arguments but the receiver, in order.
    pub(crate) fn all(arguments: &Arguments, function: &Function) -> Vec<Self> {
        let typed = function
            .signature
            .inputs
            .iter()
            .filter_map(|input| match input {
                FnArg::Typed(argument) => Some(argument),
                FnArg::Receiver(_) => None,
            });
        typed
            .enumerate()
            .map(|(index, argument)| Self::new(index, argument, arguments))
            .collect()
    }

    fn new(index: usize, argument: &PatType, arguments: &Arguments) -> Self {
        let name = match &*argument.pat {
            Pat::Ident(pattern) => pattern.ident.clone(),
            // No name of the user's can meet this one: it belongs to the macro.
            _ => format_ident!("arg{index}", span = Span::mixed_site()),
        };
        let skip = arguments.skip.as_ref();
        let is_skipped = skip.is_some_and(|skip| skip.value.contains(&name.to_string()));
        Self {
            attributes: argument.attrs.clone(),
            pattern: (*argument.pat).clone(),
            role: if is_skipped {
                Role::Skipped
            } else {
                Role::Keyed
            },
            passing: Passing::of(&argument.ty),
            ty: (*argument.ty).clone(),
            name,
        }
    }

    /// An expression that borrows the argument.
    pub(crate) fn borrowed(&self) -> TokenStream {
        let name = &self.name;
        match self.passing {
            Passing::Reference(_) => quote!(#name),
            Passing::Value | Passing::OptionalReference(_) => quote!(&#name),
        }
    }

    /// The part of the type that the outermost reference leaves, and that a key has to own.
    pub(crate) fn owned_type(&self) -> &Type {
        match &self.passing {
            Passing::Value => &self.ty,
            Passing::Reference(reference) | Passing::OptionalReference(reference) => {
                &reference.elem
            }
        }
    }

    /// How the background is given the argument: a `'static` reference goes there as it is.
    pub(crate) fn background_passing(&self) -> &Passing {
        match &self.passing {
            Passing::Reference(reference) | Passing::OptionalReference(reference)
                if is_static(reference.lifetime.as_ref()) =>
            {
                &Passing::Value
            }
            passing => passing,
        }
    }
}

impl Passing {
    fn of(ty: &Type) -> Self {
        match ty {
            Type::Reference(reference) => Self::Reference(reference.clone()),
            Type::Group(group) => Self::of(&group.elem),
            Type::Paren(paren) => Self::of(&paren.elem),
            Type::Path(path) => match path.path.segments.last() {
                Some(last) if last.ident == "Option" => Self::of_option(&last.arguments),
                _ => Self::Value,
            },
            _ => Self::Value,
        }
    }

    fn of_option(arguments: &PathArguments) -> Self {
        let PathArguments::AngleBracketed(AngleBracketedGenericArguments { args, .. }) = arguments
        else {
            return Self::Value;
        };
        match args.first() {
            Some(GenericArgument::Type(Type::Reference(reference))) => {
                Self::OptionalReference(reference.clone())
            }
            _ => Self::Value,
        }
    }
}

/// Whether what has this lifetime borrows from no call.
pub(crate) fn is_static(lifetime: Option<&Lifetime>) -> bool {
    lifetime.is_some_and(|lifetime| lifetime.ident == "static")
}
