//! The functions of an exporter, by the series that they make.

use std::collections::{BTreeMap, HashMap};

use super::budget::{Budget, Extent};
use crate::metrics::CacheMetrics;
use crate::pattern::NamePattern;

/// The functions of one exporter.
#[derive(Clone, Debug)]
pub(super) struct Functions {
    /// In the order in which they were registered.
    groups: Vec<Registered>,
    /// Where in `groups` a name of a function and its backend stands.
    places: HashMap<(&'static str, &'static str), usize>,
    /// By pattern: how many of the functions of the process it has been asked about.
    asked: Vec<usize>,
    budget: Budget,
    /// How many functions share `(other)`.
    folded: u64,
    /// The first function that did not get everything.
    curtailed: Option<&'static str>,
}

/// Functions that share a name and a backend, with what is exported of them; with nothing they share one name with others.
#[derive(Clone, Debug)]
struct Registered {
    function: &'static str,
    backend: &'static str,
    members: Vec<&'static CacheMetrics>,
    granted: Option<Extent>,
}

/// Functions that share a name and a backend, and so the labels of all their figures: one as a rule, several where types
/// tell them apart.
#[derive(Clone, Debug)]
pub(crate) struct FunctionGroup {
    /// The name of all of them.
    pub(crate) function: &'static str,
    /// The backend of all of them.
    pub(crate) backend: &'static str,
    /// The functions, at least one.
    pub(crate) members: Vec<&'static CacheMetrics>,
    pub(crate) extent: Extent,
}

/// The name of all functions that there are no series for, and the value of labels likewise.
pub(super) const OTHER: &str = "(other)";

impl Functions {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            groups: Vec::new(),
            places: HashMap::new(),
            asked: Vec::new(),
            budget,
            folded: 0,
            curtailed: None,
        }
    }

    /// Takes in the functions of the process that have come since the last time, and match one of the patterns.
    pub(super) fn join<'a>(&mut self, patterns: impl Iterator<Item = &'a NamePattern>) {
        let all = CacheMetrics::all();
        for (number, pattern) in patterns.enumerate() {
            if number == self.asked.len() {
                self.asked.push(0);
            }
            let new = &all[self.asked[number]..];
            let meant = new.iter().filter(|new| pattern.matches(new.name()));
            meant.for_each(|metrics| self.register(metrics));
            self.asked[number] = all.len();
        }
    }

    /// The series of a forked child: all functions are matched again, as it may not know those that its parent was
    /// adding.
    pub(super) fn inherited(mut self) -> Self {
        self.asked.clear();
        self
    }

    /// The series: of each function within the budget, and of all others of a backend together.
    pub(super) fn exported(&self) -> Vec<FunctionGroup> {
        let mut others = BTreeMap::new();
        let mut exported = Vec::new();
        for group in &self.groups {
            match group.granted {
                Some(extent) => exported.push(group.with(extent)),
                None => {
                    let other = others
                        .entry(group.backend)
                        .or_insert_with(|| FunctionGroup {
                            function: OTHER,
                            backend: group.backend,
                            members: Vec::new(),
                            extent: Extent::NoRareLabels,
                        });
                    other.members.extend_from_slice(&group.members);
                }
            }
        }
        exported.extend(others.into_values());
        exported
    }

    /// Every function by itself and with everything, for people: of one name, or of all.
    #[cfg(feature = "prometheus")]
    pub(super) fn each(&self, function: Option<&str>) -> Vec<FunctionGroup> {
        let groups = self.groups.iter();
        let meant = groups.filter(|group| function.is_none_or(|name| group.function == name));
        meant.map(|group| group.with(Extent::Full)).collect()
    }

    pub(super) fn register(&mut self, metrics: &'static CacheMetrics) {
        let (function, backend) = (metrics.name(), metrics.backend());
        let known = self.places.get(&(function, backend)).copied();
        let place = known.unwrap_or_else(|| self.place_of_new(function, backend));
        let members = &mut self.groups[place].members;
        if !members.iter().any(|known| std::ptr::eq(*known, metrics)) {
            members.push(metrics);
        }
    }

    /// How many functions share `(other)`.
    pub(super) fn folded(&self) -> u64 {
        self.folded
    }

    /// The warning about an exceeded budget.
    pub(super) fn warning(&self, exporter: &str) -> Option<String> {
        let max = self.budget.max();
        self.curtailed.map(|function| {
            format!(
                "the exporter `{exporter}` makes at most {max} series: from `{function}` on, functions are exported without \
                 the buckets of their histograms, then without rare labels, and the last ones together as `{OTHER}`; \
                 register fewer, or allow more with `.max_series(…)`"
            )
        })
    }

    /// Decided once for each function.
    fn place_of_new(&mut self, function: &'static str, backend: &'static str) -> usize {
        let granted = self.budget.grant();
        if granted != Some(Extent::Full) {
            self.curtailed.get_or_insert(function);
        }
        self.folded += u64::from(granted.is_none());
        let place = self.groups.len();
        self.groups.push(Registered {
            function,
            backend,
            members: Vec::new(),
            granted,
        });
        self.places.insert((function, backend), place);
        place
    }
}

impl Registered {
    fn with(&self, extent: Extent) -> FunctionGroup {
        FunctionGroup {
            function: self.function,
            backend: self.backend,
            members: self.members.clone(),
            extent,
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_child_asks_for_all_functions_anew() {
        let mut functions = Functions::new(Budget::default());
        let pattern = NamePattern::new("nothing");
        functions.join(std::iter::once(&pattern));
        assert_eq!(functions.asked.len(), 1);
        assert!(functions.inherited().asked.is_empty());
    }
}
