//! Arguments as parts of a typed key: borrowed for lookups, owned once something is stored.
//!
//! Most arguments use their own `Hash` and `Eq`. Floats have neither; their bits are used, with every NaN equal and `-0.0`
//! and `0.0` different. Types without `Hash`, such as `HashMap`, and borrowing ones count by their encoding, of which a stored key
//! has the hash. The compiler is asked which of these applies, in [`argument`](super::argument).

use std::hash::{DefaultHasher, Hash, Hasher};

use cachier_backends::memory::{BorrowedKey, word};
use cachier_backends::{Error, canonical};
use equivalent::Equivalent;
use serde::Serialize;

use super::stored_key_part::{Fingerprint, NoPart};
use super::tuples::for_each_tuple;

/// One argument as part of a borrowed key.
pub trait KeyPart {
    /// The owned part.
    type Owned: Hash + Eq + Send + Sync + Clone + 'static;

    /// Feeds the hasher the same bytes as the owned part.
    fn hash_part<H: Hasher>(&self, hasher: &mut H);
    fn equals(&self, owned: &Self::Owned) -> bool;
    fn to_owned_part(&self) -> Self::Owned;
    /// The owned part as one machine word, if it is one.
    fn word(&self) -> Option<u64>;
    /// Fails if the argument has no key. Then the part equals no owned one.
    fn verify(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// The borrowed key: all arguments of a call.
pub struct Query<'a, P>(&'a P);

impl<'a, P> Query<'a, P> {
    #[inline]
    pub(crate) fn of(parts: &'a P) -> Self {
        Self(parts)
    }
}

/// A tuple of parts.
pub trait KeyParts {
    type Owned: Hash + Eq + Send + Sync + Clone + 'static;

    fn hash_parts<H: Hasher>(&self, hasher: &mut H);
    fn equal(&self, owned: &Self::Owned) -> bool;
    fn to_owned_parts(&self) -> Self::Owned;
    /// The owned parts as one machine word, if they are one.
    fn word(&self) -> Option<u64>;
    /// Fails if the call has no key.
    fn verify(&self) -> Result<(), Error>;
}

impl<P: KeyParts> Hash for Query<'_, P> {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.hash_parts(hasher);
    }
}

impl<P: KeyParts> BorrowedKey<P::Owned> for Query<'_, P> {
    #[inline]
    fn word(&self) -> Option<u64> {
        self.0.word()
    }
}

impl<P: KeyParts> Equivalent<P::Owned> for Query<'_, P> {
    #[inline]
    fn equivalent(&self, owned: &P::Owned) -> bool {
        self.0.equal(owned)
    }
}

macro_rules! tuples {
    ($(($($part:ident $index:tt),*))*) => {$(
        impl<$($part: KeyPart),*> KeyParts for ($($part,)*) {
            type Owned = ($($part::Owned,)*);

            #[inline]
            fn hash_parts<HH: Hasher>(&self, hasher: &mut HH) {
                $(self.$index.hash_part(hasher);)*
            }

            #[inline]
            fn equal(&self, owned: &Self::Owned) -> bool {
                true $(&& self.$index.equals(&owned.$index))*
            }

            #[inline]
            fn to_owned_parts(&self) -> Self::Owned {
                ($(self.$index.to_owned_part(),)*)
            }

            #[inline]
            fn word(&self) -> Option<u64> {
                match [$(self.$index.word()),*].as_slice() {
                    [word] => *word,
                    _ => None,
                }
            }

            fn verify(&self) -> Result<(), Error> {
                $(self.$index.verify()?;)*
                Ok(())
            }
        }
    )*};
}

for_each_tuple!(tuples);

/// A function without arguments has one entry.
impl KeyParts for () {
    type Owned = ();

    fn hash_parts<H: Hasher>(&self, _: &mut H) {}

    fn equal(&self, (): &()) -> bool {
        true
    }

    fn to_owned_parts(&self) {}

    fn word(&self) -> Option<u64> {
        None
    }

    fn verify(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Makes an owned value only of words.
#[inline]
fn word_of<P: KeyPart>(part: &P) -> Option<u64> {
    if word::fits::<P::Owned>() {
        word::of(&part.to_owned_part())
    } else {
        None
    }
}

/// An argument that is hashed and compared as it is.
pub struct ByRef<'a, T: ?Sized>(pub(super) &'a T);

impl<T> KeyPart for ByRef<'_, T>
where
    T: ToOwned + Hash + Eq + ?Sized,
    T::Owned: Hash + Eq + Send + Sync + Clone + 'static,
{
    type Owned = T::Owned;

    #[inline]
    fn hash_part<H: Hasher>(&self, hasher: &mut H) {
        self.0.hash(hasher);
    }

    #[inline]
    fn equals(&self, owned: &T::Owned) -> bool {
        *self.0 == *std::borrow::Borrow::<T>::borrow(owned)
    }

    #[inline]
    fn to_owned_part(&self) -> T::Owned {
        self.0.to_owned()
    }

    #[inline]
    fn word(&self) -> Option<u64> {
        word_of(self)
    }
}

/// An argument behind an `Option`, owned as an `Option` of what it is owned as.
pub struct OptionPart<P>(pub(super) Option<P>);

impl<P: KeyPart> KeyPart for OptionPart<P> {
    type Owned = Option<P::Owned>;

