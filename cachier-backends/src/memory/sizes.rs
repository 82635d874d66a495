//! Sizes of entries.

/// A size in five bytes, as it stands in a [`Node`](super::node::Node). A larger one counts as 1 TiB.
#[derive(Clone, Copy)]
pub(super) struct Size([u8; 5]);

/// The sum of sizes.
#[derive(Default)]
pub(super) struct Sizes {
    /// How many entries have a known size.
    known: usize,
    sum: u64,
}

impl Size {
    pub(super) const UNKNOWN: Self = Self([u8::MAX; 5]);
    const MAX: u64 = (1 << 40) - 2;

    pub(super) fn new(bytes: Option<u64>) -> Self {
        let Some(bytes) = bytes else {
            return Self::UNKNOWN;
        };
        let [a, b, c, d, e, ..] = bytes.min(Self::MAX).to_le_bytes();
        Self([a, b, c, d, e])
    }

    pub(super) fn bytes(self) -> Option<u64> {
        let Self([a, b, c, d, e]) = self;
        let bytes = u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]);
        (bytes <= Self::MAX).then_some(bytes)
    }
}

impl Sizes {
    /// The sum of the known sizes.
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// The sum of the sizes of all `entries`; absent if any is unknown.
    pub(super) fn total(&self, entries: usize) -> Option<u64> {
        (self.known == entries).then_some(self.sum)
    }

    pub(super) fn add(&mut self, size: Size) {
        let Some(bytes) = size.bytes() else { return };
        self.known += 1;
        self.sum += bytes;
    }

    pub(super) fn remove(&mut self, size: Size) {
        let Some(bytes) = size.bytes() else { return };
        self.known -= 1;
        self.sum -= bytes;
    }
}
