//! Optional capabilities of backends.

use std::fmt;

/// An optional ability of a backend.
///
/// ```
/// use cachier_backends::{Capabilities, Capability};
///
/// let capabilities = Capabilities::NONE.with(Capability::Cleanup);
/// assert!(capabilities.has(Capability::Cleanup) && !capabilities.has(Capability::Leases));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability {
    /// Leases are exclusive, and a store under a lease that has ended stores nothing.
    Leases,
    /// `capacity_bytes` bounds the size of a function's entries; the oldest are evicted first.
    Capacity,
    /// `cleanup` removes old entries.
    Cleanup,
    /// `usage` reports how many entries there are and how many bytes they take.
    Usage,
}

/// A set of [`Capability`].
///
/// ```
/// use cachier_backends::{Capabilities, Capability};
///
/// let capabilities = Capabilities::NONE.with(Capability::Leases).with(Capability::Usage);
/// assert!(capabilities.has(Capability::Usage));
/// assert!(!capabilities.has(Capability::Cleanup));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Capabilities(u32);

impl Capabilities {
    /// The required methods only.
    pub const NONE: Self = Self(0);

    /// Adds a capability.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | 1 << capability as u32)
    }

    /// Whether the set contains a capability.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & 1 << capability as u32 != 0
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Capability::{Capacity, Cleanup, Leases, Usage};
        let all = [Leases, Capacity, Cleanup, Usage];
        f.debug_set()
            .entries(all.into_iter().filter(|one| self.has(*one)))
            .finish()
    }
}
