//! Switches that disable functions. Pure: the environment and the program's switches are handed in.

/// Which functions are disabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Switches {
    everything_off: bool,
    off: Vec<Pattern>,
}

impl Switches {
    /// Enables everything, including what patterns disabled.
    pub(crate) fn enable_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn disable_all(&mut self) {
        self.everything_off = true;
    }

    pub(crate) fn is_everything_off(&self) -> bool {
        self.everything_off
    }

    /// Disables functions whose name matches the pattern; `*` stands for any text.
    pub(crate) fn disable(&mut self, pattern: &str) {
        self.off.push(Pattern(pattern.to_owned()));
    }

    /// Whether a function is on, by its name and by that with type arguments.
    pub(crate) fn is_on(&self, name: &str, typed_name: &str) -> bool {
        let is_meant = |pattern: &Pattern| pattern.matches(name) || pattern.matches(typed_name);
        !self.everything_off && !self.off.iter().any(is_meant)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(String);

impl Pattern {
    fn matches(&self, name: &str) -> bool {
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

#[cfg(test)]
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
        ];
        for (pattern, name, matches) in cases {
            assert_eq!(
                Pattern(pattern.to_owned()).matches(name),
                matches,
                "{pattern} on {name}"
            );
        }
    }

    #[test]
    fn enabling_undoes_everything() {
        let mut switches = Switches::default();
        switches.disable_all();
        switches.disable("f");
        switches.enable_all();
        assert!(switches.is_on("f", "f<u8>"));
        switches.disable("f");
        assert!(!switches.is_on("f", "f<u8>") && switches.is_on("g", "g<u8>"));
    }

    #[test]
    fn type_arguments_may_be_named_or_not() {
        let mut switches = Switches::default();
        switches.disable("f<u8>");
        assert!(!switches.is_on("f", "f<u8>") && switches.is_on("f", "f<u16>"));
    }
}
