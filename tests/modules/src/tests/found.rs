//! Cycles that are found.

use super::support::*;
use crate::{Graph, cycles};

/// Tests of this name: module `b` uses `a`, which uses `b` like this.
macro_rules! used_by_b {
    ($($name:ident: $($source:literal)+;)*) => {$(
        #[test]
        fn $name() {
            for source in [$($source),+] {
                assert_eq!(used_by_b(source), "a b", "{source}");
            }
        }
    )*};
}

used_by_b! {
    through_imports: "use crate::b::B; pub struct A;";
    through_super_in_a_body: "pub struct A; fn f() { super::b::b(); }";
    through_self_of_the_root_in_a_type: "pub struct A { f: Option<Box<crate::b::B>> }";
    through_an_import_in_a_block: "pub struct A; fn f() { use crate::b; b::b() }";
    through_bounds_and_implemented_traits:
        "pub struct A; fn f<T: super::b::Tr>() {}"
        "pub struct A; impl super::b::Tr for A {}"
        "pub struct A; fn f() { <A as super::b::Tr>::m() }";
    through_the_tokens_of_macros:
        "pub struct A; fn f() { assert_eq!(1, super::b::b()); }"
        "pub struct A; macro_rules! m { ($x:expr) => { $crate::b::b($x) } }";
    through_globs: "use super::b::*; pub struct A; fn f() { b() }";
    through_an_inline_module: "pub struct A; mod inner { fn f() { super::super::b::b() } }";
    where_conditions_leave_it_open:
        "pub struct A; #[cfg(feature = \"x\")] use crate::b::B;"
        "pub struct A; #[cfg(any(test, unix))] use crate::b::B;"
        "pub struct A; #[cfg(not(test))] use crate::b::B;";
}

#[test]
fn through_a_macro_that_only_its_text_brings() {
    let files = [
        ("lib.rs", "#[macro_use] mod a; mod b;"),
        ("a.rs", "macro_rules! m { () => { super::b::b() } }"),
        ("b.rs", "pub fn b() { m!() }"),
    ];
    assert_eq!(cycle_of(&files), "a b");
}

#[test]
fn through_a_re_export() {
    let files = [
        ("lib.rs", "mod a; mod c;"),
        ("a.rs", "use crate::c::Renamed; pub struct A;"),
        ("c/mod.rs", "mod d; pub use d::D as Renamed;"),
        ("c/d.rs", "pub struct D(crate::a::A);"),
    ];
    assert_eq!(cycle_of(&files), "a c::d");
}

#[test]
fn through_an_item_named_like_its_module() {
    let files = [
        ("lib.rs", "mod p; mod a; pub use p::lock;"),
        ("p.rs", "mod lock; pub(crate) use lock::lock;"),
        ("p/lock.rs", "pub(crate) fn lock() { crate::a::a() }"),
        ("a.rs", "use crate::p::lock; pub fn a() { lock() }"),
    ];
    assert_eq!(cycle_of(&files), "a p::lock");
}

#[test]
fn through_own_methods_that_stand_elsewhere() {
    let files = |call: &'static str| {
        [
            TWO,
            ("a.rs", call),
            (
                "b.rs",
                "use crate::a::A; impl A { pub fn elsewhere(&self) {} pub fn new() {} }",
            ),
        ]
    };
    let on_self = "pub struct A; impl A { fn f(&self) { self.elsewhere() } }";
    let by_path = "pub struct A; fn f() { A::new() }";
    let by_self_type = "pub struct A; impl A { fn f() { Self::new() } }";
    for call in [on_self, by_path, by_self_type] {
        assert_eq!(cycle_of(&files(call)), "a b", "{call}");
    }
}

#[test]
fn of_a_parent_defining_what_children_use() {
    let files = [
        ("lib.rs", "mod p;"),
        ("p/mod.rs", "mod c; pub struct P(c::C);"),
        ("p/c.rs", "pub struct C; fn f(_: super::P) {}"),
    ];
    assert_eq!(cycle_of(&files), "p p::c");
}

#[test]
fn of_a_parent_using_its_re_exports() {
    let files = [
        ("lib.rs", "mod p;"),
        ("p.rs", "mod c; pub use c::C; pub struct P(C);"),
        ("p/c.rs", "pub struct C; fn f(_: super::P) {}"),
    ];
    assert_eq!(cycle_of(&files), "p p::c");
}

#[test]
fn of_a_door_that_a_child_takes_from() {
    let through = |path: &'static str| {
        [
            ("lib.rs", "mod p;"),
            (
                "p/mod.rs",
                "mod a; mod b; use self::b::x; pub use self::a::A;",
            ),
            ("p/a.rs", path),
            ("p/b.rs", "pub fn x() {}"),
        ]
    };
    let parent = through("pub struct A; fn f() { super::x() }");
    assert_none(&parent);
    let cycles_with_doors = |files: &[_]| cycles(&Graph::with_doors(&source_of(files)));
    assert_eq!(cycles_with_doors(&parent)[0].modules, ["p", "p::a"]);
    let sibling = through("use super::b::x; pub struct A; fn f() { x(); super::b::x() }");
    assert!(cycles_with_doors(&sibling).is_empty());
}

#[test]
fn a_cycle_is_shown_step_by_step() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub struct A;\n\nfn f() {\n    super::b::b()\n}"),
        ("b.rs", "pub fn b() { crate::c::c() }"),
        ("c.rs", "use crate::a::A; pub fn c() {}"),
    ];
    let shown = "3 modules in a cycle: a b c\n  \
        a -> b   a.rs:4: super::b::b\n  \
        b -> c   b.rs:1: crate::c::c\n  \
        c -> a   c.rs:1: crate::a::A\n";
    assert_eq!(cycles_of(&files)[0].to_string(), shown);
}

#[test]
fn cycles_apart_are_two() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "pub fn x() { crate::b::x() }"),
        ("b.rs", "pub fn x() { crate::a::x(); crate::c::x() }"),
        ("c.rs", "pub fn x() { crate::d::x() }"),
        ("d.rs", "pub fn x() { crate::c::x() }"),
    ];
    let modules: Vec<_> = cycles_of(&files)
        .iter()
        .map(|c| c.modules.join(" "))
        .collect();
    assert_eq!(modules, ["a b", "c d"]);
}
