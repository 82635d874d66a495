//! Patterns of functions' names.

/// A pattern of functions' names, in which `*` stands for any text, also none. It matches whole names.
///
/// ```
/// use cachier_metrics::NamePattern;
///
/// let billing = NamePattern::new("billing::*");
/// assert!(billing.matches("billing::invoice") && !billing.matches("app::billing::invoice"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(String);

impl NamePattern {
    /// Any text is a pattern; without `*` it is that of one name.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Whether a function of this name is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else {
            return false;
        };
        let Some(last) = pieces.next_back() else {
            return rest.is_empty();
        };
        for piece in pieces {
            let Some(found) = rest.find(piece) else {
                return false;
            };
            rest = &rest[found + piece.len()..];
        }
        rest.ends_with(last)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let cases = [
            ("app::user", "app::user", true),
            ("app::user", "app::users", false),
            ("app::*", "app::user", true),
            ("*user", "app::user", true),
            ("*::us*r", "app::user", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
            ("b*", "app", false),
            ("a*x*c", "a-b-c", false),
        ];
        for (pattern, name, matches) in cases {
            let pattern = NamePattern::new(pattern);
            assert_eq!(pattern.matches(name), matches, "{pattern:?} on {name}");
        }
    }
}
