//! `#[cachier::methods]`: what `#[cachier]` does, for each method of an impl that has it, with the impl in view.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, Ident, Meta, Result};

use crate::diagnostics::Errors;
use crate::expand::Expanded;
use crate::function::expanded;
use crate::model::{Argument, Arguments, Companion};
use crate::package::Package;
use crate::parse::{Function, Implementation, Member};
use crate::validate::{self, Clash};
use crate::{expand, parse, surroundings};

/// A part of the impl, with the arguments of its attribute.
enum Part {
    Cached {
        arguments: Box<Arguments>,
        function: Box<Function>,
        errors: Errors,
    },
    Other(TokenStream),
}

pub(crate) fn methods(arguments: TokenStream, item: TokenStream, package: &Package) -> TokenStream {
    let mut errors = Errors::default();
    let companions = errors.note(parse::companions(arguments));
    let mut companions = companions.unwrap_or_default();
    let Some(mut implementation) = errors.note(parse::implementation(item.clone())) else {
        let errors = errors.into_compile_errors();
        return quote!(#errors #item);
    };
    let names = uncached_names(&implementation);
    let members = std::mem::take(&mut implementation.members);
    let mut parts: Vec<Part> = members.into_iter().map(part).collect();
    let methods: Vec<_> = parts.iter().filter_map(Part::method).collect();
    let header = &implementation.header;
    let surroundings = surroundings::of("", header.self_type.span());
    validate::implementation(
        header,
        &companions,
        methods.len(),
        &surroundings,
        &mut errors,
    );
    if validate::is_foreign(header, &companions, &surroundings) {
        // A place for them all the same, so that the compiler has nothing to add.
        companions.in_trait = Some(format_ident!("Companions"));
    }
    let clashes = validate::clashes(header, &methods, &names);
    let cached = parts.iter_mut().filter(|part| part.method().is_some());
    for (part, clash) in cached.zip(clashes) {
        if let Some(clash) = clash {
            part.refuse_companion(clash);
        }
    }
    let errors = errors.into_compile_errors();
    let members = parts.into_iter().map(|part| part.expanded(package));
    let whole = expand::implementation(&implementation, &companions, members.collect());
    quote!(#errors #whole)
}

/// The functions of the impl that are not cached.
fn uncached_names(implementation: &Implementation) -> Vec<Ident> {
    let members = implementation.members.iter();
    members
        .filter_map(|member| match member {
            Member::Other { function, .. } => function.clone(),
            Member::Cached { .. } => None,
        })
        .collect()
}

fn part(member: Member) -> Part {
    match member {
        Member::Cached {
            attribute,
            above,
            mut function,
        } => {
            let mut errors = Errors::default();
            let given = errors.note(arguments_of(&attribute)).unwrap_or_default();
            let written = parse::arguments(given, &mut errors);
            let arguments = Box::new(Arguments::new(&written, &mut errors));
            validate::take_macros_above(&arguments, &mut function, above, &mut errors);
            Part::Cached {
                arguments,
                function,
                errors,
            }
        }
        Member::Other { tokens, .. } => Part::Other(tokens),
    }
}

fn arguments_of(attribute: &Attribute) -> Result<TokenStream> {
    match &attribute.meta {
        Meta::Path(_) => Ok(TokenStream::new()),
        Meta::List(list) => Ok(list.tokens.clone()),
        Meta::NameValue(_) => Err(Error::new_spanned(
            attribute,
            "`#[cachier(..)]` has its arguments in parentheses",
        )),
    }
}

impl Part {
    fn method(&self) -> Option<(&Arguments, &Function)> {
        match self {
            Self::Cached {
                arguments,
                function,
                ..
            } => Some((arguments, function)),
            Self::Other(_) => None,
        }
    }

    /// Another function has the name of the method or of its companion. Without the companion there is but one error.
    fn refuse_companion(&mut self, clash: Clash) {
        if let Self::Cached {
            arguments,
            function,
            errors,
        } = self
        {
            let method = &function.signature.ident;
            let message = match clash {
                Clash::Method => format!(
                    "there is another method `{method}` in this impl; give one of them another name"
                ),
                Clash::Companion(companion) => format!(
                    "the companion of `{method}` and another function are named `{companion}`; write `companion = other_name`"
                ),
            };
            errors.at(method.span(), message);
            arguments.companion = Some(Argument {
                name: method.clone(),
                value: Companion::Absent,
            });
        }
    }

    fn expanded(self, package: &Package) -> Expanded {
        match self {
            Self::Cached {
                arguments,
                function,
                errors,
            } => expanded(&arguments, &function, package.clone(), errors),
            Self::Other(item) => Expanded {
                item,
                outside: None,
            },
        }
    }
}
