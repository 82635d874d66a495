//! Rules that the text of one file keeps: its length, the names of its tests, and what a `mod.rs` may hold. Pure.

use syn::Item;

use crate::names::{are_for_tests, named};

/// The most lines of a file.
pub const MAX_LINES: usize = 500;
/// The most words of a test's name.
pub const MAX_WORDS: usize = 8;

/// The number of lines of a file that has too many.
#[must_use]
pub fn excessive_lines(text: &str) -> Option<usize> {
    let lines = text.lines().count();
    (lines > MAX_LINES).then_some(lines)
}

/// The names of tests that have too many words.
#[must_use]
pub fn long_test_names(text: &str) -> Vec<String> {
    let mut long = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        is_test |= is_test_attribute(line);
        if let Some(name) = function_name(line) {
            let words = name.split('_').filter(|word| !word.is_empty());
            if is_test && words.count() > MAX_WORDS {
                long.push(name.to_owned());
            }
            is_test = false;
        }
    }
    long
}

/// `#[test]`, `#[tokio::test(…)]`, and the like.
fn is_test_attribute(line: &str) -> bool {
    let attribute = line.strip_prefix("#[").unwrap_or_default();
    let path = attribute.split(['(', ']']).next();
    path.is_some_and(|path| path == "test" || path.ends_with("::test"))
}

/// The name of the function that begins in a line.
fn function_name(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    let is_modifier = |word: &str| word == "async" || word.starts_with("pub");
    let begins = before.split_whitespace().all(is_modifier);
    let name = rest
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()?;
    begins.then_some(name)
}

/// The definitions in a `mod.rs`, which only declares modules and re-exports their items; definitions of macros and tests do not count.
///
/// # Errors
/// When the text is no Rust.
pub fn definitions(text: &str) -> syn::Result<Vec<String>> {
    let mut found = Vec::new();
    add_definitions(&syn::parse_file(text)?.items, &mut found);
    Ok(found)
}

fn add_definitions(items: &[Item], found: &mut Vec<String>) {
    for item in items {
        match item {
            Item::Mod(inner) if !are_for_tests(&inner.attrs) => {
                let within = inner.content.iter();
                within.for_each(|(_, items)| add_definitions(items, found));
            }
            Item::Impl(block) if !are_for_tests(&block.attrs) => found.push("impl".to_owned()),
            Item::Macro(call) if call.ident.is_none() && !are_for_tests(&call.attrs) => {
                let name = call.mac.path.segments.last();
                found.extend(name.map(|name| format!("{}!", name.ident)));
            }
            item => found.extend(
                named(item)
                    .filter(|(_, attributes, _)| !are_for_tests(attributes))
                    .map(|(_, _, name)| name.to_string()),
            ),
        }
    }
}
