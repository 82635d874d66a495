//! The name of a function in storage and metrics, read off what the compiler calls it. Pure.

use crate::function::Definition;

/// What the attribute puts before the name of a method's hidden part.
const HIDDEN_METHOD: &str = "__cachier_";
/// The hidden part of a function, inside the companion that has the function's name.
const HIDDEN_FUNCTION: &str = "::__dispatch";

/// The name of a function in storage: its own, or the one that its attribute gives it, type arguments included.
pub(crate) fn storage_name(definition: &Definition) -> String {
    match definition.options.name {
        Some(name) => format!("{name}{}", type_arguments(&definition.identity)),
        None => clean(&definition.identity),
    }
}

/// The name of a function in metrics: without type arguments, so that all instantiations have one.
pub(crate) fn metrics_name(definition: &Definition) -> String {
    match definition.options.name {
        Some(name) => name.to_owned(),
        None => without_type_arguments(&clean(&definition.identity)),
    }
}

/// Whether two markers belong to the same instantiation of a function.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    one == other || clean(one) == clean(other)
}

/// The path of the function that a marker stands in: `a::S<u8>::__cachier_get::{{closure}}` stands in `a::S<u8>::get`.
fn clean(marker: &str) -> String {
    let mut path = marker;
    while let Some(shorter) = path.strip_suffix("::{{closure}}") {
        path = shorter;
    }
    path.replace(HIDDEN_METHOD, "").replace(HIDDEN_FUNCTION, "")
}

/// The path without the arguments of its types: `a::S::get` for `a::S<u8>::get`.
///
/// A path in angle brackets at the very start, `<a::S<u8> as a::Tr>::get`, stays one.
fn without_type_arguments(path: &str) -> String {
    let mut depth = 0_usize;
    let mut short = String::with_capacity(path.len());
    let mut previous = ' ';
    let mut opened_by_path = Vec::new();
    for character in path.chars() {
        match character {
            '<' => {
                let is_qualified = depth == 0 && !(previous.is_alphanumeric() || previous == '_' || previous == ':');
                opened_by_path.push(is_qualified);
                if is_qualified {
                    short.push('<');
                } else {
                    depth += 1;
                }
            }
            '>' if previous != '-' => match opened_by_path.pop() {
                Some(true) => short.push('>'),
                Some(false) => depth -= 1,
                None => {}
            },
            _ if depth == 0 => short.push(character),
            _ => {}
        }
        previous = character;
    }
    short
}

/// The arguments of the types in a path, as written there: `<u8>` for `a::S<u8>::get`.
fn type_arguments(marker: &str) -> String {
    let path = clean(marker);
    match (path.find('<'), path.rfind('>')) {
        (Some(start), Some(end)) if start < end => path[start..=end].to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;

    fn definition(identity: &str, name: Option<&'static str>) -> Definition {
        Definition { identity: identity.to_owned(), options: Options { name, ..Options::new() } }
    }

    #[test]
    fn names_come_from_markers() {
        let cases = [
            ("app::forecast", "app::forecast", "app::forecast"),
            ("app::f<u8>::{{closure}}", "app::f<u8>", "app::f"),
            ("app::S<u8>::__cachier_get::{{closure}}::{{closure}}", "app::S<u8>::get", "app::S::get"),
            ("app::f::__dispatch<a::B<u8>, c>::{{closure}}", "app::f<a::B<u8>, c>", "app::f"),
            ("<app::S<u8> as app::Tr<u16>>::get::{{closure}}", "<app::S<u8> as app::Tr<u16>>::get", "<app::S as app::Tr>::get"),
            ("app::f<fn(u8) -> u16>::{{closure}}", "app::f<fn(u8) -> u16>", "app::f"),
        ];
        for (marker, storage, metrics) in cases {
            assert_eq!(storage_name(&definition(marker, None)), storage);
            assert_eq!(metrics_name(&definition(marker, None)), metrics);
        }
    }

    #[test]
    fn a_given_name_keeps_instantiations_apart() {
        let eight = definition("app::f<u8>::{{closure}}", Some("fetch"));
        let sixteen = definition("app::f<u16>::{{closure}}", Some("fetch"));
        assert_eq!(storage_name(&eight), "fetch<u8>");
        assert_ne!(storage_name(&eight), storage_name(&sixteen));
        assert_eq!(metrics_name(&eight), "fetch");
        assert_eq!(storage_name(&definition("app::f", Some("fetch"))), "fetch");
    }

    #[test]
    fn markers_in_the_function_and_in_its_hidden_parts_are_the_same() {
        assert!(is_same("a::S<u8>::get::{{closure}}", "a::S<u8>::__cachier_get::{{closure}}"));
        assert!(!is_same("a::S<u8>::get::{{closure}}", "a::S<u16>::get::{{closure}}"));
    }
}
