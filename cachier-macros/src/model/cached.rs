//! An attribute and its function combined: everything that expansion needs.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{FnArg, GenericParam, Ident, Receiver, ReturnType, Type};

use super::arguments::{Argument, Arguments};
use super::choices::{Backend, BuiltIn};
use super::parameters::{Parameter, Role};
use super::placement::Placement;
use super::values::{Companion, Flag};
use crate::package::Package;
use crate::parse::{Function, Header};

/// A cached function.
pub(crate) struct Cached<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) function: &'a Function,
    pub(crate) receiver: Option<&'a Receiver>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) companion: CompanionKind,
    pub(crate) store: Store,
    pub(crate) typing: Typing,
    pub(crate) package: Package,
    /// The path of the runtime crate.
    pub(crate) krate: TokenStream,
}

/// The definition of the companion.
pub(crate) enum CompanionKind {
    /// An enum of this name, with the operations.
    Enum(Ident),
    /// A function of this name, which returns the operations.
    Function(Ident),
    /// None: everything is inside the function.
    None,
}

/// Where values are stored, as far as it affects types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Store {
    Memory,
    /// A persistent backend.
    Persistent,
    /// A persistent backend behind a near tier.
    Near,
}

/// Whether the types of key and value can be named where the function is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Typing {
    Typed,
    Erased,
}

impl<'a> Cached<'a> {
    /// Combines valid arguments with their function.
    pub(crate) fn new(arguments: &'a Arguments, function: &'a Function, package: Package) -> Self {
        let companion = CompanionKind::of(arguments, function);
        let is_typed = matches!(companion, CompanionKind::Enum(_))
            && arguments.key.is_none()
            && !has_type_parameters(function);
        Self {
            receiver: function.signature.receiver(),
            parameters: Parameter::all(arguments, function),
            store: Store::of(arguments),
            typing: if is_typed {
                Typing::Typed
            } else {
                Typing::Erased
            },
            krate: match &arguments.krate {
                Some(path) => {
                    let path = &path.value.0;
                    quote!(#path)
                }
                None => quote!(::cachier),
            },
            package,
            arguments,
            function,
            companion,
        }
    }

    pub(crate) fn is_async(&self) -> bool {
        self.function.signature.asyncness.is_some()
    }

    /// Whether calls may have different type arguments of the function itself.
    pub(crate) fn is_generic(&self) -> bool {
        has_type_parameters(self.function)
    }

    /// The impl of a trait around it, where the companion has its place outside of that.
    pub(crate) fn in_impl_of_trait(&self) -> Option<&'a Header> {
        let header = self.function.within.as_deref()?;
        let has_companion = !matches!(self.companion, CompanionKind::None);
        (has_companion && header.of_trait.is_some()).then_some(header)
    }

    pub(crate) fn has_metrics(&self) -> bool {
        is_on(&self.arguments.enable_metrics)
    }

    /// Whether the file backend may serve it.
    pub(crate) fn has_folder(&self) -> bool {
        let backend = self.arguments.backend.as_ref();
        matches!(
            backend.map(|argument| &argument.value),
            None | Some(Backend::BuiltIn(BuiltIn::File))
        )
    }

    /// Whether values can be recomputed in the background.
    pub(crate) fn has_background(&self) -> bool {
        self.arguments.recomputes_by().is_some()
    }

    pub(crate) fn allows_none(&self) -> bool {
        is_on(&self.arguments.allow_none)
    }

    /// Whether values are measured, as there is a bound of their bytes.
    pub(crate) fn is_bounded_by_bytes(&self) -> bool {
        self.arguments.capacity_bytes.is_some() || self.arguments.entry_size_limit.is_some()
    }

    /// The arguments in the key.
    pub(crate) fn keyed(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters
            .iter()
            .filter(|parameter| parameter.role == Role::Keyed)
    }

    /// The return type; `()` if omitted.
    pub(crate) fn returned(&self) -> TokenStream {
        match &self.function.signature.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, ty) => quote!(#ty),
        }
    }
}

impl CompanionKind {
    pub(crate) fn of(arguments: &Arguments, function: &Function) -> Self {
        let function_name = &function.signature.ident;
        let named = arguments.companion.as_ref().map(|argument| &argument.value);
        match (named, Placement::of(arguments, function)) {
            (Some(Companion::Absent), _) => Self::None,
            (Some(Companion::Named(name)), Placement::Free) => Self::Enum(name.clone()),
            (Some(Companion::Named(name)), _) => Self::Function(name.clone()),
            (None, Placement::Free) => Self::Enum(function_name.clone()),
            (None, _) => {
                let within = function.within.as_ref();
                let words = within.map(|header| header.words_of_trait());
                let words = words.unwrap_or_default();
                Self::Function(format_ident!("{function_name}{words}_cache"))
            }
        }
    }
}

impl Store {
    pub(crate) fn of(arguments: &Arguments) -> Self {
        let is_memory = arguments
            .backend
            .as_ref()
            .is_some_and(|argument| matches!(argument.value, Backend::BuiltIn(BuiltIn::Memory)));
        match (is_memory, &arguments.near_cache) {
            (true, _) => Self::Memory,
            (false, Some(_)) => Self::Near,
            (false, None) => Self::Persistent,
        }
    }
}

/// Whether a flag is on.
pub(crate) fn is_on(flag: &Option<Argument<Flag>>) -> bool {
    flag.as_ref().is_some_and(|flag| flag.value.0)
}

/// Whether a flag is off explicitly, which nothing overrides.
pub(crate) fn is_off(flag: &Option<Argument<Flag>>) -> bool {
    flag.as_ref().is_some_and(|flag| !flag.value.0)
}

fn has_type_parameters(function: &Function) -> bool {
    let signature = &function.signature;
    let generic = signature
        .generics
        .params
        .iter()
        .any(|param| !matches!(param, GenericParam::Lifetime(_)));
    generic
        || signature.inputs.iter().any(|input| match input {
            FnArg::Typed(argument) => has_impl_trait(&argument.ty),
            FnArg::Receiver(_) => false,
        })
}

/// Whether a type contains `impl Trait`.
fn has_impl_trait(ty: &Type) -> bool {
    struct Found(bool);
    impl<'ast> syn::visit::Visit<'ast> for Found {
        fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut found = Found(false);
    syn::visit::Visit::visit_type(&mut found, ty);
    found.0
}
