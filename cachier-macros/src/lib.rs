//! The `#[cachier]` attribute. Users reach it as `cachier::cachier`, where it is documented.
//!
//! An expansion goes through four phases: `parse` makes syntax of tokens, `model` makes meaning of syntax, `validate`
//! finds what does not fit together, `expand` writes the code. All errors are reported together.

mod diagnostics;
mod expand;
mod fingerprint;
mod model;
mod package;
mod parse;
mod validate;

use diagnostics::Errors;
use model::{Arguments, Cached};
use package::Package;
use proc_macro2::TokenStream;

/// Makes a function a cached one.
#[proc_macro_attribute]
pub fn cachier(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    attribute(arguments.into(), item.into(), Package::being_built()).into()
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
    validate::validate(&arguments, &function, &mut errors);
    let cached = Cached::new(&arguments, &function, package);
    if errors.is_empty() {
        expand::expand(&cached)
    } else {
        expand::fallback(&cached, errors.into_compile_errors())
    }
}
