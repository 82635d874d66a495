//! Modules that are no cycle.

use super::support::*;

#[test]
fn siblings_that_meet_through_their_parent() {
    assert_none(&[
        ("lib.rs", "mod p;"),
        (
            "p/mod.rs",
            "mod a; mod b; pub use a::A; pub(crate) use b::*;",
        ),
        ("p/a.rs", "pub struct A;"),
        ("p/b.rs", "use super::A; pub struct B(super::A);"),
    ]);
}

#[test]
fn children_that_use_their_parent() {
    assert_none(&[
        ("lib.rs", "mod p; pub use p::c::C;"),
        ("p.rs", "pub(crate) mod c; pub struct P;"),
        ("p/c.rs", "pub struct C(super::P);"),
    ]);
}

#[test]
fn what_is_for_tests() {
    assert_none(&[
        TWO,
        (
            "a.rs",
            "#[cfg(test)] mod tests { use crate::b::B; } #[cfg(all(test, not(x)))] mod gone; pub struct A;",
        ),
        (
            "b.rs",
            "use crate::a::A; pub struct B; impl B { #[cfg(test)] fn f() {} }",
        ),
    ]);
    assert_none(&[
        TWO,
        (
            "a.rs",
            "pub struct A; impl A { #[cfg(test)] fn f(_: crate::b::B) {} } #[test] fn t() { crate::b::b() }",
        ),
        ("b.rs", "use crate::a::A; pub struct B; pub fn b() {}"),
    ]);
}

#[test]
fn other_crates_that_are_called_alike() {
    assert_none(&[
        TWO,
        ("a.rs", "use ::b::B; use std::b::X; pub struct A;"),
        ("b.rs", "use crate::a::A;"),
    ]);
}

#[test]
fn names_of_a_block() {
    assert_none(&[
        TWO,
        (
            "a.rs",
            "pub use crate::b::b; pub struct A; fn f() { fn b() {} b() }",
        ),
        ("b.rs", "use crate::a::A; pub fn b() {}"),
    ]);
}

#[test]
fn associated_items_of_other_types() {
    assert_none(&[
        TWO,
        (
            "a.rs",
            "pub use crate::b::b; pub struct A; fn f() { <A>::b(); x.b(); println!(\"{}\", x.b); }",
        ),
        ("b.rs", "use crate::a::A; pub fn b() {}"),
    ]);
}

#[test]
fn imports_of_themselves_end() {
    assert_none(&[
        TWO,
        ("a.rs", "pub use super::b::*;"),
        ("b.rs", "pub use super::a::*; fn f() { x() }"),
    ]);
}

#[test]
fn functions_that_are_called_like_modules() {
    assert_none(&[
        ("lib.rs", "mod a; mod b; pub use b::a;"),
        ("a.rs", "pub struct A; fn f(_: crate::a::A) {}"),
        ("b.rs", "use crate::a::A; pub fn a() {}"),
    ]);
}
