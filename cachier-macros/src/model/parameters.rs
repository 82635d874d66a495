//! The arguments of the annotated function, as the wrapper and the companion deal with them.

use proc_macro2::Span;
use quote::format_ident;
use syn::{Attribute, FnArg, Ident, Pat, PatType, Receiver, Type, TypeReference};

use super::Arguments;
use crate::parse::Function;

/// An argument with a type of its own.
pub(crate) struct Parameter {
    pub(crate) attributes: Vec<Attribute>,
    /// What the user wrote before the colon; it stays with the body.
    pub(crate) pattern: Pat,
    /// The name outside of the body.
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    pub(crate) role: Role,
}

/// What an argument is to the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Keyed,
    Skipped,
}

impl Parameter {
    /// The type behind the reference, where the argument is one.
    pub(crate) fn referent(&self) -> Option<&Type> {
        referent(&self.ty)
    }
}

/// All arguments but the receiver, in order.
pub(crate) fn parameters(arguments: &Arguments, function: &Function) -> Vec<Parameter> {
    let typed = function.signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(argument) => Some(argument),
        FnArg::Receiver(_) => None,
    });
    typed.enumerate().map(|(index, argument)| parameter(index, argument, arguments)).collect()
}

/// The receiver, if the function is a method.
pub(crate) fn receiver(function: &Function) -> Option<&Receiver> {
    function.signature.receiver()
}

fn parameter(index: usize, argument: &PatType, arguments: &Arguments) -> Parameter {
    let name = match &*argument.pat {
        Pat::Ident(pattern) => pattern.ident.clone(),
        // Other names of the function cannot meet this one: it belongs to the macro.
        _ => format_ident!("arg{index}", span = Span::mixed_site()),
    };
    let skipped = arguments.skip.as_ref().is_some_and(|skip| skip.value.contains(&name.to_string()));
    Parameter {
        attributes: argument.attrs.clone(),
        pattern: (*argument.pat).clone(),
        role: if skipped { Role::Skipped } else { Role::Keyed },
        ty: (*argument.ty).clone(),
        name,
    }
}

fn referent(ty: &Type) -> Option<&Type> {
    match ty {
        Type::Reference(TypeReference { elem, .. }) => Some(elem),
        Type::Group(group) => referent(&group.elem),
        Type::Paren(paren) => referent(&paren.elem),
        _ => None,
    }
}
