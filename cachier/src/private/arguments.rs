//! The arguments of one call, as its store kind needs them.

use cachier_backends::{Error, KeyHash};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::instance::{Instance, StoreKind};
use super::return_type::ReturnType;
use super::stored_key_part::Fingerprint;
use super::value_codec::{CborCodec, ValueCodec};
use crate::driver::{Core, remove_in_background};
use crate::environment;
use crate::function::Function;
use crate::stamp::Stamp;
use crate::storage::Store;
use crate::storage::persistent::Persistent;
use crate::verification::Finding;

/// A value found without the driver, with its times.
pub struct DetailedHit<V> {
    pub(crate) value: V,
    /// Monotonic nanoseconds.
    pub(crate) computed: u64,
    pub(crate) compute_nanos: u64,
}

/// The arguments of one call of a function with this return type.
pub trait Arguments<S: ReturnType> {
    /// Where the function keeps its values.
    type StoreKind: StoreKind;
    /// Encodes and decodes its values.
    type Codec: ValueCodec<S::Value, Encoded = <<Self::StoreKind as StoreKind>::Store as Store>::Value>;

    /// A fresh value at hand.
    fn hit(&self, instance: &'static Instance<Self::StoreKind>) -> Option<S::Value>;
    /// The same with its times: for a call that is timed, or that reports what happened.
    fn detailed_hit(
        &self,
        instance: &'static Instance<Self::StoreKind>,
    ) -> Option<DetailedHit<S::Value>>;
    /// The key for the driver.
    fn key(&self) -> Result<KeyOf<Self::StoreKind>, Error>;
    /// Fails if the key is known to be shared by unequal arguments.
    fn verify(
        &self,
        _: &'static Instance<Self::StoreKind>,
        _: &KeyOf<Self::StoreKind>,
    ) -> Result<(), Error> {
        Ok(())
    }
    /// The codec of the values under the key. It keeps what it needs of the arguments.
    fn codec(
        &self,
        instance: &'static Instance<Self::StoreKind>,
        key: &KeyOf<Self::StoreKind>,
    ) -> Self::Codec;
}

/// The key of a store kind.
pub(super) type KeyOf<S> = <<S as StoreKind>::Store as Store>::Key;

impl<V> DetailedHit<V> {
    /// When the value was computed, and for how long.
    pub(super) fn stamp(&self) -> Stamp {
        Stamp {
            created: self.computed,
            compute_nanos: self.compute_nanos,
            expires: None,
            confirmed: self.computed,
        }
    }
}

/// Arguments for a persistent backend, and their names separated by `, `.
pub struct StoredArguments<A>(pub A, pub &'static str);

impl StoreKind for Persistent {
    type Store = Self;
    type NearTier = ();

    fn open(_: &Function) -> ((), Self) {
        ((), Self::open())
    }
}

impl<S, A> Arguments<S> for StoredArguments<A>
where
    S: ReturnType,
    S::Value: Serialize + DeserializeOwned,
    A: Serialize + Fingerprint,
{
    type StoreKind = Persistent;
    type Codec = CborCodec;

    #[inline]
    fn hit(&self, _: &'static Instance<Persistent>) -> Option<S::Value> {
        None
    }

    #[inline]
    fn detailed_hit(&self, _: &'static Instance<Persistent>) -> Option<DetailedHit<S::Value>> {
        None
    }

    fn key(&self) -> Result<KeyHash, Error> {
        hash(&self.0, self.1)
    }

    fn verify(&self, instance: &'static Instance<Persistent>, key: &KeyHash) -> Result<(), Error> {
        if !A::EXISTS {
            return Ok(());
        }
        let function = &instance.core.function;
        let verified = function
            .verification
            .arguments(key, |hasher| self.0.add_to(hasher));
        verified.map_err(|finding| collision(&instance.core, key, finding))
    }

    fn codec(&self, _: &'static Instance<Persistent>, _: &KeyHash) -> CborCodec {
        CborCodec
    }
}

/// The error of a key collision. The entry, whose owner is unknown, is removed.
pub(super) fn collision(core: &'static Core<Persistent>, key: &KeyHash, finding: Finding) -> Error {
    if let Finding::KeyCollision = finding {
        remove_in_background(core, *key);
    }
    core.function.report_finding(finding)
}

/// The hash of a tuple of arguments with these names.
pub(super) fn hash(arguments: &impl Serialize, names: &str) -> Result<KeyHash, Error> {
    KeyHash::of_arguments(arguments, names, environment::key_secret())
}
