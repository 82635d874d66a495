//! Each argument stands in the tables of the attribute's page and of the README, and in an example of that page, which is
//! compiled.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::arguments::NAMES;
use crate::diagnostics::Errors;

const PAGE: &str = "cachier/src/attribute.md";
const EXAMPLES: &str = "cachier/src/attribute_examples.md";
const README: &str = "README.md";

fn read(file: &str) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(workspace.join(file)).unwrap()
}

#[test]
fn each_argument_has_an_example() {
    let used = used_in_examples(&read(EXAMPLES));
    for name in NAMES {
        assert!(used.contains(*name), "`{name}` has no example");
    }
}

#[test]
fn each_argument_has_a_row() {
    for file in [PAGE, README] {
        let page = read(file);
        let in_rows = names_in_rows(&page);
        for name in NAMES {
            assert!(in_rows.contains(name), "`{name}` has no row in {file}");
        }
    }
}

/// The names in the first cells of tables.
fn names_in_rows(page: &str) -> BTreeSet<&str> {
    let cells = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let code = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let names = code.filter_map(|code| code.split(|letter: char| !is_of_name(letter)).next());
    names.collect()
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_lowercase() || letter == '_'
}

#[test]
fn only_arguments_in_code_count() {
    let page = "`#[cachier(verify)]`\n```text\n#[cachier(capacity = 3)]\n```\n\n\
                ```no_run\n# use a;\n#[a::cachier(skip(a), name = \"b\")]\nfn f(a: u8) {}\n```\n#[cachier(key = 3)]";
    assert_eq!(
        used_in_examples(page),
        BTreeSet::from(["name".to_owned(), "skip".to_owned()])
    );
}

/// The arguments that the examples of a page have.
fn used_in_examples(page: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    // Every second part is a block of code, after a first line that says of what.
    for block in page.split("```").skip(1).step_by(2) {
        if let Some((of, code)) = block.split_once('\n')
            && matches!(of, "" | "no_run")
        {
            let lines = code
                .lines()
                .map(|line| line.strip_prefix("# ").unwrap_or(line));
            let code = lines.collect::<Vec<_>>().join("\n");
            collect(code.parse().unwrap(), &mut used);
        }
    }
    used
}

/// Collects the arguments in each `cachier(..)`.
fn collect(code: TokenStream, used: &mut BTreeSet<String>) {
    let mut is_after_name = false;
    for token in code {
        let is_name = matches!(&token, TokenTree::Ident(word) if word == "cachier");
        if let TokenTree::Group(group) = token {
            if is_after_name && group.delimiter() == Delimiter::Parenthesis {
                let mut errors = Errors::default();
                let written = crate::parse::arguments(group.stream(), &mut errors);
                assert_eq!(errors.described(), [], "{group}");
                used.extend(written.iter().map(|argument| argument.name.to_string()));
            }
            collect(group.stream(), used);
        }
        is_after_name = is_name;
    }
}
