//! The arguments of a call as parts of a stored key.
//!
//! Most arguments take part as they serialize. A set has no order, though serializing it gives it one; whether an
//! argument is a set is asked of the compiler, as in [`shape`](super::shape).

use std::collections::HashSet;

use cachier_backends::canonical::Unordered;

/// Asks the compiler how an argument takes part in a stored key.
pub struct StoredPartProbe<'a, T: ?Sized>(pub &'a T);

impl<'a, T, S> StoredPartProbe<'a, HashSet<T, S>> {
    pub fn part(self) -> Unordered<'a, HashSet<T, S>> {
        Unordered(self.0)
    }
}

/// The answer for every argument that is not a set.
pub trait OrderedProbe<'a> {
    type Part;
    fn part(self) -> Self::Part;
}

impl<'a, T: ?Sized> OrderedProbe<'a> for StoredPartProbe<'a, T> {
    type Part = &'a T;

    #[inline]
    fn part(self) -> &'a T {
        self.0
    }
}

/// One argument as a part of a stored key.
#[doc(hidden)]
#[macro_export]
macro_rules! __stored_part {
    ($argument:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::OrderedProbe as _;
        $crate::__private::StoredPartProbe($argument).part()
    }};
}
