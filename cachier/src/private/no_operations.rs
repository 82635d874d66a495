//! Companions for attributes with errors: they accept anything, so that no second error hides the first.

/// The companion of a method whose attribute has errors.
pub struct NoMethodCache<const ARGUMENTS: usize>(());

/// The companion of an `async` method whose attribute has errors.
pub struct NoAsyncMethodCache<const ARGUMENTS: usize>(());

/// The operations: visibility, `async`, receiver, and a type for each argument.
#[doc(hidden)]
#[macro_export]
macro_rules! __no_operations {
    ([$($visibility:tt)*] [$($async:ident)?] [$($this:tt)*] $($type:ident)*) => {
        $($visibility)* fn metrics($($this)*) -> &'static $crate::CacheMetrics {
            ::core::unreachable!()
        }
        $($visibility)* fn handle($($this)*) -> $crate::Handle {
            ::core::unreachable!()
        }
        $($visibility)* fn cache_dir($($this)*) -> ::std::path::PathBuf {
            ::core::unreachable!()
        }
        $($visibility)* $($async)? fn call_with<$($type,)* R>($($this)* _: $crate::CallOptions, $(_: $type,)*) -> R {
            ::core::unreachable!()
        }
        $($visibility)* $($async)? fn call_detailed<$($type,)* R>(
            $($this)* _: $crate::CallOptions, $(_: $type,)*
        ) -> $crate::Call<R> {
            ::core::unreachable!()
        }
        $($visibility)* $($async)? fn invalidate<$($type,)*>(
            $($this)* $(_: $type,)*
        ) -> $crate::__private::Result<bool, $crate::Error> {
            ::core::unreachable!()
        }
        $($visibility)* $($async)? fn precache_value<$($type,)* S>(
            $($this)* $(_: $type,)* _: S,
        ) -> $crate::__private::Result<(), $crate::Error> {
            ::core::unreachable!()
        }
        $($visibility)* $($async)? fn peek<$($type,)* S>(
            $($this)* $(_: $type,)*
        ) -> $crate::__private::Result<$crate::__private::Option<S>, $crate::Error> {
            ::core::unreachable!()
        }
        $($visibility)* $($async)? fn clear_cache($($this)*) -> $crate::__private::Result<
            $crate::__private::Option<u64>,
            $crate::Error,
        > {
            ::core::unreachable!()
        }
        $($visibility)* $($async)? fn clear_being_calculated($($this)*) -> $crate::__private::Result<(), $crate::Error> {
            ::core::unreachable!()
        }
        $($visibility)* $($async)? fn usage($($this)*) -> $crate::__private::Result<$crate::Usage, $crate::Error> {
            ::core::unreachable!()
        }
    };
}

/// Both companions, for each number of arguments that a method can have.
macro_rules! companions {
    ($($count:literal: $($type:ident)*;)*) => {$(
        #[allow(clippy::too_many_arguments, reason = "the method has as many")]
        impl NoMethodCache<$count> {
            __no_operations! { [pub] [] [&self,] $($type)* }
        }

        #[allow(clippy::too_many_arguments, clippy::unused_async, reason = "as the method")]
        impl NoAsyncMethodCache<$count> {
            __no_operations! { [pub] [async] [&self,] $($type)* }
        }
    )*};
}

companions! {
    0:;
    1: A;
    2: A B;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E F;
    7: A B C D E F G;
    8: A B C D E F G H;
    9: A B C D E F G H I;
    10: A B C D E F G H I J;
    11: A B C D E F G H I J K;
    12: A B C D E F G H I J K L;
    13: A B C D E F G H I J K L M;
}
