//! Outlines of source texts: the function looked for is the one called `f`.

#![allow(clippy::unwrap_used)]

use super::outline::Outline;
use super::{Container, Surroundings};

fn around(source: &str) -> Surroundings {
    let at = source.find("fn f").unwrap();
    let line = source[..at].matches('\n').count() + 1;
    let start = source[..at].rfind('\n').map_or(0, |end| end + 1);
    let column = source[start..at].chars().count() + 1;
    Outline::of(source).at(line, column).unwrap()
}

#[track_caller]
fn stands_in(container: Container, source: &str) {
    assert_eq!(around(source).container, container, "{source}");
}

#[test]
fn functions_in_modules_stand_in_no_impl() {
    for source in [
        "fn f() {}",
        "struct A; impl A { fn g() {} } fn f() {}",
        "mod a { impl A {} fn f() {} }",
        "impl A { fn g() -> impl Iterator<Item = u8> { fn f() {} } }",
        "impl A { const X: u8 = { fn f() {} }; }",
        "macro_rules! m { () => { fn f() {} } }",
        "cfg_if! { if #[cfg(unix)] { fn f() {} } }",
        "const S: &str = \"impl A {\"; fn f() {}",
        "const S: &str = r#\"impl \"A\" {\"#; fn f() {}",
        "const C: char = '{'; const D: char = '\\''; const B: u8 = b'{'; fn f() {}",
        "/* impl A { /* } */ { */ // impl A {\nfn f() {}",
        "use a::{b, c::{d}}; fn f() {}",
    ] {
        stands_in(Container::Other, source);
    }
}

#[test]
fn functions_in_impls_are_found() {
    for source in [
        "impl A { fn f() {} }",
        "mod a {\n    impl<'a, T: Fn(&'a u8) -> u8> A<'a, T> {\n        #[cachier]\n        pub async fn f() {}\n    }\n}",
        "impl<T> A<T> where T: for<'a> B<'a> { fn g() { {} } fn f() {} }",
        "impl<T: for<'a> B<'a>> A<T> { const X: char = '}'; fn f() {} }",
        "impl A { /* ä } */ #[doc = \"}\"] fn f() {} }",
        "#[rustfmt::skip] impl A { fn r#impl() {} fn f() {} }",
    ] {
        stands_in(Container::Impl, source);
    }
    for source in [
        "impl B for A { fn f() {} }",
        "unsafe impl<T> B<T> for for<'a> fn(&'a T) { fn f() {} }",
        "impl B for [u8; 3] where A: C { type X = u8; fn f() {} }",
        "impl B for (A, C) { fn f() {} }",
        "#[async_trait] impl a::B<u8> for a::A<'_> { async fn f() {} }",
    ] {
        stands_in(Container::TraitImpl, source);
    }
}

#[test]
fn types_of_the_same_block_are_known() {
    let source = "pub(crate) mod a { struct inner; } #[derive(Clone)] pub struct b<T>(T); enum c {} type d = u8; \
                  #[cfg(test)] mod e {} union g { x: u8 } fn f() { struct inside; } unsafe trait h {} struct i;";
    let types = around(source).types;
    let mut names: Vec<_> = types
        .iter()
        .map(|(name, keyword)| (name.as_str(), *keyword))
        .collect();
    names.sort_unstable();
    let expected = [
        ("a", "mod"),
        ("b", "struct"),
        ("c", "enum"),
        ("d", "type"),
        ("g", "union"),
        ("h", "trait"),
        ("i", "struct"),
    ];
    assert_eq!(names, expected);
}

#[test]
fn texts_that_are_no_rust_have_an_outline() {
    for source in [
        "}}} fn f",
        "\"'{ fn f",
        "r#\" fn f",
        "/* fn f",
        "' fn f",
        "b'\\ fn f",
    ] {
        let _ = Outline::of(source);
    }
    assert_eq!(Outline::of("fn f() {}").at(7, 7), None);
    assert_eq!(Outline::of("fn f() {}").at(0, 0), None);
}
