//! Keys and values of one machine word, which are stored without indirection.

use std::any::Any;

/// A type whose values are one word.
trait Word: Copy + 'static {
    fn to_word(self) -> u64;
    fn from_word(word: u64) -> Self;
}

/// Whether values of this type may be one word: excludes large types, and those that own something, without code for
/// words.
pub(super) const fn may_fit<T>() -> bool {
    size_of::<T>() <= size_of::<u64>() && !std::mem::needs_drop::<T>()
}

/// Whether values of this type are one word. Decided at compile time, as are the functions below.
///
/// ```
/// use cachier_backends::memory::word;
///
/// assert!(word::fits::<u32>() && word::fits::<f64>());
/// assert!(!word::fits::<String>());
/// ```
#[inline]
pub fn fits<T: 'static>() -> bool {
    from::<T>(0).is_some()
}

/// The value as a word, if it is one.
///
/// ```
/// use cachier_backends::memory::word;
///
/// assert_eq!(word::of(&7_u32), Some(7));
/// assert_eq!(word::of(&"seven"), None);
/// ```
#[inline]
pub fn of<T: 'static>(value: &T) -> Option<u64> {
    if const { may_fit::<T>() } {
        read(value)
    } else {
        None
    }
}

/// The value of a word, if values of this type are words.
#[inline]
pub(super) fn from<T: 'static>(word: u64) -> Option<T> {
    let mut result: Option<T> = None;
    if const { may_fit::<T>() } {
        write(&mut result, word);
    }
    result
}

// Inlined into the two functions above, where the type is known and a single branch remains.
macro_rules! words {
    ($($type:ty)*) => {
        #[cfg_attr(not(debug_assertions), inline(always))]
        fn read(value: &dyn Any) -> Option<u64> {
            $(
                if let Some(value) = value.downcast_ref::<$type>() {
                    return Some(value.to_word());
                }
                if let Some((value,)) = value.downcast_ref::<($type,)>() {
                    return Some(value.to_word());
                }
            )*
            None
        }

        #[cfg_attr(not(debug_assertions), inline(always))]
        fn write(place: &mut dyn Any, word: u64) {
            $(
                if let Some(place) = place.downcast_mut::<Option<$type>>() {
                    *place = Some(Word::from_word(word));
                    return;
                }
                if let Some(place) = place.downcast_mut::<Option<($type,)>>() {
                    *place = Some((Word::from_word(word),));
                    return;
                }
            )*
        }
    };
}

words! { u8 u16 u32 u64 usize i8 i16 i32 i64 isize bool char f32 f64 }

macro_rules! numbers {
    ($($type:ty)*) => {$(
        impl Word for $type {
            #[inline]
            fn to_word(self) -> u64 {
                self as u64
            }

            #[inline]
            fn from_word(word: u64) -> Self {
                word as Self
            }
        }
    )*};
}

numbers! { u8 u16 u32 u64 usize i8 i16 i32 i64 isize }

impl Word for bool {
    #[inline]
    fn to_word(self) -> u64 {
        u64::from(self)
    }

    #[inline]
    fn from_word(word: u64) -> Self {
        word != 0
    }
}

impl Word for char {
    #[inline]
    fn to_word(self) -> u64 {
        u64::from(self)
    }

    #[inline]
    fn from_word(word: u64) -> Self {
        char::from_u32(word as u32).unwrap_or_default()
    }
}

impl Word for f32 {
    #[inline]
    fn to_word(self) -> u64 {
        u64::from(self.to_bits())
    }

    #[inline]
    fn from_word(word: u64) -> Self {
        f32::from_bits(word as u32)
    }
}

impl Word for f64 {
    #[inline]
    fn to_word(self) -> u64 {
        self.to_bits()
    }

    #[inline]
    fn from_word(word: u64) -> Self {
        f64::from_bits(word)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn there_and_back<T: PartialEq + std::fmt::Debug + 'static>(value: T) {
        let word = of(&value).expect("it is a word");
        assert_eq!(from::<T>(word), Some(value));
    }

    #[test]
    fn words_roundtrip() {
        there_and_back(u64::MAX);
        there_and_back(i8::MIN);
        there_and_back((i64::MIN,));
        there_and_back(isize::MIN);
        there_and_back(true);
        there_and_back((false,));
        there_and_back('é');
        there_and_back(f32::MIN_POSITIVE);
        there_and_back(-0.0_f64);
        let nan = of(&f64::NAN).and_then(from::<f64>);
        assert!(nan.is_some_and(f64::is_nan));
    }

    #[test]
    fn different_numbers_are_different_words() {
        let words: std::collections::HashSet<_> = (i16::MIN..=i16::MAX).map(|n| of(&n)).collect();
        assert_eq!(words.len(), 1 << 16);
    }

    #[test]
    fn large_or_owning_types_are_not_words() {
        assert!(fits::<(u8,)>() && fits::<f64>());
        assert!(!fits::<String>() && !fits::<u128>() && !fits::<(u8, u8)>());
        assert_eq!(of(&"text"), None);
        assert_eq!(of(&Some(1_u8)), None);
    }
}
