//! Paths show the kind of the names that they begin with.

/// The possible kinds of a name, as a path that begins with it shows them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Shown {
    /// No companion, unless an operation of that is misspelt.
    Unlikely,
    /// No companion: a module, a crate or a type.
    Other,
}

/// The operations of companions.
const OPERATIONS: [&str; 11] = [
    "cache_dir",
    "call_detailed",
    "call_with",
    "clear_being_calculated",
    "clear_cache",
    "handle",
    "invalidate",
    "metrics",
    "peek",
    "precache_value",
    "usage",
];

/// The names at the beginning of paths that are not those of companions' operations.
pub(super) fn shown<'a>(words: &[&'a str]) -> impl Iterator<Item = (&'a str, Shown)> {
    (0..words.len()).filter_map(move |at| {
        let is_path = |from: usize| {
            words.get(from..from + 2) == Some(&[":", ":"])
                && words.get(from + 2).is_some_and(|word| is_name(word))
        };
        let is_within = at >= 2 && words[at - 2..at] == [":", ":"];
        if is_within || !is_name(words[at]) || !is_path(at + 1) {
            return None;
        }
        let second = words[at + 3];
        let is_macro = words.get(at + 4) == Some(&"!") && words.get(at + 5) != Some(&"=");
        let is_longer = is_path(at + 4);
        if is_macro || is_longer || second.starts_with(char::is_uppercase) {
            return Some((words[at], Shown::Other));
        }
        (!OPERATIONS.contains(&second)).then_some((words[at], Shown::Unlikely))
    })
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first == '_' || first.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::super::lexer::tokens;
    use super::*;

    #[track_caller]
    fn shows(source: &str, expected: &[(&str, Shown)]) {
        let words: Vec<_> = tokens(source).map(|token| token.text).collect();
        let found: Vec<_> = shown(&words).collect();
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn paths_that_no_companion_has_are_told() {
        shows("a::b::c()", &[("a", Shown::Other)]);
        shows("x: a::B", &[("a", Shown::Other)]);
        shows("a::b!()", &[("a", Shown::Other)]);
        shows("a::clear()", &[("a", Shown::Unlikely)]);
        shows("a::clear != b", &[("a", Shown::Unlikely)]);
        shows("a::clear_cache()?; b + 1.0::c", &[]);
        shows("a::peek::<u8>()", &[]);
        shows("::a::b::c", &[]);
        shows("a: ::b::C", &[]);
    }
}
