//! Type-erased keys and values, so that one driver serves all functions that keep their values in memory.
//!
//! Hits are typed and use none of this.

use std::any::Any;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use once_cell::race::OnceBox;

/// The arguments of a call, of any type, with their hash: the table of flights asks for it several times.
#[derive(Clone)]
pub struct AnyKey {
    key: Arc<dyn Key>,
    hash: u64,
}

/// A value of any type.
#[derive(Clone)]
pub struct AnyValue {
    value: Arc<dyn Any + Send + Sync>,
    /// `None` if it was not measured.
    size: Option<MemorySize>,
}

/// A value's size, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MemorySize {
    /// Its serialized size, where nothing bounds the bytes.
    Serialized(u64),
    /// The heap memory that it owns.
    Heap(u64),
}

impl AnyKey {
    pub(crate) fn new<K: Eq + Hash + Clone + Send + Sync + 'static>(key: K) -> Self {
        static HASHER: OnceBox<RandomState> = OnceBox::new();
        let hash = HASHER.get_or_init(Box::default).hash_one(&key);
        let key = Arc::new(key);
        Self { key, hash }
    }

    /// The typed key; all keys of a function have one type.
    pub(crate) fn get<K: 'static>(&self) -> &K {
        match self.key.as_any().downcast_ref() {
            Some(key) => key,
            None => unreachable!("all keys of a function are of one type"),
        }
    }
}

impl AnyValue {
    pub(crate) fn new<V: Send + Sync + 'static>(value: V) -> Self {
        Self::measured(value, None)
    }

    /// A value whose size may be known.
    pub(crate) fn measured<V: Send + Sync + 'static>(value: V, size: Option<MemorySize>) -> Self {
        let value = Arc::new(value);
        Self { value, size }
    }

    pub(crate) fn size(&self) -> Option<MemorySize> {
        self.size
    }

    /// The typed value, cloned only if others have it too.
    pub(crate) fn into_inner<V: Clone + Send + Sync + 'static>(self) -> V {
        match self.value.downcast() {
            Ok(value) => Arc::unwrap_or_clone(value),
            Err(_) => unreachable!("all values of a function are of one type"),
        }
    }
}

impl PartialEq for AnyKey {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.key.equals(&*other.key)
    }
}

impl Eq for AnyKey {}

impl Hash for AnyKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// The driver's operations on a key.
trait Key: Send + Sync {
    fn equals(&self, other: &dyn Key) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<K: Eq + Send + Sync + 'static> Key for K {
    fn equals(&self, other: &dyn Key) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
