//! Cycles among modules: the strongly connected components of their graph.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use crate::uses::{Graph, Site};

/// Modules that all use each other, directly or through others.
pub struct Cycle {
    /// Sorted by name.
    pub modules: Vec<String>,
    /// One way around: from each module to the next, and back to the first.
    pub way: Vec<Step>,
}

/// One module using another.
pub struct Step {
    from: String,
    to: String,
    site: Site,
}

/// All cycles of a crate; a module is in one at most.
pub fn cycles(graph: &Graph) -> Vec<Cycle> {
    let all = 0..graph.modules.len();
    let before: Vec<_> = all.clone().map(|from| ways(graph, from)).collect();
    let reach_each_other = |one: usize, other: usize| {
        before[one].contains_key(&other) && before[other].contains_key(&one)
    };
    let begins_cycle = |module: &usize| {
        let first = all.clone().find(|other| reach_each_other(*other, *module));
        first == Some(*module)
    };
    let cycle = |first| {
        let members = all.clone().filter(|other| reach_each_other(first, *other));
        let around = members
            .clone()
            .map(|member| around(member, &before[member]));
        let shortest = around.min_by_key(Vec::len).unwrap_or_default();
        let mut modules: Vec<_> = members
            .map(|member| graph.modules[member].clone())
            .collect();
        modules.sort();
        let way = shortest
            .windows(2)
            .map(|pair| step(graph, (pair[0], pair[1])));
        let way = way.collect();
        Cycle { modules, way }
    };
    all.clone().filter(begins_cycle).map(cycle).collect()
}

fn step(graph: &Graph, edge: (usize, usize)) -> Step {
    Step {
        from: graph.modules[edge.0].clone(),
        to: graph.modules[edge.1].clone(),
        site: graph.uses[&edge].clone(),
    }
}

/// For each module reachable in at least one step: its predecessor on a shortest way.
fn ways(graph: &Graph, from: usize) -> BTreeMap<usize, usize> {
    let mut before = BTreeMap::new();
    let mut next = VecDeque::from([from]);
    while let Some(module) = next.pop_front() {
        let used = graph.uses.range((module, 0)..=(module, usize::MAX));
        for ((_, to), _) in used {
            before.entry(*to).or_insert_with(|| {
                next.push_back(*to);
                module
            });
        }
    }
    before
}

/// The shortest way from a module back to itself, both ends included.
fn around(module: usize, before: &BTreeMap<usize, usize>) -> Vec<usize> {
    let mut way = vec![module];
    let mut at = module;
    loop {
        at = before[&at];
        way.insert(0, at);
        if at == module {
            return way;
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}   {}", self.from, self.to, self.site)
    }
}

/// One way around, one line per step.
impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} modules in a cycle: {}",
            self.modules.len(),
            self.modules.join(" ")
        )?;
        self.way.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}
