//! The attributes `#[cachier]` and `#[cachier::methods]`, documented in their re-exports `cachier::cachier` and
//! `cachier::methods`.
//!
//! Expansion has four phases: `parse` turns tokens into syntax, `model` syntax into meaning, `validate` finds
//! contradictions, `expand` generates code. All errors are reported together. `surroundings` looks at what stands around the
//! function, for errors alone.

mod diagnostics;
mod expand;
mod fingerprint;
mod function;
mod methods;
mod model;
mod package;
mod parse;
mod surroundings;
mod validate;

use diagnostics::Errors;
use function::expanded;
use model::Arguments;
use package::Package;
use proc_macro2::TokenStream;

/// Caches a function.
#[proc_macro_attribute]
pub fn cachier(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    attribute(arguments.into(), item.into(), Package::being_built()).into()
}

/// Caches the methods of an impl that have `#[cachier]`.
#[proc_macro_attribute]
pub fn methods(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    methods::methods(arguments.into(), item.into(), &Package::being_built()).into()
}

fn attribute(arguments: TokenStream, item: TokenStream, package: Package) -> TokenStream {
    let mut errors = Errors::default();
    let written = parse::arguments(arguments, &mut errors);
    let arguments = Arguments::new(&written, &mut errors);
    let Some(function) = errors.note(parse::function(item.clone())) else {
        return errors
            .into_compile_errors()
            .into_iter()
            .chain(item)
            .collect();
    };
    expanded(&arguments, &function, package, errors).item
}
