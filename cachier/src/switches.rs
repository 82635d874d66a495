//! Switches that disable functions. Pure: the environment and the program's switches are handed in.

use cachier_metrics::NamePattern;

/// Which functions are disabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Switches {
    everything_off: bool,
    off: Vec<NamePattern>,
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
        self.off.push(NamePattern::new(pattern));
    }

    /// Whether a function is on, by its name and by that with type arguments.
    pub(crate) fn is_on(&self, name: &str, typed_name: &str) -> bool {
        let is_meant = |pattern: &NamePattern| pattern.matches(name) || pattern.matches(typed_name);
        !self.everything_off && !self.off.iter().any(is_meant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
