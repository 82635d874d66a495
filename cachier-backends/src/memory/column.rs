//! Numbers beside the slots of a table, which most tables do without.

use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;

use super::sync::{AtomicU32, AtomicU64};

/// One number for each slot, zero unless set. Takes no room before the first that is not zero. There is one writer at a
/// time.
pub(super) struct Column<N>(OnceLock<Vec<N>>);

/// A number that readers may read while it is written.
pub(super) trait Number: Default {
    type Value: Copy + Default + PartialEq;
    fn read(&self) -> Self::Value;
    fn write(&self, value: Self::Value);
}

impl<N: Number> Column<N> {
    pub(super) fn new() -> Self {
        Self(OnceLock::new())
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn read(&self, slot: usize) -> N::Value {
        match self.0.get() {
            Some(numbers) => numbers[slot].read(),
            None => N::Value::default(),
        }
    }

    /// Sets the number of one of so many slots.
    pub(super) fn write(&self, slot: usize, slots: usize, value: N::Value) {
        if let Some(numbers) = self.0.get() {
            numbers[slot].write(value);
        } else if value != N::Value::default() {
            self.0.get_or_init(|| zeros(slots))[slot].write(value);
        }
    }
}

/// So many zeros.
pub(super) fn zeros<T: Default>(count: usize) -> Vec<T> {
    std::iter::repeat_with(T::default).take(count).collect()
}

macro_rules! numbers {
    ($($atomic:ty: $value:ty),*) => {$(
        impl Number for $atomic {
            type Value = $value;

            #[inline]
            fn read(&self) -> $value {
                self.load(Relaxed)
            }

            fn write(&self, value: $value) {
                self.store(value, Relaxed);
            }
        }
    )*};
}

numbers! { AtomicU32: u32, AtomicU64: u64 }
