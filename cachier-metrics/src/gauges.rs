//! The current content of a cache, as its program reports it.

use std::collections::BTreeMap;
use std::iter::Sum;

#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

/// Current sizes and configured limits; unknown ones are absent.
///
/// When snapshots are merged, each process's own entries add up. For shared backends, only the largest report under
/// each name counts, as they report the same entries. Two stores with one name, such as folders with the same path on
/// two machines, count as one.
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(default))]
#[non_exhaustive]
pub struct Gauges {
    /// In the near tier.
    pub near: Holding,
    /// In memory, if that is the backend.
    pub memory: Holding,
    /// In backends shared by processes, by a name that is the same in each of them.
    pub shared: BTreeMap<String, Shared>,
    /// The configured limit in entries, of memory or of the near tier.
    pub capacity_entries: Option<u64>,
    /// The configured limit in bytes, of memory.
    pub memory_capacity_bytes: Option<u64>,
}

/// The size of one tier.
///
/// ```
/// use cachier_metrics::Holding;
///
/// let holding = Holding::new(Some(3), None);
/// assert_eq!((holding.entries, holding.bytes), (Some(3), None)); // its bytes are not known
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(default))]
#[non_exhaustive]
pub struct Holding {
    /// Number of entries.
    pub entries: Option<u64>,
    /// Size in bytes.
    pub bytes: Option<u64>,
}

/// The size of a function's entries in a shared backend.
///
/// ```
/// use cachier_metrics::{Gauges, Holding, Shared};
///
/// let mut gauges = Gauges::default();
/// let on_redis = Shared::new(Holding::new(Some(3), Some(120)), None);
/// gauges.shared.insert("redis.internal:6379".to_owned(), on_redis);
/// assert_eq!(gauges.backend().entries, Some(3));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(default))]
#[non_exhaustive]
pub struct Shared {
    /// Entries and bytes.
    pub holding: Holding,
    /// The configured limit in bytes.
    pub capacity_bytes: Option<u64>,
}

impl Gauges {
    /// The size in the backends, shared or not.
    #[must_use]
    pub fn backend(&self) -> Holding {
        let shared = self.shared.values().map(|shared| shared.holding);
        shared.fold(self.memory, Holding::plus)
    }

    /// The configured limits in bytes, of all backends.
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
    /// A size, as far as it is known.
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
    /// A size, and the limit in bytes if there is one.
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

/// The sum of the known values.
fn plus(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}
