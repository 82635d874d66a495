//! Outlines of source texts: the function looked for is the one called `f`.

#![allow(clippy::unwrap_used)]

use super::outline::{Outline, Position};
use super::{Container, Contents, Shown};

/// Answers a question about the place of the function.
fn of_place<T>(source: &str, question: impl FnOnce(Position<'_>) -> T) -> T {
    let at = source.find("fn f").unwrap();
    let line = source[..at].matches('\n').count() + 1;
    let start = source[..at].rfind('\n').map_or(0, |end| end + 1);
    let column = source[start..at].chars().count() + 1;
    question(Outline::of(source).at(line, column, "fn").unwrap())
}

fn around(source: &str) -> Contents {
    of_place(source, |position| Contents::clone(position.contents()))
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
        "impl B for ! { fn f() {} }",
        "#[async_trait] impl a::B<u8> for a::A<'_> { async fn f() {} }",
    ] {
        stands_in(Container::TraitImpl, source);
    }
}

#[test]
fn functions_in_traits_are_found() {
    stands_in(Container::Trait, "pub trait A: B { fn g(); fn f() {} }");
    stands_in(
        Container::Trait,
        "unsafe trait A<T> where T: B { fn f() {} }",
    );
    stands_in(Container::Other, "trait A { fn g() { fn f() {} } }");
}

#[test]
fn heads_of_impls_are_kept_as_written() {
    let head = "impl<'a, T: Fn(&'a u8) -> u8> /* { */ A<'a, T> where T: B ";
    let source = format!("struct A; #[x] {head}{{ fn f() {{}} }}");
    assert_eq!(around(&source).head, head);
    assert_eq!(around("fn g() {} fn f() {}").head, "");
}

#[test]
fn functions_of_one_name_are_counted() {
    let repetition = |source: &str| {
        let (before, after) = source.split_once('^').unwrap();
        let outline = Outline::of(&format!("{before}{after}"));
        let position = outline.at(1, before.chars().count() + 1, "f").unwrap();
        position.repetition("f")
    };
    let second = "#[cachier(a)] pub(crate) async fn f(a: u8) {} fn g() {} /// No.\n";
    assert_eq!(repetition("#[cachier] fn ^f() {} pub fn f() {}"), Some(0));
    assert_eq!(repetition("pub fn f() {} #[cachier] fn ^f() {}"), Some(1));
    assert_eq!(repetition(&format!("fn ^f() {{}} {second}")), Some(0));
    let in_body = "fn g() -> ! { fn ^f() {} fn f() {} }";
    assert_eq!(repetition(in_body), Some(0));
    let in_module = "in_modules! { mod a { fn ^f() {} fn f() {} } }";
    assert_eq!(repetition(in_module), Some(0));
    for alone in [
        "fn ^f() {} mod a { fn f() {} }",
        "impl A { fn ^f() {} } impl B { fn f() {} }",
        "#[cfg(a)] fn ^f() {} #[cfg(not(a))] fn f() {}",
        "#[rustversion::since(1.90)] fn ^f() {} #[rustversion::before(1.90)] fn f() {}",
        "fn ^f() { fn f() {} }",
        "in_modules! { fn ^f() {} fn f() {} }",
        "in_modules!(fn ^f() {} fn f() {});",
        "in_modules! { { fn ^f() {} fn f() {} } }",
        "in_modules! { a { fn ^f() {} fn f() {} } }",
        "in_modules!({ fn ^f() {} fn f() {} });",
    ] {
        assert_eq!(repetition(alone), None, "{alone}");
    }
}

#[test]
fn imports_of_the_same_block_are_known() {
    let source = "use a::b; pub(crate) use x::c::{d, e as g}; #[cfg(x)] use h::i; mod j { use k::l; } fn f() { use m::n; }";
    let imports = around(source).imports;
    let mut imports: Vec<_> = imports
        .iter()
        .map(|(name, import)| (name.as_str(), import.from.as_str(), import.root.as_str()))
        .collect();
    imports.sort_unstable();
    let expected = [("b", "a", "a"), ("d", "c", "x"), ("g", "c", "x")];
    assert_eq!(imports, expected);
}

#[test]
fn paths_show_what_names_are() {
    let is_other = |source: &str| around(source).paths.get("a").copied();
    for source in [
        "use a::B; fn f() {}",
        "fn f() { a::b::c() }",
        "fn f() {} fn g(x: &[a::B]) {}",
        "fn f() {} fn g() { if x { a::b!(3) } }",
        "#[derive(a::B)] struct C; fn f() {}",
        "#[a::b] fn g() {} fn f() {}",
        "fn f() {} fn g() { use b::C; a::B }",
    ] {
        assert_eq!(is_other(source), Some(Shown::Other), "{source}");
    }
    assert_eq!(is_other("fn f() { a::clear() }"), Some(Shown::Unlikely));
    for source in [
        "fn f() { a::clear_cache(); ::a::b::c() }",
        "use ::a::B; fn f() {}",
        "mod b { use a::B; } fn f() {}",
        "fn f() {} fn g() { use b::a; a::B }",
        "fn f() {} fn g() { use b::*; a::B }",
        "fn f() {} fn g() { mod a {} a::B }",
        "fn f() {} #[cfg(x)] fn g() { a::B }",
        "fn f() {} #[cfg(x)] use a::B;",
        "#[cfg(x)] impl a::B for C { fn g() {} } fn f() {}",
    ] {
        assert_eq!(is_other(source), None, "{source}");
    }
}

#[test]
fn functions_reexported_from_their_module_are_found() {
    let is_reexported = |source: &str| of_place(source, |position| position.is_reexported("f"));
    assert!(is_reexported("mod f { pub fn f() {} } pub use f::f;"));
    assert!(is_reexported(
        "pub(crate) use self::f::{f, g}; pub mod f { pub fn f() {} }"
    ));
    for source in [
        "mod f { pub fn f() {} }",
        "mod f { pub fn f() {} } pub use f::*;",
        "mod f { pub fn f() {} } pub use f::f as g;",
        "mod f { pub fn f() {} } pub use g::f;",
        "mod g { pub fn f() {} } pub use g::f;",
        "mod f { impl A { pub fn f() {} } } pub use f::f;",
        "mod f { pub fn f() {} } #[cfg(x)] pub use f::f;",
        "fn f() {} pub use f::f;",
    ] {
        assert!(!is_reexported(source), "{source}");
    }
    assert!(Outline::of("mod f; pub use f::f;").reexports("f"));
    assert!(!Outline::of("mod f; pub use g::f;").reexports("f"));
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
        "use a::{ fn f",
        "use } fn f",
        "\"'{ fn f",
        "r#\" fn f",
        "/* fn f",
        "' fn f",
        "b'\\ fn f",
    ] {
        let _ = Outline::of(source);
    }
    assert!(Outline::of("fn f() {}").at(7, 7, "fn").is_none());
    assert!(Outline::of("fn f() {}").at(0, 0, "fn").is_none());
}

/// rustdoc says in which line of a file an example is, and counts columns without the sign of the comment.
#[test]
fn examples_in_comments_have_no_surroundings() {
    let outline = Outline::of("mod f {}\n/// ```\n/// fn f() {}\n/// ```\nfn g() {}");
    assert!(outline.at(3, 1, "fn").is_none());
    assert!(outline.at(5, 1, "fn").is_some());
}
