//! The layers that a document says a crate has, held against the crate.

use std::collections::BTreeMap;
use std::fmt;

use crate::uses::{Graph, Site};

/// The layers of a crate, the uppermost first: a module may use those of its own layer and of lower ones.
///
/// In the document they are a fenced block of lines `module, module   what they are for`, whose first words name top-level
/// modules with all that is in them.
pub struct Layers {
    /// The number of each module's layer.
    numbers: BTreeMap<String, usize>,
}

/// A violation of a picture of layers.
#[derive(Debug, PartialEq, Eq)]
pub enum Violation {
    /// A module is in no layer.
    Unlisted(String),
    /// A layer names a module that the crate does not have.
    Unknown(String),
    /// A module uses one of a higher layer: the two, and where.
    Upward(String, String, String),
}

impl Layers {
    /// Reads the first fenced block after the line that begins with these words.
    pub fn parse(document: &str, introduction: &str) -> Self {
        let block = document
            .lines()
            .skip_while(|line| !line.starts_with(introduction))
            .skip_while(|line| !line.starts_with("```"))
            .skip(1)
            .take_while(|line| !line.starts_with("```"));
        let layers = block.enumerate().flat_map(|(number, line)| {
            let names = line.split("  ").next().unwrap_or_default().split(',');
            names.map(move |name| (name.trim().trim_end_matches('/').to_owned(), number))
        });
        Self {
            numbers: layers.collect(),
        }
    }

    /// Compares the picture with the modules of the crate and their uses. The root is a door to all of them.
    pub fn judge(&self, graph: &Graph) -> Vec<Violation> {
        let mut modules: Vec<_> = graph.modules.iter().map(|module| top(module)).collect();
        let upward = graph.uses.iter().filter_map(|((from, to), site)| {
            let (from, to) = (modules[*from], modules[*to]);
            let is_upward = self.numbers.get(from)? > self.numbers.get(to)?;
            is_upward.then(|| upward(from, to, site))
        });
        let upward: Vec<_> = upward.collect();
        modules.retain(|module| *module != "lib");
        modules.sort_unstable();
        modules.dedup();
        let unlisted = modules
            .iter()
            .filter(|module| !self.numbers.contains_key(**module))
            .map(|module| Violation::Unlisted((*module).to_owned()));
        let unknown = self
            .numbers
            .keys()
            .filter(|name| !modules.contains(&name.as_str()))
            .map(|name| Violation::Unknown(name.clone()));
        unlisted.chain(unknown).chain(upward).collect()
    }
}

fn top(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

fn upward(from: &str, to: &str, site: &Site) -> Violation {
    Violation::Upward(from.to_owned(), to.to_owned(), site.to_string())
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlisted(module) => write!(f, "`{module}` is in no layer"),
            Self::Unknown(module) => write!(f, "there is no module `{module}`"),
            Self::Upward(from, to, site) => write!(f, "{from} uses {to}, above it   {site}"),
        }
    }
}