    #[inline]
    fn hash_part<H: Hasher>(&self, hasher: &mut H) {
        self.0.as_ref().map(Hashing).hash(hasher);
    }

    #[inline]
    fn equals(&self, owned: &Self::Owned) -> bool {
        match (&self.0, owned) {
            (Some(part), Some(owned)) => part.equals(owned),
            (None, None) => true,
            _ => false,
        }
    }

    #[inline]
    fn to_owned_part(&self) -> Self::Owned {
        self.0.as_ref().map(KeyPart::to_owned_part)
    }

    #[inline]
    fn word(&self) -> Option<u64> {
        None
    }

    fn verify(&self) -> Result<(), Error> {
        self.0.as_ref().map_or(Ok(()), KeyPart::verify)
    }
}

/// A part inside a value that is hashed.
struct Hashing<'a, P>(&'a P);

impl<P: KeyPart> Hash for Hashing<'_, P> {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.hash_part(hasher);
    }
}

/// An argument made of floats, owned as their bits.
pub struct ByBits<'a, T: ?Sized>(pub(super) &'a T);

/// The bits of a value made of floats: all NaNs equal, zeros of either sign different.
pub trait Bits {
    type Owned: Hash + Eq + Send + Sync + Clone + 'static;

    fn to_bits(&self) -> Self::Owned;
}

impl<T: Bits + ?Sized> KeyPart for ByBits<'_, T> {
    type Owned = T::Owned;

    #[inline]
    fn hash_part<H: Hasher>(&self, hasher: &mut H) {
        self.0.to_bits().hash(hasher);
    }

    #[inline]
    fn equals(&self, owned: &T::Owned) -> bool {
        self.0.to_bits() == *owned
    }

    #[inline]
    fn to_owned_part(&self) -> T::Owned {
        self.0.to_bits()
    }

    #[inline]
    fn word(&self) -> Option<u64> {
        word_of(self)
    }
}

/// The owned form of an argument that counts by its encoding; empty for one without a key, under which nothing is stored.
pub type Encoding = Vec<u8>;

/// An argument by its encoding, and by its own `Hash` if it has one, which tells apart what serde does not.
pub struct ByEncoding(Result<Encoding, Error>);

impl ByEncoding {
    pub(super) fn of(part: &(impl Serialize + Fingerprint)) -> Self {
        let mut hasher = DefaultHasher::new();
        part.add_to(&mut hasher);
        let distinct = (part, hasher.finish());
        Self(canonical::to_vec(&distinct))
    }
}

impl KeyPart for ByEncoding {
    type Owned = Encoding;

    fn hash_part<H: Hasher>(&self, hasher: &mut H) {
        self.0.as_deref().unwrap_or_default().hash(hasher);
    }

    fn equals(&self, owned: &Encoding) -> bool {
        self.0.as_ref().is_ok_and(|encoding| encoding == owned)
    }

    fn to_owned_part(&self) -> Encoding {
        self.0.as_ref().cloned().unwrap_or_default()
    }

    fn word(&self) -> Option<u64> {
        None
    }

    fn verify(&self) -> Result<(), Error> {
        self.0.as_ref().map(|_| ()).map_err(Error::clone)
    }
}

/// Stands for an argument that cannot be part of a key, which is an error elsewhere.
impl KeyPart for NoPart {
    type Owned = Encoding;

    fn hash_part<H: Hasher>(&self, _: &mut H) {}

    fn equals(&self, _: &Encoding) -> bool {
        false
    }

    fn to_owned_part(&self) -> Encoding {
        Encoding::new()
    }

    fn word(&self) -> Option<u64> {
        None
    }
}

/// Types made of floats.
macro_rules! bits {
    ($([$($generics:tt)*] $float:ty => $bits:ty, |$value:ident| $convert:expr;)*) => {$(
        impl<$($generics)*> Bits for $float {
            type Owned = $bits;

            #[inline]
            fn to_bits(&self) -> $bits {
                let $value = self;
                $convert
            }
        }
    )*};
}

macro_rules! floats {
    ($($float:ident $bits:ident)*) => {$(
        bits! {
            [] $float => $bits, |value| if value.is_nan() { $float::NAN.to_bits() } else { <$float>::to_bits(*value) };
            [] [$float] => Vec<$bits>, |value| value.iter().map(Bits::to_bits).collect();
            [] Vec<$float> => Vec<$bits>, |value| value.iter().map(Bits::to_bits).collect();
            [] Option<$float> => Option<$bits>, |value| value.as_ref().map(Bits::to_bits);
            [const N: usize] [$float; N] => [$bits; N], |value| std::array::from_fn(|index| Bits::to_bits(&value[index]));
            [] ($float, $float) => ($bits, $bits), |value| (Bits::to_bits(&value.0), Bits::to_bits(&value.1));
            [] ($float, $float, $float) => ($bits, $bits, $bits),
                |value| (Bits::to_bits(&value.0), Bits::to_bits(&value.1), Bits::to_bits(&value.2));
        }
    )*};
}

floats! { f32 u32 f64 u64 }
