//! Identities of functions, in storage and metrics, derived from the compiler's type names. Pure.

use crate::options::Options;

/// The attribute's description of its function, passed at the first call.
#[doc(hidden)]
pub struct FunctionSpec {
    /// The path of the function, type parameters included.
    pub identity: String,
    /// The same path without type arguments.
    pub path: String,
    /// The package of the crate that holds it.
    pub package: Package,
    /// The arguments of the attribute.
    pub options: Options,
}

impl FunctionSpec {
    /// The spec of a method of a trait's impl whose static stands in another trait, made for that impl.
    #[must_use]
    pub fn in_impl_of_trait(self) -> Self {
        Self {
            path: path_in_impl(&self.path, &self.identity),
            ..self
        }
    }
}

/// The package of the crate that holds a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Package {
    pub(crate) name: &'static str,
    /// The hash of the folder it is built in, where that matters.
    pub(crate) folder: Option<u64>,
}

impl Package {
    /// The package of this name, wherever it is built.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self { name, folder: None }
    }

    /// The package of this name, built in the folder of this hash.
    #[must_use]
    pub const fn built_in(name: &'static str, folder: u64) -> Self {
        Self {
            name,
            folder: Some(folder),
        }
    }
}

/// The crate of a module: stands for the package in builds without cargo.
#[must_use]
pub fn crate_of(module: &'static str) -> &'static str {
    module.split("::").next().unwrap_or(module)
}

/// The type name of a marker, which tells instantiations apart.
pub fn name_of<M>(_: &M) -> &'static str {
    std::any::type_name::<M>()
}

/// The path of the method around or next to a marker: `a::S<u8>::get` for `a::S<u8>::get_cache::{{closure}}`.
pub fn identity_of_method(marker: &str, name: &str) -> String {
    let path = without_closures(marker);
    let (parent, last) = split_last_segment(path);
    let type_arguments = last.find('<').map_or("", |start| &last[start..]);
    without_lifetimes(&format!("{parent}{name}{type_arguments}"))
}

/// The path of the function whose companion is `companion`, with the type arguments of the marker.
pub fn identity_of_function(companion: &str, marker: &str) -> String {
    let (_, last) = split_last_segment(without_closures(marker));
    let type_arguments = last.find('<').map_or("", |start| &last[start..]);
    without_lifetimes(&format!("{companion}{type_arguments}"))
}

/// The path of a method of all of an impl: the type of `place`, which stands in a trait made for that impl and generic as it
/// is, and the trait of `identity`, which is one instantiation.
///
/// `<a::S<_> as b::Tr<_>>::get` for `<a::S<_> as c::Made<_>>::get` and `<a::S<u8> as b::Tr<u8>>::get`.
fn path_in_impl(place: &str, identity: &str) -> String {
    let (Some((of, made)), Some((_, known))) = (qualified(place), qualified(identity)) else {
        return identity.to_owned();
    };
    let method = &place[of.len() + made.len() + "< as ".len()..];
    let made = without_lifetimes(made);
    let of_trait = match made.find('<') {
        Some(arguments) => {
            let end = known.find('<').unwrap_or(known.len());
            format!("{}{}", &known[..end], &made[arguments..])
        }
        None => known.to_owned(),
    };
    format!("<{of} as {of_trait}{method}")
}

/// Type and trait in `<a::S<u8> as a::Tr<u8>>::get`.
fn qualified(path: &str) -> Option<(&str, &str)> {
    let inside = path.strip_prefix('<')?;
    let (mut depth, mut end_of_type) = (0_usize, None);
    for (index, character) in inside.char_indices() {
        match character {
            '<' => depth += 1,
            '>' if inside[..index].ends_with('-') => {}
            '>' if depth == 0 => {
                let start: usize = end_of_type?;
                return Some((&inside[..start], &inside[start + " as ".len()..index]));
            }
            '>' => depth -= 1,
            ' ' if depth == 0 && inside[index..].starts_with(" as ") => end_of_type = Some(index),
            _ => {}
        }
    }
    None
}

/// The name of a function in storage: its package, which holds no colon, and its name. Crate names alone need not be unique.
pub(crate) fn storage_name(spec: &FunctionSpec) -> String {
    format!("{}:{}", spec.package.name, typed_name(spec))
}

