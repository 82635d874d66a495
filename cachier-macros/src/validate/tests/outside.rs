//! What stands around the function: impls, types of its name, other attributes.

use super::{F, faults_within, fine, refused};
use crate::surroundings::{Container, Surroundings};

fn within(container: Container) -> Surroundings {
    Surroundings {
        container,
        ..Surroundings::default()
    }
}

#[track_caller]
fn hindered(surroundings: Surroundings, arguments: &str, function: &str, start: &str) {
    let faults = faults_within(surroundings, arguments, function);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].0.starts_with(start), "{faults:?}");
}

#[test]
fn functions_in_impls_say_so() {
    let undeclared = "without `self` and `Self`, nothing tells the attribute";
    hindered(within(Container::Impl), "", F, undeclared);
    hindered(within(Container::Impl), "companion = g", F, undeclared);
    for (arguments, function) in [
        ("in_impl", F),
        ("companion = false", F),
        ("skip(self)", "fn f(&self) {}"),
        ("", "fn f() -> Self { todo!() }"),
    ] {
        assert_eq!(
            faults_within(within(Container::Impl), arguments, function),
            []
        );
    }
}

#[test]
fn impls_of_traits_have_no_companions() {
    let no_room =
        "the companion of a method stands beside it, but the impl of a trait holds nothing";
    let surroundings = || within(Container::TraitImpl);
    hindered(surroundings(), "", F, no_room);
    hindered(surroundings(), "in_impl", F, no_room);
    hindered(surroundings(), "skip(self)", "fn f(&self) {}", no_room);
    assert_eq!(faults_within(surroundings(), "companion = false", F), []);
}

#[test]
fn companions_hide_no_other_types() {
    let number = "fn u64(a: u8) -> u8 { a }";
    let hidden = "the companion is a type and would hide the primitive type `u64`";
    refused("", number, hidden, "u64");
    refused(
        "companion = str",
        F,
        "the companion is a type and would hide",
        "str",
    );
    fine("companion = u64_cache", number);
    fine("skip(self)", "fn u64(&self) {}");
    let mut surroundings = within(Container::Other);
    surroundings.types.insert("f".to_owned(), "mod");
    let taken = "the companion is a type, and there is a module `f` beside it already; give it another name: `companion = f_cache`";
    hindered(surroundings.clone(), "", F, taken);
    assert_eq!(faults_within(surroundings, "companion = g", F), []);
}

#[test]
fn attributes_that_cannot_be_kept() {
    for (attribute, start) in [
        (
            "#[track_caller]",
            "the body of a cached function is not called",
        ),
        (
            "#[target_feature(enable = \"avx2\")]",
            "a cached function is called where nobody",
        ),
        (
            "#[no_mangle]",
            "a cached function cannot be called by its symbol",
        ),
        (
            "#[unsafe(no_mangle)]",
            "a cached function cannot be called by its symbol",
        ),
        (
            "#[unsafe(export_name = \"g\")]",
            "a cached function cannot be called by its symbol",
        ),
        ("#[test]", "a test that is cached"),
        ("#[tokio::test]", "a test that is cached"),
        ("#[should_panic]", "a test that is cached"),
    ] {
        refused("", &format!("{attribute} fn f() {{}}"), start, attribute);
    }
    fine(
        "",
        "#[inline] #[cold] #[must_use] #[deprecated] #[doc(hidden)] #[allow(unused)] #[rustfmt::skip] #[clippy::msrv = \"1\"] fn f() {}",
    );
}

#[test]
fn attribute_macros_need_a_body_of_its_own() {
    fine("", "#[tracing::instrument(skip(a))] fn f(a: u8) {}");
    refused(
        "companion = false",
        "#[tracing::instrument] fn f() {}",
        "`#[tracing::instrument]` below `#[cachier]` is meant for the body",
        "#[tracing::instrument]",
    );
    refused(
        "",
        "fn f() { let __tracing_attr_span; { 3 } }",
        "`#[instrument]` above `#[cachier]` reads as a span around each call",
        "f",
    );
}
