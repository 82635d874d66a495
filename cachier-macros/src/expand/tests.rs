//! Expansions of some functions, as readable text files.
//!
//! After a deliberate change: `UPDATE_SNAPSHOTS=1 cargo test -p cachier-macros`, and read the difference.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use proc_macro2::TokenStream;

use crate::package::Package;

/// The maximal lines of an expansion: one screen.
const SCREEN: usize = 56;

/// Expands the attribute on a function of the package `app`.
fn attribute(arguments: &str, function: &str) -> TokenStream {
    let package = Package {
        name: Some("app".to_owned()),
        folder: Some(0x0123_4567_89ab_cdef),
    };
    crate::attribute(
        arguments.parse().unwrap(),
        function.parse().unwrap(),
        package,
    )
}

/// Compares an expansion with its file, or updates the file.
#[track_caller]
fn expands(name: &str, arguments: &str, function: &str) {
    compare(name, attribute(arguments, function), SCREEN);
}

/// Likewise, for an impl.
#[track_caller]
fn expands_methods(name: &str, arguments: &str, item: &str) {
    let package = Package {
        name: Some("app".to_owned()),
        folder: Some(0x0123_4567_89ab_cdef),
    };
    let code = crate::methods::methods(arguments.parse().unwrap(), item.parse().unwrap(), &package);
    // Declarations and definitions.
    compare(name, code, 2 * SCREEN);
}

#[track_caller]
fn compare(name: &str, code: TokenStream, screen: usize) {
    let expanded = prettyplease::unparse(&syn::parse2(code).unwrap());
    let lines = expanded.lines().count();
    assert!(lines <= screen, "{lines} lines:\n{expanded}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, &expanded).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        expanded,
        kept,
        "the expansion differs from {}",
        file.display()
    );
}

#[test]
fn a_sync_function_in_memory() {
    expands(
        "sync_memory.rs",
        "backend = \"memory\", stale_after = \"1h\"",
        "/// Joins.\npub fn join(text: &str, (times, _): (u32, f64)) -> Result<String, Error> { todo!() }",
    );
}

#[test]
fn an_async_function_with_metrics_and_next_time() {
    expands(
        "async_redis.rs",
        "backend = \"redis\", stale_after = \"10m\", next_time, enable_metrics, sampling_rate = 0.1",
        "async fn user(id: u64, locale: &str) -> Result<User, DbError> { todo!() }",
    );
}

#[test]
fn a_function_with_closures() {
    expands(
        "closures.rs",
        "stale_after = |page| page.valid_for, jitter = \"10%\", cache_if = |page| page.is_complete()",
        "async fn page(site: &str, number: u64) -> Page { todo!() }",
    );
}

#[test]
fn a_method() {
    expands(
        "method.rs",
        "backend = \"memory\", key = |self, id| (self.tenant, id)",
        "fn name(&self, id: u64) -> Option<String> { self.names.get(&id).cloned() }",
    );
}

#[test]
fn a_generic_function() {
    expands(
        "generic.rs",
        "backend = \"file\", near_cache = 10_000",
        "fn parsed<T: FromStr, const N: usize>(text: &str) -> Option<[T; N]> where T: Part { todo!() }",
    );
}

#[test]
fn a_method_of_a_trait_impl() {
    expands(
        "trait_impl.rs",
        "companion = false, skip(self), version = none",
        "async fn fetch(&self, mut id: u64) -> Result<Page, Error> { id += 1; self.load(id).await }",
    );
}

#[test]
fn a_method_of_an_annotated_trait_impl() {
    expands_methods(
        "methods.rs",
        "",
        "impl<T: Part> Lookup for Table<'_, T> {
            type Found = Page<T>;
            #[cachier(backend = \"file\", skip(self), version = none)]
            async fn fetch(&self, mut id: u64) -> Option<Self::Found> { id += 1; self.load(id).await }
        }",
    );
}

#[test]
fn an_annotated_impl_leaves_all_else_alone() {
    let others = "impl S { #![allow(x)] const A : [u8 ; { 1 }] = [0 ; { 1 }] ; type B = u8 ; made ! { a } made ! (b) ; \
                  # [inline] pub (crate) fn f < const N : usize > (a : u8) -> S < { N } > where u8 : X { half . } fn c () { } }";
    let others: TokenStream = others.parse().unwrap();
    let package = Package::being_built();
    let cached = others.to_string().replace("fn c", "# [cachier] fn c");
    let code = crate::methods::methods(TokenStream::new(), cached.parse().unwrap(), &package);
    let spaceless = |code: &TokenStream| code.to_string().replace(' ', "");
    let (before, code) = (spaceless(&others), spaceless(&code));
    let before = before.split("fnc").next().unwrap();
    assert!(code.starts_with(before), "{code}");
}

