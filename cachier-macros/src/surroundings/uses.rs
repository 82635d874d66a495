//! What a `use` brings in.

/// The names of a `use` item.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Use<'a> {
    /// Each name that it brings in, after the name of what that is taken from, if the item has that.
    pub(super) names: Vec<(&'a str, &'a str)>,
    /// Where its paths begin.
    pub(super) roots: Vec<&'a str>,
    /// Whether it brings in names that it does not say.
    pub(super) has_glob: bool,
}

impl<'a> Use<'a> {
    /// Reads the words after `use`, to the semicolon.
    pub(super) fn read(words: &[&'a str]) -> Self {
        let mut found = Self::default();
        // What stands before each open brace, innermost last.
        let mut prefixes = vec![""];
        let (mut before, mut last) = ("", "");
        let mut words = words.iter().copied().peekable();
        while let Some(word) = words.next() {
            match word {
                ":" => {}
                "*" => (found.has_glob, last) = (true, ""),
                "as" => last = words.next().unwrap_or_default(),
                "{" => {
                    prefixes.push(last);
                    (before, last) = (last, "");
                }
                "," | "}" | ";" => {
                    found.bring_in(before, last);
                    if word == "}" && prefixes.len() > 1 {
                        prefixes.pop();
                    }
                    (before, last) = (prefixes.last().copied().unwrap_or_default(), "");
                }
                _ => {
                    if before.is_empty() && last.is_empty() && words.peek() == Some(&":") {
                        found.roots.push(word);
                    }
                    if !last.is_empty() {
                        before = last;
                    }
                    last = word;
                }
            }
        }
        found
    }

    fn bring_in(&mut self, before: &'a str, last: &'a str) {
        match last {
            "" | "_" => {}
            "self" => self.names.push(("", before)),
            name => self.names.push((before, name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexer::tokens;
    use super::*;

    #[track_caller]
    fn brings_in(source: &str, names: &[(&str, &str)], roots: &[&str]) {
        let words: Vec<_> = tokens(source).map(|token| token.text).collect();
        let found = Use::read(&words);
        assert_eq!((&*found.names, &*found.roots), (names, roots), "{source}");
        assert_eq!(found.has_glob, source.contains('*'), "{source}");
    }

    #[test]
    fn names_are_told_with_their_modules() {
        brings_in("a;", &[("", "a")], &[]);
        brings_in("a::b;", &[("a", "b")], &["a"]);
        brings_in("a::b::c as d;", &[("b", "d")], &["a"]);
        brings_in("a::*;", &[], &["a"]);
        brings_in("a as _;", &[], &[]);
        brings_in(
            "a::{self, b, c::{d, e as f}, g::*};",
            &[("", "a"), ("a", "b"), ("c", "d"), ("c", "f")],
            &["a"],
        );
        brings_in("{a::b, c};", &[("a", "b"), ("", "c")], &["a"]);
        brings_in("a::{b::{c}, d};", &[("b", "c"), ("a", "d")], &["a"]);
    }

    #[test]
    fn paths_of_crates_begin_nowhere() {
        let words: Vec<_> = tokens("::a::b;").map(|token| token.text).collect();
        assert_eq!(Use::read(&words).names, [("a", "b")]);
    }

    #[test]
    fn what_is_no_use_is_read_to_its_end() {
        for source in ["", "}", "a::{", "as", "{{{,}", ":::"] {
            let words: Vec<_> = tokens(source).map(|token| token.text).collect();
            let _ = Use::read(&words);
        }
    }
}
