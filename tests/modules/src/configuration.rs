//! Conditional compilation for tests.

use syn::punctuated::Punctuated;
use syn::{Meta, Token};

/// Whether this attribute excludes what it is on from every build but tests.
pub(crate) fn is_for_tests(attribute: &Meta) -> bool {
    let condition = match attribute {
        Meta::List(list) if list.path.is_ident("cfg") => list.parse_args().ok(),
        _ => None,
    };
    attribute.path().is_ident("test")
        || condition.is_some_and(|condition| holds(&condition) == Some(false))
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