#[test]
fn a_half_typed_body_still_expands() {
    let function = "fn f(a: u8) -> u8 { let x = ; a. }";
    let code = attribute("backend = \"memory\"", function).to_string();
    assert!(!code.contains("compile_error"), "{code}");
    assert!(
        code.contains("{ let x = ; a . }") && code.contains("enum f"),
        "{code}"
    );
}

#[test]
fn the_runtime_is_found_by_the_given_path() {
    let functions = [
        (
            "near_cache = 3, next_time, refresh_after = EARLY",
            "fn f(a: &str, b: Option<&u8>) -> u8 { 0 }",
        ),
        (
            "backend = \"memory\", capacity_bytes = 3, enable_metrics, sampling_rate = RATE",
            "async fn f(a: u8) -> Option<u8> { None }",
        ),
        (
            "version = none, on_backend_error = \"propagate\", key = |a| a",
            "fn f<T>(a: u8) -> Fallible<T> { todo!() }",
        ),
        (
            "skip(self), cache_if = |_| true, stale_after = |_| HOUR, jitter = \"10%\"",
            "fn f(&self, a: u8) -> Fallible<T> { todo!() }",
        ),
        (
            "companion = false, in_impl, next_time",
            "async fn f(a: u8) -> Self { todo!() }",
        ),
        ("skip(self), colour", "fn f(&self) {}"),
        ("colour", "fn f() {}"),
    ];
    for (arguments, function) in functions {
        let arguments = format!("{arguments}, crate = my::cache");
        let code = attribute(&arguments, function);
        let code = code.to_string();
        assert!(code.contains("my :: cache :: "), "{code}");
        let elsewhere = code.matches("cachier :: ").count();
        assert_eq!(elsewhere, 0, "{code}");
    }
}

#[test]
fn errors_leave_the_function_and_a_stub_companion() {
    let function = "pub async fn f(a: u8) -> u8 { a }";
    let code = attribute("colour, size = 3", function).to_string();
    assert_eq!(code.matches("compile_error").count(), 2, "{code}");
    assert!(
        code.contains("pub async fn f (a : u8) -> u8 { a }"),
        "{code}"
    );
    assert!(
        code.contains("pub enum f { }") && code.contains("__no_operations"),
        "{code}"
    );
}

#[test]
fn errors_leave_a_methods_stub_companion() {
    let function = "pub async fn f(&self, a: u8) -> u8 { a }";
    let code = attribute("colour, skip(self)", function).to_string();
    assert_eq!(code.matches("compile_error").count(), 1, "{code}");
    assert!(
        code.contains(
            "pub fn f_cache () -> :: cachier :: __private :: NoAsyncMethodCache < 2usize >"
        ),
        "{code}"
    );
}

/// The text before the body's function, and from there.
fn split_at_body(arguments: &str, function: &str) -> (String, String) {
    let code = attribute(arguments, function).to_string();
    let body = code.rfind("fn __body").unwrap();
    let impl_begins = code.find("impl f").unwrap();
    let (outer, inner) = (&code[..impl_begins], &code[impl_begins..body]);
    (outer.to_owned(), inner.to_owned())
}

#[test]
fn attributes_go_to_the_function_that_they_mean() {
    let function = "#[doc = \"D\"] #[inline] #[must_use] #[deprecated] #[allow(unused)] #[expect(dead_code)] #[other::macro_of] \
                    #[rustfmt::skip] fn f(a: u8) -> u8 { a }";
    let (outer, inner) = split_at_body("backend = \"memory\"", function);
    for attribute in [
        "# [doc = \"D\"]",
        "# [inline]",
        "# [must_use]",
        "# [deprecated]",
        "# [rustfmt :: skip]",
        "# [allow (unused)]",
        "# [allow (dead_code)]",
    ] {
        assert!(outer.contains(attribute), "{attribute}: {outer}");
    }
    for attribute in [
        "# [allow (unused)]",
        "# [expect (dead_code)]",
        "# [other :: macro_of]",
        "# [allow (deprecated)]",
    ] {
        assert!(inner.contains(attribute), "{attribute}: {inner}");
    }
    assert!(
        !outer.contains("macro_of") && !inner.contains("# [inline]"),
        "{outer}{inner}"
    );
}

#[test]
fn spans_have_the_users_name() {
    for (given, expected) in [
        ("", "(name = \"f\" ,)"),
        (
            "(skip(name), level = \"debug\")",
            "(name = \"f\" , skip (name) , level = \"debug\")",
        ),
        (
            "(level = \"debug\", name = \"g\")",
            "(level = \"debug\" , name = \"g\")",
        ),
        ("(\"g\", skip_all)", "(\"g\" , skip_all)"),
    ] {
        let function = format!("#[tracing::instrument{given}] fn f(name: u8) -> u8 {{ name }}");
        let (_, inner) = split_at_body("backend = \"memory\"", &function);
        let expected = format!("# [tracing :: instrument {expected}]");
        assert!(inner.contains(&expected), "{expected}: {inner}");
    }
}
