//! rust-analyzer on cached functions: hover, go-to-definition and completion, by a client such as editors have.
//!
//! What it needs is installed by `rustup component add rust-analyzer rust-src`.
#![allow(clippy::unwrap_used)]

mod client;

use std::io::{Write as _, stderr};
use std::path::Path;

use cachier_compile_fail::Package;
use client::Client;

#[test]
fn editors_see_through_the_attribute() {
    if !Client::is_there() {
        let is_required = std::env::var_os("CACHIER_TEST_REQUIRE").is_some();
        assert!(
            !is_required,
            "the component rust-analyzer or rust-src is missing"
        );
        // Past the harness's capture.
        let _ = writeln!(
            stderr(),
            "skipped: what editors show of cached functions, as the component rust-analyzer or rust-src is missing"
        );
        return;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/editor/functions.rs");
    let targets = format!("[lib]\npath = {source:?}\n");
    let package = Package::new("editor", &["file", "memory"], &targets);
    let mut editor = Client::open(package.folder(), &source, &Package::target());
    calls_lead_to_functions(&mut editor);
    operations_are_explained(&mut editor);
    bodies_are_understood(&mut editor);
    names_are_completed(&mut editor);
}

/// A call shows signature and documentation of the function, and leads to it.
fn calls_lead_to_functions(editor: &mut Client) {
    for (call, signature, documentation) in [
        (
            "pri^ce(\"tea\", 3)",
            "pub fn price(item: &str, shop: u64) -> u64",
            "The price",
        ),
        (
            "us^er(3).await",
            "pub async fn user(id: u64) -> Option<User>",
            "A user.",
        ),
        (
            "gen^eric(\"tea\"",
            "pub fn generic<T>(text: &str, other: &T) -> u64",
            "Anything.",
        ),
        (
            "key^ed(\"tea\")",
            "pub fn keyed(words: &str) -> u64",
            "By its length.",
        ),
        (
            "nam^ed(3)",
            "pub fn named(number: u64) -> u64",
            "Under another name.",
        ),
        (
            "service.meth^od(4)",
            "pub fn method(&self, id: u64) -> u64",
            "A method.",
        ),
        (
            "service.async^hronous(4)",
            "pub async fn asynchronous(&self, id: u64) -> u64",
            "An async one.",
        ),
        (
            "Service::asso^ciated(4)",
            "pub fn associated(id: u64) -> u64",
            "An associated one.",
        ),
        (
            "service.look^up(5)",
            "fn lookup(&self, id: u64) -> u64",
            "In a trait.",
        ),
        (
            "half_^typed(6)",
            "pub fn half_typed(id: u64) -> u64",
            "Half typed.",
        ),
        (
            "faul^ty(7)",
            "pub fn faulty(id: u64) -> u64",
            "With a fault",
        ),
    ] {
        let shown = editor.hover(call);
        for part in [signature, documentation] {
            assert!(shown.contains(part), "{call} shows {shown}");
        }
        let lines = editor.definitions(call);
        let line = format!("{signature} {{");
        assert_eq!(lines, [line], "{call}");
    }
}

/// An operation shows what it does, and the companion leads to the function.
fn operations_are_explained(editor: &mut Client) {
    for (operation, documentation) in [
        ("price::inv^alidate", "Forgets the entry of these arguments"),
        ("user::pe^ek(3)", "Reads the entry of these arguments"),
        ("user::met^rics", "The live metrics of the function"),
        (
            "generic::clear^_cache",
            "Forgets all entries of the function",
        ),
        ("keyed::us^age", "Entries and bytes held"),
        ("named_cache::han^dle", "The function, called or not"),
        ("method_cache().pe^ek", "Reads the entry of these arguments"),
        (
            "asynchronous_cache().clear^_cache",
            "Forgets all entries of the method",
        ),
        (
            "Service::associated^_cache",
            "The operations on the cache of `associated`",
        ),
        (
            "Service::lookup^_cache",
            "The operations on the cache of `lookup`",
        ),
        (
            "pri^ce::invalidate",
            "The operations on the cache of `price`",
        ),
    ] {
        let shown = editor.hover(operation);
        assert!(shown.contains(documentation), "{operation} shows {shown}");
    }
    let lines = editor.definitions("pri^ce::invalidate");
    assert_eq!(lines, ["pub fn price(item: &str, shop: u64) -> u64 {"]);
}

/// Names in a body and in the attribute have types, and lead to their definitions.
fn bodies_are_understood(editor: &mut Client) {
    for (place, ty) in [
        ("Some(fou^nd)", "let found: User"),
        ("it^em.len()", "item: &str"),
        ("|words| wor^ds.len()", "words: &str"),
        ("|length| *len^gth", "length: &u64"),
        ("|visitor| visi^tor", "visitor: &Visitor"),
        ("let su^m = self", "let sum: u64"),
        ("let some^one", "let someone: Option<User>"),
    ] {
        let shown = editor.hover(place);
        assert!(shown.contains(ty), "{place} shows {shown}");
    }
    let lines = editor.definitions("self.ten^ant + id;");
    assert_eq!(lines, ["pub tenant: u64,"]);
    let lines = editor.definitions("|visitor| visitor.st^ay");
    assert_eq!(lines, ["pub stay: Duration,"]);
}

/// Operations are offered, methods and fields also where much is missing, and nothing of the hidden trait of an impl.
fn names_are_completed(editor: &mut Client) {
    let offered = |names: Vec<String>, expected: &[&str]| {
        for name in expected {
            assert!(
                names.iter().any(|offered| offered == name),
                "{name} in {names:?}"
            );
        }
        names
    };
    let operations = ["invalidate", "peek", "clear_cache", "usage", "call_with"];
    offered(editor.completions("price::^\n}"), &operations);
    offered(editor.completions("guest.^\n}"), &["age"]);
    offered(editor.completions("guest.^age"), &["age"]);
    offered(editor.completions("|visitor| visitor.^stay"), &["stay"]);
    let of_service = editor.completions("service.^\n    Ok");
    let of_service = offered(of_service, &["method", "asynchronous", "lookup", "tenant"]);
    let hidden = of_service
        .iter()
        .find(|name| name.contains("__cachier_lookup"));
    assert_eq!(hidden, None);
}
