//! Macros that the attribute's expansion is made of, so that it stays short.

use super::dispatch::Operation;
use crate::call::CallOptions;
use crate::drive::Start;

impl<S> Operation<S> {
    /// An ordinary call, which found nothing at once.
    pub fn first(start: Start) -> Self {
        Self::Call(CallOptions::new(), start)
    }

    /// A call of the companion.
    pub fn with(options: CallOptions) -> Self {
        Self::Call(options, Start::default())
    }
}

/// The static of the function, alone or in a function that returns it.
#[doc(hidden)]
#[macro_export]
macro_rules! __site {
    (static $name:ident: $type:ty = $new:path, |$marker:tt| $identity:expr, $options:expr) => {
        static $name: $type = $new(|$marker| $crate::__private::Definition {
            identity: ::std::string::String::from($identity),
            options: $options,
        });
    };
    (fn $name:ident(): $type:ty = $new:path, |$marker:tt| $identity:expr, $options:expr) => {
        #[doc(hidden)]
        fn $name() -> &'static $type {
            $crate::__site! { static SITE: $type = $new, |$marker| $identity, $options }
            &SITE
        }
    };
}

/// The function's counters of this thread.
#[doc(hidden)]
#[macro_export]
macro_rules! __slot {
    () => {{
        ::std::thread_local! {
            static SLOT: $crate::__private::LocalSlot = const { $crate::__private::LocalSlot::new() };
        }
        $crate::__private::Option::Some(&SLOT)
    }};
}

/// Tells an `async` block what it returns.
#[doc(hidden)]
#[macro_export]
macro_rules! __returns {
    ($returned:ty) => {
        #[allow(unreachable_code, clippy::diverging_sub_expression)]
        if false {
            let returned: $returned = loop {};
            return returned;
        }
    };
}

/// The operations of a free function's companion: visibility, `async`, generics, type arguments, parameters, `where`
/// clause, return type, stored type, the site, and what an erased site is told in place of its types.
#[doc(hidden)]
#[macro_export]
macro_rules! __operations {
    (
        [$($visibility:tt)*] [$($async:ident)?] [$($generics:tt)*] [$($types:tt)*]
        ($($argument:ident: $type:ty,)*) [$($where:tt)*] [$returned:ty] [$stored:ty] [$site:expr] [$($marker:literal)?]
    ) => {
        $($visibility)* $($async)? fn call_with $($generics)* (
            options: $crate::CallOptions, $($argument: $type,)*
        ) -> $returned $($where)* {
            let operation = $crate::__private::Operation::with(options);
            $crate::__reply!([$($async)?] Self::__dispatch $($types)* (operation, $($argument,)*)).call().value
        }

        #[must_use]
        $($visibility)* $($async)? fn call_detailed $($generics)* (
            options: $crate::CallOptions, $($argument: $type,)*
        ) -> $crate::Call<$returned> $($where)* {
            let operation = $crate::__private::Operation::with(options);
            $crate::__reply!([$($async)?] Self::__dispatch $($types)* (operation, $($argument,)*)).call()
        }

        #[must_use = "the backend may have failed"]
        $($visibility)* $($async)? fn invalidate $($generics)* (
            $($argument: $type,)*
        ) -> $crate::__private::Result<bool, $crate::Error> $($where)* {
            let operation = $crate::__private::Operation::Invalidate;
            $crate::__reply!([$($async)?] Self::__dispatch $($types)* (operation, $($argument,)*)).invalidated()
        }

        #[must_use = "the backend may have failed"]
        $($visibility)* $($async)? fn precache_value $($generics)* (
            $($argument: $type,)* stored: $stored,
        ) -> $crate::__private::Result<(), $crate::Error> $($where)* {
            let operation = $crate::__private::Operation::Precache(stored);
            $crate::__reply!([$($async)?] Self::__dispatch $($types)* (operation, $($argument,)*)).precached()
        }

        #[must_use = "the backend may have failed"]
        $($visibility)* $($async)? fn peek $($generics)* (
            $($argument: $type,)*
        ) -> $crate::__private::Result<$crate::__private::Option<$stored>, $crate::Error> $($where)* {
            let operation = $crate::__private::Operation::Peek;
            $crate::__reply!([$($async)?] Self::__dispatch $($types)* (operation, $($argument,)*)).peeked()
        }

        #[must_use = "the backend may have failed"]
        $($visibility)* $($async)? fn clear_cache() -> $crate::__private::Result<
            $crate::__private::Option<u64>,
            $crate::Error,
        > {
            $crate::__of_site!([$($async)?] $site, clear($($marker,)?))
        }

        #[must_use = "the backend may have failed"]
        $($visibility)* $($async)? fn clear_being_calculated() -> $crate::__private::Result<(), $crate::Error> {
            $crate::__of_site!([$($async)?] $site, clear_leases($($marker,)?))
        }

        #[must_use = "the backend may have failed"]
        $($visibility)* $($async)? fn usage() -> $crate::__private::Result<$crate::Usage, $crate::Error> {
            $crate::__of_site!([$($async)?] $site, usage($($marker,)?))
        }
    };
}

/// What a dispatching function replies, awaited where it is `async`.
#[doc(hidden)]
#[macro_export]
macro_rules! __reply {
    ([] $($dispatched:tt)*) => { $($dispatched)* };
    ([async] $($dispatched:tt)*) => { $($dispatched)*.await };
}

/// One operation of the site, awaited or blocked on.
#[doc(hidden)]
#[macro_export]
macro_rules! __of_site {
    ([] $site:expr, $operation:ident($($marker:literal,)?)) => {
        $crate::__private::block_on($site.$operation($($marker,)? $crate::__private::IsAsync::No))
    };
    ([async] $site:expr, $operation:ident($($marker:literal,)?)) => {
        $site.$operation($($marker,)? $crate::__private::IsAsync::Yes).await
    };
}
