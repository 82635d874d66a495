//! The arguments of one call, in the forms that the function's storage asks for.

use std::hash::Hash;

use cachier_backends::{Error, KeyHash};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::form::{Cbor, Form};
#[cfg(feature = "memory")]
use super::form::{Cloned, Fetched};
use super::part::{Parts, Query};
use super::shape::Shape;
use super::site::Instance;
use crate::drive::Core;
use crate::environment;
use crate::function::Function;
use crate::storage::Tiers;
#[cfg(feature = "memory")]
use crate::storage::memory::Memory;
#[cfg(feature = "memory")]
use crate::storage::near::{Near, NearValue};
use crate::storage::persistent::Persistent;

/// Where the values of one function are kept: what the driver works with, and what stands in front of it.
pub trait Storage: Send + Sync + Sized + 'static {
    /// What the driver works with.
    type Tiers: Tiers;
    /// What stands in front of it.
    type Front: Send + Sync + 'static;
    /// Whether anything does.
    const HAS_FRONT: bool = false;

    fn open(function: &Function) -> (Self::Front, Self::Tiers);
    /// Empties what stands in front.
    fn forget_all(_: &Self::Front) {}
    /// How many entries stand in front; `None` where nothing can.
    fn front_entries(_: &Self::Front) -> Option<u64> {
        None
    }
}

/// A value that was found without asking the driver.
pub struct FrontHit<V> {
    pub(crate) value: V,
    /// Monotonic nanoseconds.
    pub(crate) computed: u64,
    pub(crate) compute_nanos: u64,
}

/// The arguments of one call of a function that returns something of this shape.
pub trait Arguments<S: Shape> {
    /// Where the function keeps its values.
    type Storage: Storage;
    /// How a value takes its kept form and its own again.
    type Form: Form<S::Value, Kept = <<Self::Storage as Storage>::Tiers as Tiers>::Value>;

    /// A fresh value that can be had at once.
    fn hit(&self, instance: &'static Instance<Self::Storage>) -> Option<FrontHit<S::Value>>;
    /// What the call keeps of its arguments for the time when they are gone.
    fn key(
        &self,
        instance: &'static Instance<Self::Storage>,
    ) -> Result<Keyed<Self::Storage, Self::Form>, Error>;
}

/// A key for the driver, and the form of the values under it.
pub struct Keyed<S: Storage, F> {
    pub(crate) key: <S::Tiers as Tiers>::Key,
    pub(crate) form: F,
}

/// Arguments for the memory of the process.
#[cfg(feature = "memory")]
pub struct MemoryArguments<P>(pub P);

/// Arguments for a persistent backend.
pub struct StoredArguments<A>(pub A);

/// Arguments for a near tier in front of a persistent backend.
#[cfg(feature = "memory")]
pub struct NearArguments<P, A>(pub P, pub A);

#[cfg(feature = "memory")]
impl<K, V> Storage for Memory<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    type Tiers = Self;
    type Front = ();

    fn open(function: &Function) -> ((), Self) {
        ((), Self::open(function))
    }
}

impl Storage for Persistent {
    type Tiers = Self;
    type Front = ();

    fn open(_: &Function) -> ((), Self) {
        ((), Self::open())
    }
}

#[cfg(feature = "memory")]
impl<K, V> Storage for Near<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    type Tiers = Persistent;
    type Front = Self;
    const HAS_FRONT: bool = true;

    fn open(function: &Function) -> (Self, Persistent) {
        (Self::open(function), Persistent::open())
    }

    fn forget_all(front: &Self) {
        front.forget_all();
    }

    fn front_entries(front: &Self) -> Option<u64> {
        Some(front.entries())
    }
}

#[cfg(feature = "memory")]
impl<S, P> Arguments<S> for MemoryArguments<P>
where
    S: Shape,
    S::Value: Clone + Send + Sync + 'static,
    P: Parts,
{
    type Storage = Memory<P::Owned, S::Value>;
    type Form = Cloned;

    #[inline]
    fn hit(&self, instance: &'static Instance<Self::Storage>) -> Option<FrontHit<S::Value>> {
        let Core {
            function, tiers, ..
        } = &instance.core;
        let entry = tiers
            .store
            .get(&Query::of(&self.0), |created| function.is_fresh(created))?;
        Some(FrontHit {
            value: entry.value,
            computed: entry.created,
            compute_nanos: entry.compute_nanos,
        })
    }

    fn key(
        &self,
        _: &'static Instance<Self::Storage>,
    ) -> Result<Keyed<Self::Storage, Cloned>, Error> {
        Ok(Keyed {
            key: self.0.to_owned_parts(),
            form: Cloned,
        })
    }
}

impl<S, A> Arguments<S> for StoredArguments<A>
where
    S: Shape,
    S::Value: Serialize + DeserializeOwned,
    A: Serialize,
{
    type Storage = Persistent;
    type Form = Cbor;

    #[inline]
    fn hit(&self, _: &'static Instance<Persistent>) -> Option<FrontHit<S::Value>> {
        None
    }

    fn key(&self, _: &'static Instance<Persistent>) -> Result<Keyed<Persistent, Cbor>, Error> {
        Ok(Keyed {
            key: hash(&self.0)?,
            form: Cbor,
        })
    }
}

#[cfg(feature = "memory")]
impl<S, P, A> Arguments<S> for NearArguments<P, A>
where
    S: Shape,
    S::Value: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    P: Parts,
    A: Serialize,
{
    type Storage = Near<P::Owned, S::Value>;
    type Form = Fetched<P::Owned, S::Value>;

    #[inline]
    fn hit(&self, instance: &'static Instance<Self::Storage>) -> Option<FrontHit<S::Value>> {
        let function = &instance.core.function;
        let entry = instance
            .front
            .get(&Query::of(&self.0), |created| function.is_fresh(created))?;
        let NearValue { value, computed } = entry.value;
        Some(FrontHit {
            value,
            computed,
            compute_nanos: entry.compute_nanos,
        })
    }

    fn key(
        &self,
        instance: &'static Instance<Self::Storage>,
    ) -> Result<Keyed<Self::Storage, Self::Form>, Error> {
        let form = Fetched {
            function: &instance.core.function,
            near: &instance.front,
            epoch: instance.front.epoch(),
            key: self.0.to_owned_parts(),
        };
        Ok(Keyed {
            key: hash(&self.1)?,
            form,
        })
    }
}

fn hash(arguments: &impl Serialize) -> Result<KeyHash, Error> {
    KeyHash::of(arguments, environment::key_secret())
}
