//! Sequences whose order does not count.

use serde::{Serialize, Serializer};

use super::serializer;

/// A sequence whose order is irrelevant, such as a `HashSet`.
///
/// Duplicates count. Any other serializer sees the plain value.
///
/// ```
/// use cachier_backends::canonical::{self, Unordered};
///
/// assert_eq!(
///     canonical::to_vec(&Unordered(&[1, 2, 3]))?,
///     canonical::to_vec(&Unordered(&[3, 1, 2]))?,
/// );
/// # Ok::<(), cachier_backends::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Unordered<'a, T: ?Sized>(pub &'a T);

impl<T: Serialize + ?Sized> Serialize for Unordered<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(serializer::UNORDERED, self.0)
    }
}
