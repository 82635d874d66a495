//! The owned parts of typed keys, for places where no argument exists yet.
//!
//! They agree with what [`argument`](super::argument) finds for an argument.

use std::hash::Hash;
use std::marker::PhantomData;

use super::key_part::{Bits, Encoding};

/// Asks the compiler what a type is as part of a key.
pub struct KeyPartProbe<T: ?Sized>(PhantomData<T>);

/// The answers for everything else.
pub trait ByEncodingProbe {
    const HAS_BITS: bool = false;
    const HAS_HASH: bool = false;
}

impl<T: ?Sized> ByEncodingProbe for KeyPartProbe<T> {}

impl<T: Bits + ?Sized> KeyPartProbe<T> {
    pub const HAS_BITS: bool = true;
}

impl<T> KeyPartProbe<T>
where
    T: ToOwned<Owned: Hash + Eq + Send + Sync + Clone + 'static> + Hash + Eq + ?Sized,
{
    pub const HAS_HASH: bool = true;
}

/// The owned part of a type, by [`key_part_kind`]. A type that cannot be a part has one as well, so that its error is the only one.
pub trait OwnedKeyPart<const KIND: u8> {
    type Owned;
}

impl<T: ToOwned + ?Sized> OwnedKeyPart<{ key_part_kind::BY_REF }> for T {
    type Owned = T::Owned;
}

impl<T: Bits + ?Sized> OwnedKeyPart<{ key_part_kind::BY_BITS }> for T {
    type Owned = T::Owned;
}

impl<T: ?Sized> OwnedKeyPart<{ key_part_kind::BY_ENCODING }> for T {
    type Owned = Encoding;
}

/// Kinds of key parts, as numbers.
pub mod key_part_kind {
    pub const BY_REF: u8 = 0;
    pub const BY_BITS: u8 = 1;
    pub const BY_ENCODING: u8 = 2;

    pub const fn of(has_bits: bool, has_hash: bool) -> u8 {
        match (has_bits, has_hash) {
            (true, _) => BY_BITS,
            (false, true) => BY_REF,
            (false, false) => BY_ENCODING,
        }
    }
}

/// The owned part of a type.
#[doc(hidden)]
#[macro_export]
macro_rules! __owned_part {
    ($argument:ty) => {
        <$argument as $crate::__private::OwnedKeyPart<
            {
                #[allow(unused_imports)]
                use $crate::__private::ByEncodingProbe as _;
                $crate::__private::key_part_kind::of(
                    $crate::__private::KeyPartProbe::<$argument>::HAS_BITS,
                    $crate::__private::KeyPartProbe::<$argument>::HAS_HASH,
                )
            },
        >>::Owned
    };
}
