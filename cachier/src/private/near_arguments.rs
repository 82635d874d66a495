//! Typed arguments, for values in memory in front of a persistent backend.

use std::hash::{DefaultHasher, Hash};
use std::sync::Arc;

use cachier_backends::{Change, Error, KeyHash};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::arguments::{Arguments, DetailedHit};
use super::instance::{Instance, NearTier, StoreKind};
use super::key_part::{KeyParts, Query};
use super::return_type::ReturnType;
use super::stored_arguments::{CborCodec, collision, hash};
use super::value_codec::{Measure, ValueCodec};
use crate::function::Function;
use crate::options::WantSize;
use crate::stamp::Stamp;
use crate::storage::Found;
use crate::storage::change_log::{NearEpoch, NearKey};
use crate::storage::encoded::{Encoded, since_epoch};
use crate::storage::near::{Near, near_copy};
use crate::storage::persistent::Persistent;

/// Arguments for a near tier in front of a persistent backend.
pub struct NearArguments<P, A>(pub P, pub A, pub &'static str);

impl<S, P, A> Arguments<S> for NearArguments<P, A>
where
    S: ReturnType,
    S::Value: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    P: KeyParts,
    A: Serialize,
{
    type StoreKind = Near<P::Owned, S::Value>;
    type Codec = NearCodec<P::Owned, S::Value>;

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn hit(&self, instance: &'static Instance<Self::StoreKind>) -> Option<S::Value> {
        let function = &instance.core.function;
        let key = Query::of(&self.0);
        instance.near.get(&key, function)
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn detailed_hit(
        &self,
        instance: &'static Instance<Self::StoreKind>,
    ) -> Option<DetailedHit<S::Value>> {
        let function = &instance.core.function;
        let key = Query::of(&self.0);
        let entry = instance.near.get_entry(&key, function);
        entry.map(DetailedHit::from)
    }

    fn key(&self) -> Result<KeyHash, Error> {
        hash(&self.1, self.2)
    }

    fn verify(
        &self,
        instance: &'static Instance<Self::StoreKind>,
        key: &KeyHash,
    ) -> Result<(), Error> {
        let verification = &instance.core.function.verification;
        let parts = |hasher: &mut DefaultHasher| self.0.hash_parts(hasher);
        let verified = verification.arguments(key.as_bytes(), parts);
        verified.map_err(|finding| {
            instance.near.changed(&Change::Entry(*key));
            collision(&instance.core, key, finding)
        })
    }

    fn codec(&self, instance: &'static Instance<Self::StoreKind>, hash: &KeyHash) -> Self::Codec {
        NearCodec {
            function: &instance.core.function,
            near: &instance.near,
            epoch: instance.near.epoch(),
            key: NearKey {
                key: self.0.to_owned_parts(),
                hash: *hash,
            },
        }
    }
}

#[diagnostic::do_not_recommend]
impl<K, V> StoreKind for Near<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    type Store = Persistent;
    type NearTier = Self;
    const HAS_NEAR_TIER: bool = true;

    fn open(function: &Function) -> (Self, Persistent) {
        (Self::open(function), Persistent::open())
    }

    fn connect(instance: &'static Instance<Self>) {
        let changed = |change: &Change| instance.near.changed(change);
        instance.core.store.watch(Arc::new(changed));
    }
}

impl<K, V> NearTier for Near<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn forget_all(&self) {
        self.changed(&Change::All);
    }

    fn entries(&self) -> Option<u64> {
        Some(self.entries())
    }
}

/// Encodes values as CBOR for the backend, and keeps a clone in the near tier.
#[derive(Clone)]
pub struct NearCodec<K: 'static, V: 'static> {
    pub(crate) function: &'static Function,
    pub(crate) near: &'static Near<K, V>,
    pub(crate) epoch: NearEpoch,
    pub(crate) key: NearKey<K>,
}

#[diagnostic::do_not_recommend]
impl<K, V> ValueCodec<V> for NearCodec<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    type Encoded = Encoded;

    fn decode(&self, found: Found<Encoded>) -> Result<V, Error> {
        CborCodec.decode(found)
    }

    fn encode(
        &self,
        value: &V,
        stamp: Stamp,
        size: WantSize,
        measure: Measure<V>,
    ) -> Result<Found<Encoded>, Error> {
        CborCodec.encode(value, stamp, size, measure)
    }

    fn loaded(&self, value: &V, stamp: Stamp, rests_until: Option<u64>) {
        let (function, epoch) = (self.function, self.epoch);
        if let Some(stamp) = self.monotonic(stamp)
            && let Some(copy) = near_copy(function, value, stamp, rests_until)
        {
            self.near.insert_loaded(function, epoch, &self.key, copy);
        }
    }

    fn stored(&self, value: &V, stamp: Stamp) {
        let (function, epoch) = (self.function, self.epoch);
        match self.monotonic(stamp) {
            Some(stamp) => {
                let copy = near_copy(function, value, stamp, None);
                self.near.insert_stored(function, epoch, &self.key, copy);
            }
            None => self.invalidated(),
        }
    }

    fn invalidated(&self) {
        self.near.changed(&Change::Entry(self.key.hash));
    }
}

impl<K, V> NearCodec<K, V> {
    /// The stamp of an entry, in nanoseconds of the monotonic clock; `None` for an entry older than that clock, such as one from
    /// before the machine was started, which would look too young.
    fn monotonic(&self, stamp: Stamp) -> Option<Stamp> {
        let clock = &self.function.context.clock;
        let age = since_epoch(clock.wall()).saturating_sub(stamp.created);
        Some(Stamp {
            created: clock.now().checked_sub(age)?,
            ..stamp
        })
    }
}
