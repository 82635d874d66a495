//! The function's arguments, as seen by wrapper and companion.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::visit::{self, Visit};
use syn::{
    AngleBracketedGenericArguments, Attribute, FnArg, GenericArgument, Ident, Lifetime,
    ParenthesizedGenericArguments, Pat, PatType, PathArguments, Type, TypeFnPtr, TypeReference,
};

use super::arguments::Arguments;
use crate::parse::Function;

/// The maximal number of arguments in a key, and of a method's companion.
pub(crate) const MAX_KEY_ARGUMENTS: usize = 12;

/// An argument other than the receiver.
pub(crate) struct Parameter {
    pub(crate) attributes: Vec<Attribute>,
    /// The user's pattern, used by the body.
    pub(crate) pattern: Pat,
    /// The name outside the body.
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    pub(crate) passing: Passing,
    pub(crate) role: Role,
}

/// How an argument is passed, judging by its tokens.
pub(crate) enum Passing {
    Value,
    Reference(TypeReference),
    OptionalReference(TypeReference),
}

/// The role of an argument in the key.
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
            // Macro hygiene: cannot collide with the user's names.
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

    /// The type without its outermost reference, which an in-memory key owns.
    pub(crate) fn owned_type(&self) -> &Type {
        match &self.passing {
            Passing::Value => &self.ty,
            Passing::Reference(reference) | Passing::OptionalReference(reference) => {
                &reference.elem
            }
        }
    }

    /// Whether a key in memory has the encoding of the argument: it cannot own what borrows behind the outermost reference.
    pub(crate) fn is_encoded(&self) -> bool {
        let mut borrowing = Borrowing(false);
        borrowing.visit_type(self.owned_type());
        borrowing.0
    }

    /// How the background takes the argument: `'static` references as they are.
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

/// Whether the lifetime is `'static`.
pub(crate) fn is_static(lifetime: Option<&Lifetime>) -> bool {
    lifetime.is_some_and(|lifetime| lifetime.ident == "static")
}

/// Finds borrows.
struct Borrowing(bool);

impl<'ast> Visit<'ast> for Borrowing {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        self.0 |= !is_static(reference.lifetime.as_ref());
        visit::visit_type_reference(self, reference);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        self.0 |= !is_static(Some(lifetime));
    }

    // References in a function pointer's signature borrow nothing.
    fn visit_type_fn_ptr(&mut self, _: &'ast TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast ParenthesizedGenericArguments) {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn is_encoded(ty: &str) -> bool {
        let function = format!("fn f<'a>(a: {ty}) {{}}");
        let function = crate::parse::function(function.parse().unwrap()).unwrap();
        Parameter::all(&Arguments::default(), &function)[0].is_encoded()
    }

    #[test]
    fn keys_own_behind_one_reference_only() {
        let borrowing = [
            "&[&str]",
            "Cow<'_, str>",
            "&Request<'a>",
            "Option<&&str>",
            "HashMap<&str, u8>",
            "&'static [&'a str]",
        ];
        for ty in borrowing {
            assert!(is_encoded(ty), "{ty}");
        }
        let owned = [
            "&str",
            "Option<&[u8]>",
            "&'static [&'static str]",
            "fn(&str) -> &str",
        ];
        for ty in owned {
            assert!(!is_encoded(ty), "{ty}");
        }
    }
}
