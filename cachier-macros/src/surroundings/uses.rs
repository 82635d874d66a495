//! The names that a `use` brings in.

/// The names of a `use` item.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Use<'a> {
    pub(super) names: Vec<Name<'a>>,
    /// Where its paths begin, but for those that name a crate as such.
    pub(super) roots: Vec<&'a str>,
    /// Whether it brings in names that it does not say.
    pub(super) has_glob: bool,
}

/// A name that is brought in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    pub(super) name: &'a str,
    /// The path before it, and the first segment of that.
    pub(super) from: &'a str,
    pub(super) root: &'a str,
}

/// The beginning of a path that names a crate as such: `::a`.
const CRATES: &str = "";

impl<'a> Use<'a> {
    /// Reads the words after `use`, to the semicolon.
    pub(super) fn read(words: &[&'a str]) -> Self {
        let mut found = Self::default();
        let mut path: Vec<&str> = Vec::new();
        // How much of the path stands before each open brace.
        let mut outer = vec![0];
        let (mut alias, mut words) = (None, words.iter().copied());
        while let Some(word) = words.next() {
            match word {
                ":" if path.is_empty() => path.push(CRATES),
                ":" => {}
                "as" => alias = words.next(),
                "{" => outer.push(path.len()),
                "," | "}" | ";" => {
                    let shared = outer.last().copied().unwrap_or_default();
                    if path.len() > shared {
                        found.bring_in(&path, alias);
                    }
                    if word == "}" && outer.len() > 1 {
                        outer.pop();
                    }
                    alias = None;
                    // The path before a brace is not brought in itself.
                    path.truncate(outer.last().copied().unwrap_or_default());
                }
                _ => path.push(word),
            }
        }
        found
    }

    fn bring_in(&mut self, path: &[&'a str], alias: Option<&'a str>) {
        let (path, last) = match path {
            [.., module, "self"] => (&path[..path.len() - 1], *module),
            [.., last] => (path, *last),
            [] => return,
        };
        if let [root, _, ..] = path
            && *root != CRATES
        {
            self.roots.push(root);
        }
        let mut segments = path.iter().copied().filter(|segment| *segment != CRATES);
        let root = segments.next().unwrap_or_default();
        match (last, alias.unwrap_or(last)) {
            ("*", _) => self.has_glob = true,
            (_, "_") => {}
            (_, name) => self.names.push(Name {
                name,
                from: path.iter().rev().nth(1).copied().unwrap_or_default(),
                root,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexer::tokens;
    use super::*;

    fn read(source: &str) -> Use<'_> {
        let words: Vec<_> = tokens(source).map(|token| token.text).collect();
        Use::read(&words)
    }

    #[track_caller]
    fn brings_in(source: &str, expected: &[&str], roots: &[&str]) {
        let found = read(source);
        let names = found.names.iter().map(|found| {
            let Name { name, from, root } = found;
            format!("{root}..{from}::{name}")
        });
        assert_eq!(names.collect::<Vec<_>>(), expected, "{source}");
        assert_eq!(found.roots, roots, "{source}");
        assert_eq!(found.has_glob, source.contains('*'), "{source}");
    }

    #[test]
    fn names_are_told_with_their_modules() {
        brings_in("a;", &["a..::a"], &[]);
        brings_in("a::b;", &["a..a::b"], &["a"]);
        brings_in("a::b::c as d;", &["a..b::d"], &["a"]);
        brings_in("a::*;", &[], &["a"]);
        brings_in("a as _;", &[], &[]);
        brings_in(
            "a::{self, b, c::{d, e as f}, g::*};",
            &["a..::a", "a..a::b", "a..c::d", "a..c::f"],
            &["a", "a", "a", "a"],
        );
        brings_in("{a::b, c};", &["a..a::b", "c..::c"], &["a"]);
        brings_in("a::{b::{c}, d};", &["a..b::c", "a..a::d"], &["a", "a"]);
    }

    #[test]
    fn paths_of_crates_begin_with_no_name() {
        brings_in("::a::b;", &["a..a::b"], &[]);
        brings_in("::{a::b, c};", &["a..a::b", "c..::c"], &[]);
    }

    #[test]
    fn malformed_uses_are_read_to_their_end() {
        for source in ["", "}", "a::{", "as", "{{{,}", ":::", "self;", "::{self};"] {
            let _ = read(source);
        }
    }
}
