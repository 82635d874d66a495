//! What a cache holds right now, as the program that owns it tells.

use std::iter::Sum;

use serde::{Deserialize, Serialize};

/// What a cache holds and may hold; what is not known is absent.
///
/// ```
/// use cachier_metrics::{Gauges, Holding};
///
/// let gauges = Gauges {
///     backend: Holding { entries: Some(12), bytes: None },
///     capacity_entries: Some(1000),
///     ..Gauges::default()
/// };
/// assert_eq!(gauges.near.entries, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gauges {
    /// In the near tier.
    pub near: Holding,
    /// In the backend.
    pub backend: Holding,
    /// The configured bound in entries.
    pub capacity_entries: Option<u64>,
    /// The configured bound in bytes.
    pub capacity_bytes: Option<u64>,
}

/// What one tier holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holding {
    /// How many entries.
    pub entries: Option<u64>,
    /// How many bytes.
    pub bytes: Option<u64>,
}

impl Gauges {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.near.merge(&other.near);
        self.backend.merge(&other.backend);
        add(&mut self.capacity_entries, other.capacity_entries);
        add(&mut self.capacity_bytes, other.capacity_bytes);
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
    fn merge(&mut self, other: &Self) {
        add(&mut self.entries, other.entries);
        add(&mut self.bytes, other.bytes);
    }
}

/// The sum of what is known.
fn add(sum: &mut Option<u64>, other: Option<u64>) {
    if let Some(other) = other {
        *sum = Some(sum.unwrap_or(0).saturating_add(other));
    }
}