/// The name of a function, or the one that its attribute gives it, with type arguments.
pub(crate) fn typed_name(spec: &FunctionSpec) -> String {
    match spec.options.name {
        Some(name) => format!("{name}{}", type_arguments(&spec.identity)),
        None => spec.identity.clone(),
    }
}

/// The name of a function in metrics: without type arguments, so that all instantiations share it.
pub(crate) fn name(spec: &FunctionSpec) -> String {
    match spec.options.name {
        Some(name) => name.to_owned(),
        None => without_type_arguments(&spec.path),
    }
}

/// The path without lifetimes, which the compiler shows inconsistently.
fn without_lifetimes(path: &str) -> String {
    path.replace("'_, ", "").replace("<'_>", "")
}

/// Markers are closures in the function, possibly in its future, or stand in the function's static.
fn without_closures(marker: &str) -> &str {
    let in_static = "::SITE::{{closure}}::Place";
    let mut path = marker.strip_suffix(in_static).unwrap_or(marker);
    while let Some(shorter) = path.strip_suffix("::{{closure}}") {
        path = shorter;
    }
    path
}

/// The path up to and including its last `::` outside angle brackets, and what follows it.
fn split_last_segment(path: &str) -> (&str, &str) {
    let mut depth = 0_usize;
    let mut start = 0;
    for (index, pair) in path.as_bytes().windows(2).enumerate() {
        match pair {
            b"->" => {}
            [b'<', _] => depth += 1,
            [b'>', _] if index == 0 || path.as_bytes()[index - 1] != b'-' => {
                depth = depth.saturating_sub(1)
            }
            b"::" if depth == 0 => start = index + 2,
            _ => {}
        }
    }
    path.split_at(start)
}

