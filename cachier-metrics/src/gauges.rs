//! What a cache holds right now, as the program that owns it tells.

use std::collections::BTreeMap;
use std::iter::Sum;

use serde::{Deserialize, Serialize};

/// What a cache holds and may hold; what is not known is absent.
///
/// What each process has for itself adds up when snapshots are merged. What processes share does not: it goes by a name,
/// and of what several of them tell under one name, the largest counts. Two stores that go by one name, such as folders of
/// the same path on two machines, count as one.
///
/// ```
/// use cachier_metrics::{Gauges, Holding, Shared};
///
/// let shared = Shared::new(Holding::new(Some(12), None), None);
/// let mut one = Gauges::default();
/// one.shared.insert("redis.internal/default/forecast".to_owned(), shared);
/// let processes: Gauges = [one.clone(), one].into_iter().sum();
/// assert_eq!(processes.backend().entries, Some(12));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Gauges {
    /// In the near tier.
    pub near: Holding,
    /// In the memory of the process, where that is the backend.
    pub memory: Holding,
    /// In backends that processes share, by a name that is the same in each of them.
    pub shared: BTreeMap<String, Shared>,
    /// The configured bound in entries, of memory or of the near tier.
    pub capacity_entries: Option<u64>,
    /// The configured bound in bytes of memory.
    pub memory_capacity_bytes: Option<u64>,
}

/// What one tier holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Holding {
    /// How many entries.
    pub entries: Option<u64>,
    /// How many bytes.
    pub bytes: Option<u64>,
}

/// What a function has in a backend that processes share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Shared {
    /// What it holds.
    pub holding: Holding,
    /// The configured bound in bytes.
    pub capacity_bytes: Option<u64>,
}

impl Gauges {
    /// What the backends hold, shared or not.
    #[must_use]
    pub fn backend(&self) -> Holding {
        let shared = self.shared.values().map(|shared| shared.holding);
        shared.fold(self.memory, Holding::plus)
    }

    /// The configured bounds in bytes, of all that is held.
    #[must_use]
    pub fn capacity_bytes(&self) -> Option<u64> {
        let shared = self.shared.values().map(|shared| shared.capacity_bytes);
        shared.fold(self.memory_capacity_bytes, plus)
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.near = self.near.plus(other.near);
        self.memory = self.memory.plus(other.memory);
        for (name, other) in &other.shared {
            let shared = self.shared.entry(name.clone()).or_default();
            *shared = shared.or_larger(other);
        }
        self.capacity_entries = plus(self.capacity_entries, other.capacity_entries);
        self.memory_capacity_bytes = plus(self.memory_capacity_bytes, other.memory_capacity_bytes);
    }
}

impl Sum for Gauges {
    fn sum<I: Iterator<Item = Self>>(gauges: I) -> Self {
        gauges.fold(Self::default(), |mut sum, one| {
            sum.merge(&one);
            sum
        })
    }
}

impl Holding {
    /// So many entries of so many bytes in all, as far as that is known.
    #[must_use]
    pub fn new(entries: Option<u64>, bytes: Option<u64>) -> Self {
        Self { entries, bytes }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            entries: plus(self.entries, other.entries),
            bytes: plus(self.bytes, other.bytes),
        }
    }
}

impl Shared {
    /// What is held, and the bound in bytes if there is one.
    #[must_use]
    pub fn new(holding: Holding, capacity_bytes: Option<u64>) -> Self {
        Self {
            holding,
            capacity_bytes,
        }
    }

    fn or_larger(self, other: &Self) -> Self {
        Self {
            holding: Holding {
                entries: self.holding.entries.max(other.holding.entries),
                bytes: self.holding.bytes.max(other.holding.bytes),
            },
            capacity_bytes: self.capacity_bytes.max(other.capacity_bytes),
        }
    }
}

/// The sum of what is known.
fn plus(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}
