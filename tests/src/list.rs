//! Linked lists, nested as deep as they are long.

use std::hash::{Hash, Hasher};
use std::thread;

use serde::{Deserialize, Serialize};

/// The deepest nesting allowed for arguments and values.
pub const MAX_LEVELS: usize = 128;

/// Deeper than any stack allows.
pub const DEEP: usize = 100_000;

/// A list of numbers, each one level deeper. Only serde recurses over it; everything else uses loops.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct List {
    value: usize,
    next: Option<Box<List>>,
}

impl List {
    /// A list of `length` numbers, at least one.
    #[must_use]
    pub fn of(length: usize) -> Self {
        Self::from_back((0..length).rev())
    }

    /// The number of elements.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "none is empty")]
    pub fn len(&self) -> usize {
        self.values().count()
    }

    fn values(&self) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(self), |list| list.next.as_deref()).map(|list| list.value)
    }

    fn from_back(values: impl Iterator<Item = usize>) -> Self {
        let add = |list: Option<Box<Self>>, value| Some(Box::new(Self { value, next: list }));
        values
            .fold(None, add)
            .map_or_else(Self::default, |list| *list)
    }
}

impl Clone for List {
    fn clone(&self) -> Self {
        let values: Vec<_> = self.values().collect();
        Self::from_back(values.into_iter().rev())
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.values().eq(other.values())
    }
}

impl Eq for List {}

impl Hash for List {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for value in self.values() {
            value.hash(hasher);
        }
        self.len().hash(hasher);
    }
}

impl Drop for List {
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut list) = next {
            next = list.next.take();
        }
    }
}

/// Runs something on a thread with a stack of this many bytes.
///
/// # Panics
/// When it panics.
pub fn on_thread<R: Send>(stack: usize, run: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(stack);
        let thread = builder.spawn_scoped(scope, run).expect("a thread");
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