/// The path without type arguments: `a::S::get` for `a::S<u8>::get`.
///
/// Angle brackets of an impl stay: `<a::S<u8> as a::Tr>::get`, `b::<impl a::S<u8>>::get`.
fn without_type_arguments(path: &str) -> String {
    let mut depth = 0_usize;
    let mut short = String::with_capacity(path.len());
    let mut previous = ' ';
    let mut opened_by_impl = Vec::new();
    for character in path.chars() {
        match character {
            '<' => {
                let is_impl = depth == 0 && !(previous.is_alphanumeric() || previous == '_');
                opened_by_impl.push(is_impl);
                if is_impl {
                    short.push('<');
                } else {
                    depth += 1;
                }
            }
            '>' if previous != '-' => match opened_by_impl.pop() {
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

/// The type arguments of a path, as written there: `<u8>` for `a::S<u8>::get`.
fn type_arguments(path: &str) -> String {
    match (path.find('<'), path.rfind('>')) {
        (Some(start), Some(end)) if start < end => path[start..=end].to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(identity: &str, name: Option<&'static str>) -> FunctionSpec {
        FunctionSpec {
            identity: identity.to_owned(),
            path: identity.to_owned(),
            package: Package::named("pack"),
            options: Options {
                name,
                ..Options::new()
            },
        }
    }

    #[test]
    fn method_identities_come_from_their_markers() {
        let cases = [
            ("a::S<u8>::get::{{closure}}", "a::S<u8>::get"),
            (
                "a::S<u8>::__cachier_get::{{closure}}::{{closure}}",
                "a::S<u8>::get",
            ),
            (
                "a::S<b::C>::get_cache<d::E<u8>>::{{closure}}",
                "a::S<b::C>::get<d::E<u8>>",
            ),
            ("a::S::get_cache<'_>::{{closure}}", "a::S::get"),
            ("a::S::get_cache<'_, u8>::{{closure}}", "a::S::get<u8>"),
            (
                "<a::S<u8> as a::Tr<u16>>::get::{{closure}}",
                "<a::S<u8> as a::Tr<u16>>::get",
            ),
            (
                "<a::S<fn(u8) -> b::C> as a::Tr>::get",
                "<a::S<fn(u8) -> b::C> as a::Tr>::get",
            ),
            (
                "b::<impl a::S<u8>>::get_cache::{{closure}}",
                "b::<impl a::S<u8>>::get",
            ),
            (
                "<_ as a::Tr>::get::{{closure}}::SITE::{{closure}}::Place",
                "<_ as a::Tr>::get",
            ),
            (
                "a::S<_>::__cachier_get_site::SITE::{{closure}}::Place",
                "a::S<_>::get",
            ),
        ];
        for (marker, identity) in cases {
            assert_eq!(identity_of_method(marker, "get"), identity);
        }
    }

    #[test]
    fn paths_in_impls_are_of_the_impls_trait() {
        let cases = [
            (
                "<a::S as c::Made>::get",
                "<a::S as b::Tr<u8>>::get",
                "<a::S as b::Tr<u8>>::get",
            ),
            (
                "<a::S<_> as c::Made<_>>::get",
                "<a::S<u8> as b::Tr>::get",
                "<a::S<_> as b::Tr<_>>::get",
            ),
            (
                "<a::S as c::Made<_>>::get",
                "<a::S as b::Tr<u8>>::get",
                "<a::S as b::Tr<_>>::get",
            ),
            (
                "<_ as c::Made<'_, _>>::get",
                "<u8 as b::Tr>::get",
                "<_ as b::Tr<_>>::get",
            ),
            (
                "<a::S as c::Made<'_>>::get",
                "<a::S as b::Tr<&str>>::get",
                "<a::S as b::Tr<&str>>::get",
            ),
            (
                "<fn(_) -> a::S<_> as c::Made<_>>::get",
                "<fn(u8) -> a::S<u8> as b::Tr>::get",
                "<fn(_) -> a::S<_> as b::Tr<_>>::get",
            ),
        ];
        for (place, identity, path) in cases {
            assert_eq!(path_in_impl(place, identity), path);
        }
    }

    #[test]
    fn generic_identities_have_type_arguments() {
        let identity = |marker| identity_of_function("a::f", marker);
        assert_eq!(identity("a::f<u8>::{{closure}}"), "a::f<u8>");
        assert_eq!(
            identity("a::f::__dispatch<b::C<u8>, d>::{{closure}}"),
            "a::f<b::C<u8>, d>"
        );
        assert_eq!(identity(""), "a::f");
    }

    #[test]
    fn metrics_names_have_no_type_arguments() {
        let cases = [
            ("a::f", "a::f"),
            ("a::S<b::C<u8>>::get<u16>", "a::S::get"),
            ("<a::S<u8> as a::Tr<u16>>::get", "<a::S as a::Tr>::get"),
            ("a::f<fn(u8) -> u16>", "a::f"),
            ("b::<impl a::S<u8>>::get<u16>", "b::<impl a::S>::get"),
            (
                "b::<impl a::Tr<u8> for c::V<u8>>::get",
                "b::<impl a::Tr for c::V>::get",
            ),
            ("<(a::S<_>, _) as a::Tr>::get", "<(a::S, _) as a::Tr>::get"),
        ];
        for (identity, short) in cases {
            assert_eq!(name(&spec(identity, None)), short);
            assert_eq!(typed_name(&spec(identity, None)), identity);
        }
    }

    #[test]
    fn storage_names_start_with_the_package() {
        for (given, shown, stored) in [
            (None, "a::f<u8>", "pack:a::f<u8>"),
            (Some("fetch"), "fetch<u8>", "pack:fetch<u8>"),
        ] {
            let spec = spec("a::f<u8>", given);
            assert_eq!(typed_name(&spec), shown);
            assert_eq!(storage_name(&spec), stored);
        }
        assert_eq!(crate_of("a::b::c"), "a");
        assert_eq!(crate_of("a"), "a");
    }

    #[test]
    fn instantiations_of_a_named_function_differ() {
        let eight = spec("a::f<u8>", Some("fetch"));
        let sixteen = spec("a::f<u16>", Some("fetch"));
        assert_eq!(typed_name(&eight), "fetch<u8>");
        assert_ne!(typed_name(&eight), typed_name(&sixteen));
        assert_eq!(name(&eight), "fetch");
        assert_eq!(name(&spec("a::f", Some("fetch"))), "fetch");
    }
}
