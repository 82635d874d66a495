//! Values that cannot be kept beyond the call.

use std::borrow::Cow;

use cachier::cachier;

#[cachier]
fn borrowed(text: &str) -> &str {
    text
}

#[cachier]
fn borrowed_inside<'a>(text: &'a str) -> Vec<Cow<'a, str>> {
    vec![Cow::Borrowed(text)]
}

#[cachier]
fn opaque(id: u64) -> impl Iterator<Item = u64> {
    0..id
}

#[cachier]
fn never(_id: u64) -> ! {
    std::process::exit(1)
}

#[cachier]
fn static_in_store(id: u64) -> Option<&'static str> {
    (id > 3).then_some("many")
}

#[cachier(backend = "memory")]
fn undeclared_lifetime(text: &'a str) -> usize {
    text.len()
}

fn main() {}
