//! Conditional compilation for tests.

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// Whether these attributes exclude an item from every build but tests.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute
                    .parse_args()
                    .is_ok_and(|meta| holds(&meta) == Some(false))
    })
}

/// Whether a condition holds without `test`; `None` if that depends on other options.
fn holds(condition: &Meta) -> Option<bool> {
    match condition {
        Meta::Path(path) if path.is_ident("test") => Some(false),
        Meta::List(list) => {
            let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
            let parts = list.parse_args_with(parse).ok()?;
            let parts: Vec<_> = parts.iter().map(holds).collect();
            let all = |value| parts.iter().all(|part| *part == Some(value));
            let any = |value| parts.contains(&Some(value));
            match list.path.get_ident()?.to_string().as_str() {
                "all" if any(false) => Some(false),
                "all" if all(true) => Some(true),
                "any" if any(true) => Some(true),
                "any" if all(false) => Some(false),
                "not" => parts.first()?.map(|part| !part),
                _ => None,
            }
        }
        _ => None,
    }
}
