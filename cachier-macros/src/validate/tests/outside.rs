//! Code around the function: impls, types of its name, other attributes.

use std::sync::Arc;

use super::support::{F, faults_within, fine, refused};
use crate::surroundings::{Container, Contents, Import, Shown, Surroundings};

fn within(container: Container) -> Surroundings {
    block(Contents {
        container,
        ..Contents::default()
    })
}

fn block(contents: Contents) -> Surroundings {
    Surroundings {
        block: Arc::new(contents),
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
    let cures = faults_within(surroundings(), "", F);
    let cure = |text| cures[0].0.find(text).unwrap();
    assert!(cure("`#[cachier::methods]` on the impl") < cure("`companion = false`"));
}

#[test]
fn the_second_function_of_a_name_is_told() {
    let repetition = |repetition| Surroundings {
        repetition,
        ..Surroundings::default()
    };
    assert_eq!(faults_within(repetition(None), "", F), []);
    // The compiler tells of both, once.
    assert_eq!(faults_within(repetition(Some(0)), "", F), []);
    let message = "there is another function `f` above; give one of them another name";
    hindered(repetition(Some(1)), "", F, message);
}

#[test]
fn what_async_trait_has_rewritten_is_one_error() {
    let rewritten = "fn f<'life0, 'async_trait>(&'life0 self, id: u64) \
                     -> Pin<Box<dyn Future<Output = u64> + Send + 'async_trait>> { x }";
    for arguments in ["skip(self)", "skip(self), companion = false"] {
        let place = within(Container::TraitImpl);
        hindered(place, arguments, rewritten, "`#[async_trait]` has made");
    }
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
}

#[test]
fn companions_meet_no_other_types() {
    let mut taken = Contents::default();
    taken.types.insert("f".to_owned(), "mod");
    let mut hiding = Contents::default();
    hiding.paths.insert("f".to_owned(), Shown::Other);
    let mut imported = Contents::default();
    imported.imports.insert("f".to_owned(), Import::default());
    imported.paths.insert("f".to_owned(), Shown::Unlikely);
    let reexported = Surroundings {
        is_reexported: true,
        ..Surroundings::default()
    };
    let beside = "the companion is a type, and there is a";
    for (surroundings, start) in [
        (
            block(taken),
            format!("{beside} module `f` beside it already"),
        ),
        (
            block(hiding),
            "the companion is a type and would hide the crate or module `f`".to_owned(),
        ),
        (block(imported), format!("{beside} `use` of another `f`")),
        (
            reexported,
            "the companion is a type, and `use f::f` brings it in beside the module `f`".to_owned(),
        ),
    ] {
        hindered(surroundings.clone(), "", F, &start);
        let faults = faults_within(surroundings.clone(), "", F);
        let cure = "; give it another name: `companion = f_cache`";
        assert!(faults[0].0.ends_with(cure), "{faults:?}");
        for (arguments, function) in [
            ("companion = g", F),
            ("companion = false", F),
            ("skip(self)", "fn f(&self) {}"),
        ] {
            assert_eq!(faults_within(surroundings.clone(), arguments, function), []);
        }
    }
}

#[test]
fn possible_macros_and_misspelt_operations_hinder_nothing() {
    let mut contents = Contents::default();
    contents.paths.insert("f".to_owned(), Shown::Unlikely);
    assert_eq!(faults_within(block(contents), "", F), []);
    let mut contents = Contents::default();
    contents.imports.insert("f".to_owned(), Import::default());
    assert_eq!(faults_within(block(contents), "", F), []);
}

#[test]
fn functions_of_traits_say_so() {
    let surroundings = || within(Container::Trait);
    let undeclared = "without `self` and `Self`, nothing tells the attribute";
    hindered(surroundings(), "", F, undeclared);
    for (arguments, function) in [
        ("in_impl", F),
        ("companion = false", F),
        ("skip(self)", "fn f(&self) {}"),
        ("skip(self), companion = false", "async fn f(&self) {}"),
    ] {
        assert_eq!(faults_within(surroundings(), arguments, function), []);
    }
    hindered(
        surroundings(),
        "skip(self)",
        "async fn f(&self) {}",
        "the operations of a companion go to other threads",
    );
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
        "`#[tracing::instrument]` is meant for the body",
        "#[tracing::instrument]",
    );
    refused(
        "",
        "fn f() { let __tracing_attr_span; { 3 } }",
        "`#[instrument]` above `#[cachier]` reads as a span around each call",
        "f",
    );
}

#[test]
fn what_memory_keeps_may_not_be_borrowed() {
    const START: &str = "`T` may borrow from what is gone after the call";
    let key = "Clone + std::hash::Hash + Eq + Send + Sync";
    let value = "Default + Clone + Send + Sync";
    let memory = "backend = \"memory\"";
    for function in [
        format!("fn f<T: {key}>(a: T) {{}}"),
        "fn f<T: Hash + Ord + Copy>(a: &[T]) where T: Send + Sync {}".to_owned(),
        format!("async fn f<T: {value}>(a: u8) -> T {{}}"),
        format!("fn f<T: {value}>(a: u8) -> Result<Vec<T>, Error> {{}}"),
    ] {
        refused(memory, &function, START, "T");
        refused("near_cache = 3", &function, START, "T");
        fine("", &function);
        fine(memory, &function.replacen("Send", "'static + Send", 1));
        // It may demand `'static`.
        fine(memory, &function.replacen("Send", "Own + Send", 1));
    }
    for function in [
        format!("fn f<T: {value}>(a: u8) -> Result<u8, T> {{}}"),
        format!("fn f<T: {value}>(a: u8) -> T::Item {{}}"),
        // These are errors of their own.
        "fn f<T>(a: T) {}".to_owned(),
        "fn f<T: Serialize>(a: T) {}".to_owned(),
    ] {
        fine(memory, &function);
    }
    let both = format!("fn f<T: {key}>(a: T) -> T {{}}");
    refused(memory, &both, START, "T");
    fine(
        "backend = \"memory\", skip(a)",
        &format!("fn f<T: {key}>(a: T) {{}}"),
    );
    fine(
        "backend = \"memory\", key = |a| 3",
        &format!("fn f<T: {key}>(a: T) {{}}"),
    );
    refused(
        memory,
        &format!("fn f(a: impl {key}) {{}}"),
        "this argument may borrow",
        &format!("impl {key}"),
    );
    let in_impl = |head: &str| {
        block(Contents {
            container: Container::Impl,
            head: head.to_owned(),
            ..Contents::default()
        })
    };
    let method = "fn f(&self, a: T) {}";
    let arguments = "backend = \"memory\", skip(self)";
    hindered(
        in_impl(&format!("impl<T: {key}> S<T>")),
        arguments,
        method,
        START,
    );
    for head in [
        &format!("impl<T: {key} + 'static> S<T>"),
        "impl S",
        "impl<T S<T>",
        "",
    ] {
        assert_eq!(faults_within(in_impl(head), arguments, method), []);
    }
}
