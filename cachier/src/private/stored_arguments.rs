//! Arguments and values for persistent backends: hashed, and encoded as CBOR.

use std::time::Duration;

use cachier_backends::entry::{self, Header};
use cachier_backends::{Error, KeyHash};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::arguments::{Arguments, DetailedHit};
use super::instance::{Instance, StoreKind};
use super::return_type::ReturnType;
use super::stored_key_part::Fingerprint;
use super::value_codec::{Measure, ValueCodec};
use crate::driver::{Core, remove_in_background};
use crate::environment;
use crate::function::Function;
use crate::options::WantSize;
use crate::stamp::Stamp;
use crate::storage::Found;
use crate::storage::encoded::{Encoded, moment};
use crate::storage::persistent::Persistent;
use crate::verification::Finding;

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
            .arguments(key.as_bytes(), |hasher| self.0.add_to(hasher));
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

/// Encodes values as CBOR, for persistent backends.
#[derive(Clone, Copy)]
pub struct CborCodec;

#[diagnostic::do_not_recommend]
impl<V: Serialize + DeserializeOwned> ValueCodec<V> for CborCodec {
    type Encoded = Encoded;

    fn decode(&self, found: Found<Encoded>) -> Result<V, Error> {
        entry::decode_value(found.value.value())
    }

    fn encode(
        &self,
        value: &V,
        stamp: Stamp,
        _: WantSize,
        _: Measure<V>,
    ) -> Result<Found<Encoded>, Error> {
        let value = entry::encode_value(value)?;
        let mut header = Header::new(moment(stamp.created));
        header.compute = Some(Duration::from_nanos(stamp.compute_nanos));
        header.expires = stamp.expires.map(moment);
        header.age_limit = stamp.ageing.limit;
        header.jitter = stamp.ageing.jitter;
        let bytes = Some(value.len() as u64);
        Ok(Found {
            value: Encoded::computed(header, value),
            stamp,
            bytes,
        })
    }
}
