//! Typed arguments, for values in memory.

use std::hash::Hash;

use cachier_backends::Error;
use cachier_backends::memory::Entry;

use super::arguments::{Arguments, DetailedHit};
use super::instance::{Instance, NearTier, StoreKind};
use super::key_part::{KeyParts, Query};
use super::return_type::ReturnType;
use super::value_codec::{Measure, ValueCodec};
use crate::function::Function;
use crate::options::WantSize;
use crate::stamp::Stamp;
use crate::storage::Found;
use crate::storage::erased::{AnyKey, AnyValue, MemorySize};
use crate::storage::memory::{ErasedMemory, Memory};

/// Arguments for the memory of the process.
pub struct MemoryArguments<P>(pub P);

impl<S, P> Arguments<S> for MemoryArguments<P>
where
    S: ReturnType,
    S::Value: Clone + Send + Sync + 'static,
    P: KeyParts,
{
    type StoreKind = Memory<P::Owned, S::Value>;
    type Codec = CloneCodec;

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn hit(&self, instance: &'static Instance<Self::StoreKind>) -> Option<S::Value> {
        let function = &instance.core.function;
        let key = Query::of(&self.0);
        instance.near.store.get(&key, function.freshness())
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn detailed_hit(
        &self,
        instance: &'static Instance<Self::StoreKind>,
    ) -> Option<DetailedHit<S::Value>> {
        let function = &instance.core.function;
        let key = Query::of(&self.0);
        let entry = instance.near.store.get_entry(&key, function.freshness());
        entry.map(DetailedHit::from)
    }

    fn key(&self) -> Result<AnyKey, Error> {
        self.0.verify()?;
        Ok(AnyKey::new(self.0.to_owned_parts()))
    }

    fn codec(&self, _: &'static Instance<Self::StoreKind>, _: &AnyKey) -> CloneCodec {
        CloneCodec
    }
}

#[diagnostic::do_not_recommend]
impl<K, V> StoreKind for Memory<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    type Store = ErasedMemory;
    type NearTier = Self;

    fn open(function: &Function) -> (Self, ErasedMemory) {
        (Self::open(function), ErasedMemory::default())
    }

    fn connect(instance: &'static Instance<Self>) {
        instance.core.store.connect(&instance.near);
    }
}

impl<K, V> NearTier for Memory<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
}

impl<V> From<Entry<V>> for DetailedHit<V> {
    fn from(entry: Entry<V>) -> Self {
        Self {
            value: entry.value,
            computed: entry.created,
            compute_nanos: entry.compute_nanos,
        }
    }
}

/// Keeps values as they are, in memory.
#[derive(Clone, Copy)]
pub struct CloneCodec;

#[diagnostic::do_not_recommend]
impl<V: Clone + Send + Sync + 'static> ValueCodec<V> for CloneCodec {
    type Encoded = AnyValue;

    fn decode(&self, found: Found<AnyValue>) -> Result<V, Error> {
        Ok(found.value.into_inner())
    }

    fn encode(
        &self,
        value: &V,
        stamp: Stamp,
        size: WantSize,
        measure: Measure<V>,
    ) -> Result<Found<AnyValue>, Error> {
        // Before it is cloned: what is too deep to be measured may be too deep for its `Clone`.
        let size = match size {
            WantSize::Bounded | WantSize::Needed => {
                measure.map(|measure| measure(value, size)).transpose()?
            }
            WantSize::Shown => measure.and_then(|measure| measure(value, size).ok()),
            WantSize::No => None,
        };
        Ok(Found {
            value: AnyValue::measured(
                value.clone(),
                size.map(|size| match size.heap {
                    Some(heap) => MemorySize::Heap(heap),
                    None => MemorySize::Serialized(size.serialized),
                }),
            ),
            stamp,
            bytes: size.map(|size| size.serialized),
        })
    }
}
