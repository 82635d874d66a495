//! The arguments of one call, as its store kind needs them.

use cachier_backends::Error;

use super::instance::{Instance, StoreKind};
use super::return_type::ReturnType;
use super::value_codec::ValueCodec;
use crate::stamp::{Ageing, Stamp};
use crate::storage::Store;

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
            ageing: Ageing::default(),
        }
    }
}
