//! Arguments as parts of a typed key: borrowed for lookups, owned once something is stored.
//!
//! Most arguments use their own `Hash` and `Eq`. Floats have neither; their bits are used, with every NaN equal and `-0.0`
//! and `0.0` different. The compiler is asked which of the two applies, as in [`return_type`](super::return_type).

use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use cachier_backends::memory::{BorrowedKey, word};
use equivalent::Equivalent;

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
        }
    )*};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11)
}

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
pub struct ByRef<'a, T: ?Sized>(&'a T);

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

/// An `Option<&T>`, owned as an `Option` of the owned value.
pub struct OptionRef<'a, T: ?Sized>(pub Option<&'a T>);

impl<T> KeyPart for OptionRef<'_, T>
where
    T: ToOwned + Hash + Eq + ?Sized,
    T::Owned: Hash + Eq + Send + Sync + Clone + 'static,
{
    type Owned = Option<T::Owned>;

    #[inline]
    fn hash_part<H: Hasher>(&self, hasher: &mut H) {
        self.0.hash(hasher);
    }

    #[inline]
    fn equals(&self, owned: &Self::Owned) -> bool {
        self.0 == owned.as_ref().map(std::borrow::Borrow::borrow)
    }

    #[inline]
    fn to_owned_part(&self) -> Self::Owned {
        self.0.map(ToOwned::to_owned)
    }

    #[inline]
    fn word(&self) -> Option<u64> {
        None
    }
}

/// An argument made of floats, owned as their bits.
pub struct ByBits<'a, T: ?Sized>(&'a T);

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

/// Asks the compiler which part an argument is.
pub struct KeyPartProbe<'a, T: ?Sized>(pub &'a T);

/// The answer for arguments that are not made of floats.
pub trait ByRefProbe<'a> {
    type KeyPart;
    const BY_BITS: bool = false;
    fn part(self) -> Self::KeyPart;
}

impl<'a, T: ?Sized> ByRefProbe<'a> for KeyPartProbe<'a, T> {
    type KeyPart = ByRef<'a, T>;

    #[inline]
    fn part(self) -> ByRef<'a, T> {
        ByRef(self.0)
    }
}

/// The owned part of a type, by [`key_part_kind`], for places where no value exists yet.
///
/// Types that cannot be parts have none, so that there is one error, not one for each use.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a key in memory",
    label = "not `Hash + Eq + Clone + Send + Sync + 'static`",
    note = "leave the argument out with `skip(..)`, or write `key = |..| ..` with what tells calls apart"
)]
pub trait OwnedKeyPart<const KIND: u8> {
    type Owned;
}

impl<T: ToOwned + ?Sized> OwnedKeyPart<{ key_part_kind::BY_REF }> for T {
    type Owned = T::Owned;
}

impl<T: Bits + ?Sized> OwnedKeyPart<{ key_part_kind::BY_BITS }> for T {
    type Owned = T::Owned;
}

/// Kinds of key parts, as numbers.
pub mod key_part_kind {
    pub const UNFIT: u8 = 0;
    pub const BY_REF: u8 = 1;
    pub const BY_BITS: u8 = 2;

    pub const fn of(by_bits: bool, fits: bool) -> u8 {
        match (by_bits, fits) {
            (true, _) => BY_BITS,
            (false, true) => BY_REF,
            (false, false) => UNFIT,
        }
    }
}

/// Asks the compiler whether an argument's owned form can be a key part.
pub struct FitProbe<T: ?Sized>(PhantomData<T>);

impl<T> FitProbe<T>
where
    T: ToOwned<Owned: Hash + Eq + Send + Sync + Clone + 'static> + ?Sized,
{
    pub const FITS: bool = true;
}

/// The answer for everything else.
pub trait Unfit {
    const FITS: bool = false;
}

impl<T: ?Sized> Unfit for FitProbe<T> {}

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

        impl<'a, $($generics)*> KeyPartProbe<'a, $float> {
            pub const BY_BITS: bool = true;

            #[inline]
            pub fn part(self) -> ByBits<'a, $float> {
                ByBits(self.0)
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

/// An argument as part of a typed key.
#[doc(hidden)]
#[macro_export]
macro_rules! __key_part {
    ($argument:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::ByRefProbe as _;
        $crate::__private::KeyPartProbe($argument).part()
    }};
}

/// The kind of a type's key part.
#[doc(hidden)]
#[macro_export]
macro_rules! __key_part_kind {
    ($argument:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::{ByRefProbe as _, Unfit as _};
        $crate::__private::key_part_kind::of(
            $crate::__private::KeyPartProbe::<'static, $argument>::BY_BITS,
            $crate::__private::FitProbe::<$argument>::FITS,
        )
    }};
}

/// The owned part of a type.
#[doc(hidden)]
#[macro_export]
macro_rules! __owned_part {
    ($argument:ty) => {
        <$argument as $crate::__private::OwnedKeyPart<{ $crate::__key_part_kind!($argument) }>>::Owned
    };
}
