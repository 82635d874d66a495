//! The arguments of a call as parts of a stored key.
//!
//! Most arguments take part as they serialize. A set has no order, though serializing it gives it one, and paths and times
//! have a [form of their own](super::own_form); whether an argument is one of these is asked of the compiler, as in
//! [`shape`](super::shape).

use std::collections::HashSet;

use cachier_backends::canonical::Unordered;

use super::own_form::{Own, OwnForm};

/// Asks the compiler how an argument takes part in a stored key.
pub struct StoredPartProbe<'a, T: ?Sized>(pub &'a T);

impl<'a, T: OwnForm + ?Sized> StoredPartProbe<'a, T> {
    #[inline]
    pub fn part(self) -> Own<'a, T> {
        Own(self.0)
    }
}

/// The answer for every other set.
pub trait UnorderedProbe<'a> {
    type Part;
    fn part(self) -> Self::Part;
}

impl<'a, T, S> UnorderedProbe<'a> for StoredPartProbe<'a, HashSet<T, S>> {
    type Part = Unordered<'a, HashSet<T, S>>;

    #[inline]
    fn part(self) -> Self::Part {
        Unordered(self.0)
    }
}

/// The answer for every argument else: found last, as it asks for a reference to the probe.
pub trait OrderedProbe<'a> {
    type Part;
    fn part(self) -> Self::Part;
}

impl<'a, T: ?Sized> OrderedProbe<'a> for &StoredPartProbe<'a, T> {
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
        use $crate::__private::{OrderedProbe as _, UnorderedProbe as _};
        $crate::__private::StoredPartProbe($argument).part()
    }};
}
