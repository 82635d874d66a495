//! The closure of `key = |..| ..`: its arguments, and the part of its result that is in a key in memory.
//!
//! The compiler is asked in both cases, as in [`argument`](super::argument).

/// An argument on its way to the closure: `Copy` types go by value, all others by reference.
pub struct KeyArgument<'a, T: ?Sized>(pub &'a T);

impl<T: Copy> KeyArgument<'_, T> {
    #[inline]
    pub fn pass(self) -> T {
        *self.0
    }
}

/// The answer for types that are not `Copy`.
pub trait PassedByReference<'a> {
    type Passed;
    fn pass(self) -> Self::Passed;
}

impl<'a, T: ?Sized> PassedByReference<'a> for KeyArgument<'a, T> {
    type Passed = &'a T;

    #[inline]
    fn pass(self) -> &'a T {
        self.0
    }
}

/// A result of the closure, or one member of a tuple: a reference counts as what it points to, so that a key in memory
/// owns that.
pub struct KeyResult<'a, T: ?Sized>(pub &'a T);

impl<'a, T: ?Sized> KeyResult<'_, &'a T> {
    #[inline]
    pub fn referent(self) -> &'a T {
        self.0
    }
}

/// The answer for results that are no references.
pub trait OwnResult<'a> {
    type Referent: ?Sized;
    fn referent(self) -> &'a Self::Referent;
}

impl<'a, T: ?Sized> OwnResult<'a> for KeyResult<'a, T> {
    type Referent = T;

    #[inline]
    fn referent(self) -> &'a T {
        self.0
    }
}

/// An argument as the closure takes it.
#[doc(hidden)]
#[macro_export]
macro_rules! __key_argument {
    ($argument:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::PassedByReference as _;
        $crate::__private::KeyArgument($argument).pass()
    }};
}

/// The closure's result, or one member of it, as a part of a typed key.
#[doc(hidden)]
#[macro_export]
macro_rules! __key_member {
    ($result:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::OwnResult as _;
        $crate::__private::KeyResult($result).referent()
    }};
}
