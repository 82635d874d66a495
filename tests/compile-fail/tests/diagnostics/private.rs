//! The names of types and traits that support the attribute's expansion, which no message has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Those that no page shows.
pub(crate) struct Private(BTreeSet<String>);

/// Those that the compiler mentions nevertheless, beside errors of the user's own code.
const MENTIONED: [&str; 2] = ["ReturnType", "TypedResponse"];

impl Private {
    pub(crate) fn of_cachier() -> Self {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cachier/src");
        let exports = fs::read_to_string(sources.join("lib.rs")).unwrap();
        let code = exports.lines().filter(|line| !is_comment(line));
        let exported: BTreeSet<_> = code.flat_map(words).collect();
        let mut names = BTreeSet::new();
        for file in fs::read_dir(sources.join("private")).unwrap() {
            let source = fs::read_to_string(file.unwrap().path()).unwrap();
            names.extend(source.lines().filter_map(declared));
        }
        names.retain(|name| !exported.contains(&**name) && !MENTIONED.contains(&&**name));
        assert!(names.len() > 20, "{names:?}");
        Self(names)
    }

    /// The first of these names in a text of the compiler, which has types between backticks. Some are English words, too.
    pub(crate) fn named_in<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut types = text.split('`').skip(1).step_by(2).flat_map(words);
        types.find(|word| self.0.contains(*word))
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// The public type or trait that a line declares.
fn declared(line: &str) -> Option<String> {
    let mut words = words(line.strip_prefix("pub ")?);
    let kind = words.next()?;
    let name = words
        .next()
        .filter(|_| matches!(kind, "enum" | "struct" | "trait"))?;
    Some(name.to_owned())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_between = |letter: char| !letter.is_alphanumeric() && letter != '_';
    text.split(is_between).filter(|word| !word.is_empty())
}

#[test]
fn names_without_a_page_are_private() {
    let private = Private::of_cachier();
    assert_eq!(
        private.named_in("the trait `Agreement<u8>` is there"),
        Some("Agreement")
    );
    assert_eq!(
        private.named_in("the trait `StoredAs` is not for `Unfit`"),
        None
    );
    assert_eq!(private.named_in("`Agreements` and Agreement"), None);
    assert_eq!(
        private.named_in("the type `Vec<u8>`, `&Agreement`"),
        Some("Agreement")
    );
}
