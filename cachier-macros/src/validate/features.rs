//! Backends whose feature is off.

use proc_macro2::Span;

use crate::diagnostics::Errors;
use crate::model::{Arguments, Backend, BuiltIn};

pub(super) fn check(arguments: &Arguments, errors: &mut Errors) {
    check_against(is_enabled, arguments, errors);
    if cfg!(not(feature = "persistent")) {
        check_in_memory(arguments, errors);
    }
}

/// Where there are no stores, each function names the memory.
fn check_in_memory(arguments: &Arguments, errors: &mut Errors) {
    let place = match &arguments.backend {
        None => Span::call_site(),
        Some(argument) if matches!(argument.value, Backend::Registered(_)) => argument.span(),
        Some(_) => return,
    };
    errors.at(place, WITHOUT_STORES);
}

const WITHOUT_STORES: &str = "values are kept in a store, which needs the feature of one, such as `features = [\"file\"]` for \
     cachier in Cargo.toml, or `persistent` for one of your own; or keep them in the process with `backend = \"memory\"`";

/// Whether the runtime has the backend.
fn is_enabled(backend: BuiltIn) -> bool {
    match backend {
        BuiltIn::Memory => cfg!(feature = "memory"),
        BuiltIn::File => cfg!(feature = "file"),
        BuiltIn::Redis => cfg!(feature = "redis"),
        BuiltIn::Sql => cfg!(feature = "sql"),
        BuiltIn::Mongo => cfg!(feature = "mongo"),
        BuiltIn::S3 => cfg!(feature = "s3"),
    }
}

/// The feature that enables a backend, or several of which each does.
fn feature(backend: BuiltIn) -> String {
    match backend {
        BuiltIn::Sql => "`sqlite`, `postgres` or `mysql` of cachier: add one, such as `features = [\"sqlite\"]`, in Cargo.toml".to_owned(),
        _ => needed(backend.name()),
    }
}

fn needed(feature: &str) -> String {
    format!("`{feature}` of cachier: add `features = [\"{feature}\"]` in Cargo.toml")
}

fn check_against(is_enabled: impl Fn(BuiltIn) -> bool, arguments: &Arguments, errors: &mut Errors) {
    if let Some(argument) = &arguments.backend
        && let Backend::BuiltIn(backend) = argument.value
        && !is_enabled(backend)
    {
        let (name, feature) = (backend.name(), feature(backend));
        errors.at(
            argument.span(),
            format!("the backend `{name}` needs the feature {feature}"),
        );
    }
    if let (Some(argument), false) = (&arguments.near_cache, is_enabled(BuiltIn::Memory)) {
        errors.at(
            argument.span(),
            format!("`near_cache` needs the feature {}", needed("memory")),
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn faults(arguments: &str) -> Vec<(String, String)> {
        let mut errors = Errors::default();
        let written = crate::parse::arguments(arguments.parse().unwrap(), &mut errors);
        let arguments = Arguments::new(&written, &mut errors);
        check_against(|backend| backend == BuiltIn::File, &arguments, &mut errors);
        errors.described()
    }

    #[test]
    fn without_stores_functions_name_the_memory() {
        let faults = |arguments: &str| {
            let mut errors = Errors::default();
            let written = crate::parse::arguments(arguments.parse().unwrap(), &mut errors);
            let arguments = Arguments::new(&written, &mut errors);
            check_in_memory(&arguments, &mut errors);
            errors.described().len()
        };
        assert_eq!(faults("backend = \"memory\""), 0);
        assert_eq!(faults("stale_after = \"1h\""), 1);
        assert_eq!(faults("backend = registered(\"x\")"), 1);
    }

    #[test]
    fn a_disabled_backend_names_its_feature() {
        assert_eq!(faults("backend = \"file\""), []);
        assert_eq!(faults("backend = registered(\"x\")"), []);
        let needs = "the backend `memory` needs the feature `memory` of cachier: add `features = [\"memory\"]` in Cargo.toml".to_owned();
        assert_eq!(
            faults("backend = \"memory\""),
            [(needs, "backend".to_owned())]
        );
        let needs = "the backend `sql` needs the feature `sqlite`, `postgres` or `mysql` of cachier: add one, such as `features = [\"sqlite\"]`, in Cargo.toml";
        assert_eq!(
            faults("backend = \"sql\""),
            [(needs.to_owned(), "backend".to_owned())]
        );
        let needs = "`near_cache` needs the feature `memory` of cachier: add `features = [\"memory\"]` in Cargo.toml".to_owned();
        assert_eq!(faults("near_cache = 3"), [(needs, "near_cache".to_owned())]);
    }
}
