//! The arguments of one call, in the forms that the function's storage asks for.

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

/// A value that was found without asking the driver, with what is known of it.
pub struct DetailedHit<V> {
    pub(crate) value: V,
    /// Monotonic nanoseconds.
    pub(crate) computed: u64,
    pub(crate) compute_nanos: u64,
}

/// The arguments of one call of a function that returns something of this shape.
pub trait Arguments<S: ReturnType> {
    /// Where the function keeps its values.
    type StoreKind: StoreKind;
    /// How a value takes its kept form and its own again.
    type Codec: ValueCodec<S::Value, Encoded = <<Self::StoreKind as StoreKind>::Store as Store>::Value>;

    /// A fresh value that can be had at once.
    fn hit(&self, instance: &'static Instance<Self::StoreKind>) -> Option<S::Value>;
    /// The same, with what is known of it: for a call that is timed, or that tells what happened.
    fn detailed_hit(
        &self,
        instance: &'static Instance<Self::StoreKind>,
    ) -> Option<DetailedHit<S::Value>>;
    /// The key for the driver.
    fn key(&self) -> Result<KeyOf<Self::StoreKind>, Error>;
    /// Fails where the key is known not to belong to these arguments alone.
    fn verify(
        &self,
        _: &'static Instance<Self::StoreKind>,
        _: &KeyOf<Self::StoreKind>,
    ) -> Result<(), Error> {
        Ok(())
    }
    /// The form of the values under the key: what the call keeps of its arguments for the time when they are gone.
    fn codec(
        &self,
        instance: &'static Instance<Self::StoreKind>,
        key: &KeyOf<Self::StoreKind>,
    ) -> Self::Codec;
}

/// The key of a storage.
pub(super) type KeyOf<S> = <<S as StoreKind>::Store as Store>::Key;

impl<V> DetailedHit<V> {
    /// When and how long the value was computed.
    pub(super) fn stamp(&self) -> Stamp {
        Stamp {
            created: self.computed,
            compute_nanos: self.compute_nanos,
            expires: None,
            confirmed: self.computed,
        }
    }
}

/// Arguments for a persistent backend, and their names with `, ` between them.
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

/// The error that a key does not belong to some arguments alone. The entry under it, of which nobody knows whose it is, goes.
pub(super) fn collision(core: &'static Core<Persistent>, key: &KeyHash, finding: Finding) -> Error {
    if let Finding::KeyCollision = finding {
        remove_in_background(core, *key);
    }
    core.function.report_finding(finding)
}

/// The hash of a tuple of arguments that have these names.
pub(super) fn hash(arguments: &impl Serialize, names: &str) -> Result<KeyHash, Error> {
    KeyHash::of_arguments(arguments, names, environment::key_secret())
}
