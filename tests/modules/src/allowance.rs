//! The circles that are allowed until somebody has broken them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::circles::Circle;

/// For each crate, the modules that may be in a circle: each circle is within one line.
///
/// A line is `crate: module module …`; a `#` begins a comment.
pub struct Allowance(BTreeMap<String, Vec<BTreeSet<String>>>);

/// What speaks against the circles of a crate.
pub enum Objection<'a> {
    /// A circle has modules that no single line allows.
    NotAllowed(&'a Circle),
    /// A line allows more than there is, so that a circle could grow again; the modules that are left of it.
    TooMuch(Vec<&'a str>),
}

impl Allowance {
    /// Reads the lines of a list.
    pub fn parse(text: &str) -> Self {
        let mut allowed: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            if let Some((name, modules)) = line.split_once(':') {
                let modules = modules.split_whitespace().map(str::to_owned).collect();
                allowed
                    .entry(name.trim().to_owned())
                    .or_default()
                    .push(modules);
            }
        }
        Self(allowed)
    }

    /// Compares the circles of a crate with those that it may have.
    pub fn judge<'a>(&self, name: &str, circles: &'a [Circle]) -> Vec<Objection<'a>> {
        let allowed = self.0.get(name).map_or(&[][..], Vec::as_slice);
        let mut left: Vec<Vec<&str>> = vec![Vec::new(); allowed.len()];
        let mut objections = Vec::new();
        for circle in circles {
            let holds =
                |line: &BTreeSet<String>| circle.modules.iter().all(|module| line.contains(module));
            match allowed.iter().position(holds) {
                Some(line) => left[line].extend(circle.modules.iter().map(String::as_str)),
                None => objections.push(Objection::NotAllowed(circle)),
            }
        }
        let lines = allowed.iter().zip(left);
        let too_long = lines.filter(|(line, left)| line.len() > left.len());
        objections.extend(too_long.map(|(_, left)| Objection::TooMuch(left)));
        objections
    }
}

impl fmt::Display for Objection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed(circle) => write!(f, "{circle}"),
            Self::TooMuch(left) => writeln!(
                f,
                "fewer modules are in a circle than tests/modules/allowed says; of its line is left: {}",
                left.join(" ")
            ),
        }
    }
}
