//! Which public items count as without an example.

use super::support::*;
use crate::without_examples;

fn found(files: &[(&str, &str)]) -> Vec<String> {
    let items = without_examples(&source_of(files));
    items.iter().map(ToString::to_string).collect()
}

#[test]
fn public_items_need_an_example() {
    let files = [
        (
            "lib.rs",
            "pub mod open; mod closed; pub use closed::{Type, deep::Deep}; pub(crate) use closed::Inner;",
        ),
        ("open.rs", "/// Text.\npub fn shown() {}\nfn own() {}"),
        (
            "closed.rs",
            "pub mod deep; /// Text.\npub struct Type; pub struct Inner; pub struct Unnamed;",
        ),
        ("closed/deep.rs", "pub use below::Deep; mod below;"),
        ("closed/deep/below.rs", "pub trait Deep {}"),
    ];
    assert_eq!(
        found(&files),
        [
            "closed/deep/below.rs:1: `Deep` has no example",
            "closed.rs:2: `Type` has no example",
            "open.rs:2: `shown` has no example",
        ]
    );
}

#[test]
fn modules_within_a_file_are_judged() {
    let files = [
        (
            "lib.rs",
            "pub mod inner { pub use crate::closed::Type; pub fn own() {} } mod closed;",
        ),
        ("closed.rs", "pub struct Type;"),
    ];
    assert_eq!(
        found(&files),
        [
            "closed.rs:1: `Type` has no example",
            "lib.rs:1: `own` has no example",
        ]
    );
}

#[test]
fn text_is_no_example() {
    let item = |block: &str| format!("/// {block}\n/// f();\n/// ```\npub fn f() {{}}");
    for (block, count) in [
        ("```text", 1),
        ("```toml", 1),
        ("```ignore", 1),
        ("```", 0),
        ("```no_run", 0),
        ("```rust,should_panic", 0),
    ] {
        assert_eq!(found(&[("lib.rs", &item(block))]).len(), count, "{block}");
    }
}

#[test]
fn what_is_shown_or_hidden_needs_none() {
    let example = "/// Text.\n///\n/// ```\n/// f();\n/// ```\npub fn f() {}";
    let file = "#[doc = include_str!(\"page.md\")] pub use f::f; mod f;";
    let hidden = "#[doc(hidden)] pub mod g; #[cfg(doctest)] pub struct Readme;";
    assert_eq!(found(&[("lib.rs", example)]), Vec::<String>::new());
    let files = [("lib.rs", file), ("f.rs", "pub fn f() {}")];
    assert_eq!(found(&files), Vec::<String>::new());
    let files = [("lib.rs", hidden), ("g.rs", "pub fn g() {}")];
    assert_eq!(found(&files), Vec::<String>::new());
}
