//! Pictures of layers, checked against a crate.

use super::support::*;
use crate::layers::{Layers, Violation};

const CRATE: [(&str, &str); 3] = [
    ("lib.rs", "mod a; mod b; pub use a::x;"),
    ("a.rs", "pub fn x() { crate::b::x() }"),
    ("b.rs", "pub fn x() {}"),
];

fn violations(layers: &str) -> Vec<Violation> {
    let document = format!("# Title\n```\nother\n```\nInside:\n\n```\n{layers}\n```\n");
    Layers::parse(&document, "Inside").judge(&graph_of(&CRATE))
}

#[test]
fn modules_use_those_below() {
    assert_eq!(violations("a     what calls\nb/    what is called"), []);
    assert_eq!(violations("a, b  both"), []);
}

#[test]
fn a_use_upward_is_told_with_its_place() {
    let violations = violations("b\na");
    let [Violation::Upward(from, to, site)] = &violations[..] else {
        panic!("{violations:?}");
    };
    assert_eq!((from.as_str(), to.as_str()), ("a", "b"));
    assert!(site.contains("a.rs:1"), "{site}");
}

#[test]
fn every_module_is_in_a_layer() {
    assert_eq!(violations("a"), [Violation::Unlisted("b".to_owned())]);
}

#[test]
fn every_name_is_a_module() {
    assert_eq!(violations("a\nb, c"), [Violation::Unknown("c".to_owned())]);
}
