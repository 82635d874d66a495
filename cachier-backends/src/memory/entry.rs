//! Input and output of a store.

/// Limits for a store; unlimited by default.
///
/// ```
/// use cachier_backends::memory::{Bounds, MemoryStore};
///
/// let bounds = Bounds::new(Some(1000), None);
/// let store = MemoryStore::<u64, String>::new(bounds);
/// assert_eq!(store.entries(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// The most entries.
    pub entries: Option<u64>,
    /// The most bytes, of all entries together. The size of machine words is known; other entries state theirs.
    pub bytes: Option<u64>,
}

/// A value with its times, which a store may round: see [`NewEntry`].
///
/// ```
/// # use cachier_backends::memory::{Bounds, MemoryStore, NewEntry};
/// let store = MemoryStore::new(Bounds::default());
/// let _ = store.insert(3_u32, NewEntry::new("rain", 100, 7));
/// let found = store.peek(&3_u32).expect("it was inserted");
/// assert_eq!((found.value, found.created, found.compute_nanos), ("rain", 100, 7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry<V> {
    /// The value itself.
    pub value: V,
    /// When it was computed, in nanoseconds of the caller's clock.
    pub created: u64,
    /// How long computing it took, in nanoseconds.
    pub compute_nanos: u64,
}

/// An entry to insert.
///
/// The store keeps at least three digits of `compute_nanos`. For machine words it keeps the creation to the
/// microsecond, unless `since` is the same moment. A `since` that is the microsecond of the creation takes no memory.
///
/// ```
/// use cachier_backends::memory::NewEntry;
///
/// // From a store, where it had been computed a while ago.
/// let entry = NewEntry::new("rain", 100, 7).fresh_since(250);
/// assert_eq!((entry.created, entry.since), (100, 250));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewEntry<V> {
    /// The value itself.
    pub value: V,
    /// When it was computed, in nanoseconds of the caller's clock.
    pub created: u64,
    /// The time since which it counts as fresh: when it was computed, or when it came into this store.
    pub since: u64,
    /// How long computing it took, in nanoseconds.
    pub compute_nanos: u64,
    /// Its size, where the caller can tell: see [`MemoryStore::footprint`](super::MemoryStore::footprint).
    pub bytes: Option<u64>,
}

/// The result of an insertion.
///
/// ```
/// # use cachier_backends::memory::{Bounds, MemoryStore, NewEntry};
/// let store = MemoryStore::new(Bounds::default());
/// let inserted = store.insert(3_u32, NewEntry::new("rain".to_owned(), 100, 7));
/// assert!(inserted.kept);
/// assert_eq!((inserted.entries, inserted.evicted), (1, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Inserted {
    /// Whether the store kept the entry; not if it exceeds a bound by itself.
    pub kept: bool,
    /// How many other entries were evicted.
    pub evicted: u64,
    /// How many entries the store holds now.
    pub entries: u64,
}

impl Bounds {
    /// Limits of entries, of bytes, or of both.
    #[must_use]
    pub const fn new(entries: Option<u64>, bytes: Option<u64>) -> Self {
        Self { entries, bytes }
    }

    #[inline]
    pub(super) fn are_set(&self) -> bool {
        self.entries.is_some() || self.bytes.is_some()
    }

    /// Whether an entry of this size fits into an empty store. A bound in bytes excludes entries of unknown size.
    pub(super) fn admit(&self, size: Option<u64>) -> bool {
        let fits = |limit| size.is_some_and(|size| size <= limit);
        self.entries != Some(0) && self.bytes.is_none_or(fits)
    }

    /// Whether a store of this size has room for one more entry.
    pub(super) fn have_room(&self, entries: usize, bytes: u64, size: Option<u64>) -> bool {
        let sum = bytes.checked_add(size.unwrap_or(0));
        let fits = |limit| sum.is_some_and(|sum| sum <= limit);
        self.entries.is_none_or(|limit| (entries as u64) < limit) && self.bytes.is_none_or(fits)
    }
}

impl<V> NewEntry<V> {
    /// An entry that counts as fresh since its creation, of unknown size.
    #[inline]
    pub const fn new(value: V, created: u64, compute_nanos: u64) -> Self {
        Self {
            value,
            created,
            since: created,
            compute_nanos,
            bytes: None,
        }
    }

    /// The same, counting as fresh since another moment.
    #[inline]
    #[must_use]
    pub fn fresh_since(self, since: u64) -> Self {
        Self { since, ..self }
    }

    /// The same, of this size where it is known.
    #[inline]
    #[must_use]
    pub fn sized(self, bytes: Option<u64>) -> Self {
        Self { bytes, ..self }
    }
}
