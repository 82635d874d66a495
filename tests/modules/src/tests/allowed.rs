//! What a list of allowed circles allows.

use super::*;

/// What speaks against a circle of `a` and `b`.
fn objections(list: &str) -> String {
    let circles = circles_of(&[
        TWO,
        ("a.rs", "pub fn x() { crate::b::x() }"),
        ("b.rs", "pub fn x() { crate::a::x() }"),
    ]);
    let objections = Allowance::parse(list).judge("crate", &circles);
    objections.iter().map(ToString::to_string).collect()
}

#[test]
fn a_circle_that_is_listed() {
    assert_eq!(objections("# until then\ncrate: b a"), "");
}

#[test]
fn none_of_another_crate_or_with_more_modules() {
    for list in ["", "other: a b"] {
        assert!(
            objections(list).starts_with("2 modules in a circle: a b"),
            "{list}"
        );
    }
    for list in ["crate: a", "crate: a\ncrate: b"] {
        assert!(
            objections(list).contains("of its line is left: \n"),
            "{list}"
        );
    }
}

#[test]
fn no_more_than_there_is() {
    assert!(objections("crate: a b c").ends_with("of its line is left: a b\n"));
    assert!(objections("crate: a b\ncrate: c d").ends_with("of its line is left: \n"));
}
