//! The graph of waits, in which a wait that could never end is refused.
//!
//! An edge leads from a computation to one that it needs: a nested call of its own, or a flight that it waits for. An edge
//! that would close a cycle is refused, and the caller computes for itself.

use std::collections::HashMap;

#[cfg(not(shuttle))]
use cachier_backends::process::PerProcess;

use super::computation::ComputationId;
use crate::sync::{Mutex, lock};

/// Waiting would close a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reentrant;

/// An edge of the graph, removed when dropped; none for calls outside any computation.
pub(crate) struct Dependency(Option<(ComputationId, ComputationId)>);

/// Records that `dependent` needs `needed`.
pub(crate) fn depend(
    dependent: Option<ComputationId>,
    needed: ComputationId,
) -> Result<Dependency, Reentrant> {
    let Some(dependent) = dependent else {
        return Ok(Dependency(None));
    };
    lock(&GRAPH)
        .get_or_insert_default()
        .insert(dependent, needed)?;
    Ok(Dependency(Some((dependent, needed))))
}

impl Drop for Dependency {
    fn drop(&mut self) {
        if let Some((dependent, needed)) = self.0
            && let Some(graph) = lock(&GRAPH).as_mut()
        {
            graph.remove(dependent, needed);
        }
    }
}

#[cfg(not(shuttle))]
static GRAPH: PerProcess<Mutex<Option<WaitGraph>>> = PerProcess::new(|_| Mutex::new(None));

#[cfg(shuttle)]
shuttle::lazy_static! {
    static ref GRAPH: Mutex<Option<WaitGraph>> = Mutex::new(None);
}

/// The edges. Pure: no locks, no threads.
#[derive(Default)]
struct WaitGraph {
    needs: HashMap<ComputationId, Vec<ComputationId>>,
}

impl WaitGraph {
    fn insert(&mut self, dependent: ComputationId, needed: ComputationId) -> Result<(), Reentrant> {
        if self.reaches(needed, dependent) {
            return Err(Reentrant);
        }
        self.needs.entry(dependent).or_default().push(needed);
        Ok(())
    }

    fn remove(&mut self, dependent: ComputationId, needed: ComputationId) {
        let Some(needs) = self.needs.get_mut(&dependent) else {
            return;
        };
        if let Some(index) = needs.iter().position(|&other| other == needed) {
            needs.swap_remove(index);
        }
        if needs.is_empty() {
            self.needs.remove(&dependent);
        }
    }

    fn reaches(&self, from: ComputationId, to: ComputationId) -> bool {
        let mut pending = vec![from];
        let mut seen = Vec::new();
        while let Some(computation) = pending.pop() {
            if computation == to {
                return true;
            }
            if !seen.contains(&computation) {
                seen.push(computation);
                pending.extend(self.needs.get(&computation).into_iter().flatten());
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_wait_that_closes_a_cycle_is_refused() {
        let [a, b, c] = std::array::from_fn(|_| ComputationId::next());
        let mut graph = WaitGraph::default();
        graph.insert(a, b).unwrap();
        graph.insert(b, c).unwrap();
        assert_eq!(graph.insert(c, a), Err(Reentrant));
        assert_eq!(graph.insert(a, a), Err(Reentrant));
        graph.remove(b, c);
        assert_eq!(graph.insert(c, a), Ok(()));
    }

    #[test]
    fn a_computation_may_need_the_same_one_twice() {
        let [a, b] = std::array::from_fn(|_| ComputationId::next());
        let mut graph = WaitGraph::default();
        graph.insert(a, b).unwrap();
        graph.insert(a, b).unwrap();
        graph.remove(a, b);
        assert_eq!(graph.insert(b, a), Err(Reentrant));
        graph.remove(a, b);
        assert!(graph.needs.is_empty());
    }

    #[cfg(not(shuttle))]
    #[test]
    fn a_wait_that_is_over_closes_no_cycle() {
        let [a, b] = std::array::from_fn(|_| ComputationId::next());
        let wait = depend(Some(a), b).unwrap();
        assert!(depend(Some(b), a).is_err());
        assert!(depend(None, a).is_ok(), "outside any computation");
        drop(wait);
        assert!(depend(Some(b), a).is_ok());
    }
}
