//! Macros that keep the attribute's expansion short.

/// The static of the function, alone or in a function that returns it.
#[doc(hidden)]
#[macro_export]
macro_rules! __site {
    (static $name:ident: $type:ty = $new:path, [$package:expr $(, $folder:literal)?], |$marker:tt| $identity:expr, $options:expr $(, $finish:ident)?) => {
        static $name: $type = $new(|marker| {
            // Stands where the function stands, whatever the types of the call.
            enum Place {}
            let identity = |$marker: &str| ::std::string::String::from($identity);
            $crate::__private::FunctionSpec {
                identity: identity(marker),
                path: identity(::core::any::type_name::<Place>()),
                package: $crate::__package!($package $(, $folder)?),
                options: $options,
            }$(.$finish())?
        });
    };
    (fn $name:ident(): $type:ty = $new:path, $package:tt, |$marker:tt| $identity:expr, $options:expr $(, $finish:ident)?) => {
        #[doc(hidden)]
        fn $name() -> &'static $type {
            $crate::__site! { static SITE: $type = $new, $package, |$marker| $identity, $options $(, $finish)? }
            &SITE
        }
    };
}

/// The package of a function, and the hash of its build folder where that matters.
#[doc(hidden)]
#[macro_export]
macro_rules! __package {
    ($name:expr) => {
        $crate::__private::Package::named($name)
    };
    ($name:expr, $folder:literal) => {
        $crate::__private::Package::built_in($name, $folder)
    };
}

/// The function's counters in this thread.
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

/// The fast path of a call: how the site is found, the site, the return type, the arguments, and the thread's counters.
///
/// A block, so that nothing of it lives across an `.await`.
#[doc(hidden)]
#[macro_export]
macro_rules! __lookup {
    ([$($typing:tt)+] $site:expr, $return_type:expr, [$($key:stmt;)?] $place:ident $parts:tt, $slot:expr) => {{
        $($key;)?
        let (return_type, arguments) = $crate::__checked!($return_type, $place $parts);
        $crate::__resolved!([$($typing)+] $site, return_type, arguments).lookup(return_type, &arguments, $slot)
    }};
}

/// A return type and arguments of which is demanded that they can be cached, for the place where values are kept. Code that
/// uses them again takes [`__arguments`](crate::__arguments), so that a type that cannot be cached is one error.
#[doc(hidden)]
#[macro_export]
macro_rules! __checked {
    ($return_type:expr, memory(($($part:expr,)*))) => {
        (
            $crate::__private::ValueInMemory::checked($return_type),
            $crate::__private::MemoryArguments(($($crate::__private::KeyInMemory::checked($part),)*)),
        )
    };
    ($return_type:expr, bounded_memory(($($part:expr,)*))) => {
        (
            $crate::__private::ValueInBoundedMemory::checked($return_type),
            $crate::__private::MemoryArguments(($($crate::__private::KeyInMemory::checked($part),)*)),
        )
    };
    ($return_type:expr, store(($($part:expr,)*), $names:literal)) => {
        (
            $crate::__private::ValueInStore::checked($return_type),
            $crate::__private::StoredArguments(($($crate::__private::KeyInStore::checked($part),)*), $names),
        )
    };
    // Each part of a stored key can be part of one in memory.
    ($return_type:expr, both(($($part:expr,)*), ($($stored:expr,)*), $names:literal)) => {
        (
            $crate::__private::ValueInBoth::checked($return_type),
            $crate::__private::NearArguments(
                ($($part.unchecked(),)*),
                ($($crate::__private::KeyInStore::checked($stored),)*),
                $names,
            ),
        )
    };
}

/// The arguments, unchecked: another place checks them.
#[doc(hidden)]
#[macro_export]
macro_rules! __arguments {
    (memory(($($part:expr,)*))) => {
        $crate::__private::MemoryArguments(($($part.unchecked(),)*))
    };
    (bounded_memory $parts:tt) => {
        $crate::__arguments!(memory $parts)
    };
    (store(($($part:expr,)*), $names:literal)) => {
        $crate::__private::StoredArguments(($($part.unchecked(),)*), $names)
    };
    (both(($($part:expr,)*), ($($stored:expr,)*), $names:literal)) => {
        $crate::__private::NearArguments(($($part.unchecked(),)*), ($($stored.unchecked(),)*), $names)
    };
}

/// The typed site: for an erased one, return type and arguments tell which.
#[doc(hidden)]
#[macro_export]
macro_rules! __resolved {
    ([typed] $site:expr, $return_type:expr, $arguments:ident) => {
        $site
    };
    // The closure's type knows the function's type arguments.
    ([erased] $site:expr, $return_type:expr, $arguments:ident) => {
        $site.resolve(&|| (), $return_type, &$arguments)
    };
    // The marker, a function, is one for all that the method consists of.
    ([named $marker:expr] $site:expr, $return_type:expr, $arguments:ident) => {
        $site.resolve_named($marker, $return_type, &$arguments)
    };
}

/// The hidden function that dispatches a request with the function's body: its signature in parts, the site, the spec, the
/// arguments of the key, and what [`__run`](crate::__run) takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __dispatch {
    (
        $(#[$attribute:meta])*
        [$($async:ident)?] $name:ident [$($generics:tt)*] [$($receiver:tt)*] ($($parameters:tt)*) [$($where:tt)*]
        [$returned:ty] [$stored:ty]
        [$($typing:tt)+] $site:expr, $spec:expr, [$($key:stmt;)?] $place:ident $parts:tt, $($run:tt)*
    ) => {
        $(#[$attribute])*
        #[doc(hidden)]
        #[allow(clippy::too_many_arguments, clippy::type_complexity, clippy::ptr_arg, clippy::used_underscore_binding)]
        #[allow(clippy::box_collection, clippy::redundant_allocation, clippy::vec_box)]
        #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
        // The attribute takes closures, not the paths that would do elsewhere.
        #[allow(clippy::redundant_closure, clippy::redundant_closure_for_method_calls)]
        $($async)? fn $name $($generics)* (
            $($receiver)* operation: $crate::__private::TypedRequest<$stored>, $($parameters)*
        ) -> $crate::__private::TypedResponse<$returned, $stored> $($where)* {
            let prepared = $crate::__private::in_own_frame(|| {
                let spec = $spec;
                $($key;)?
                let arguments = $crate::__arguments!($place $parts);
                $crate::__resolved!([$($typing)+] $site, spec.return_type, arguments)
                    .prepare(spec, operation, &arguments)
            });
            $crate::__run!([$($async)?] $spec, prepared, $($run)*)
        }
    };
}

/// Dispatches a function: what it captures, under which names, and how it runs now and in the background, with what of its
/// arguments there.
#[doc(hidden)]
#[macro_export]
macro_rules! __run {
    // The body of a sync function is type-erased, so its captures are passed inside.
    (
        [] $spec:expr, $prepared:ident, $captured:expr => $names:pat, $now:expr
        $(, later [$($how:ident $argument:ident($probe:expr),)*] $later:expr)?
    ) => {{
        let mut captured = $crate::__private::Option::Some($captured);
        $crate::__private::dispatch($prepared, &mut |mode| {
            let $names = $crate::__private::take_once(&mut captured);
            $crate::__invoke!(mode, $now $(, {
                $(let $argument = $crate::__owned!($how $probe, $argument);)*
                $spec.in_thread($later)
            })?)
        })
    }};
    (
        [async] $spec:expr, $prepared:ident, $captured:expr => $names:pat, $now:expr
        $(, later [$($how:ident $argument:ident($probe:expr),)*] $later:expr)?
    ) => {{
        let $names = $captured;
        $crate::__private::dispatch_async($prepared, move |mode| {
            $crate::__invoke!(mode, $now $(, {
                $(let $argument = $crate::__owned!($how $probe, $argument);)*
                $spec.in_task($later)
            })?)
        })
        .await
    }};
}

/// Runs the function, or defers it to the background where the attribute allows that.
#[doc(hidden)]
#[macro_export]
macro_rules! __invoke {
    ($mode:ident, $now:expr) => {{
        let _ = $mode;
        $crate::__private::Invocation::Now($now)
    }};
    ($mode:ident, $now:expr, $later:expr) => {
        match $mode {
            $crate::__private::RunMode::Now => $crate::__private::Invocation::Now($now),
            $crate::__private::RunMode::Later => $crate::__private::Invocation::Later($later),
        }
    };
}

/// The metrics of a free function with `enable_metrics`.
#[doc(hidden)]
#[macro_export]
macro_rules! __metrics {
    ([$($visibility:tt)*] $site:expr, $($marker:literal)?) => {
        /// The live metrics of the function, all instantiations together.
        #[must_use]
        #[doc(alias = "stats")]
        $($visibility)* fn metrics() -> &'static $crate::CacheMetrics {
            $site.metrics($($marker)?)
        }
    };
}

/// The folder of the file backend, if a free function may use that.
#[doc(hidden)]
#[macro_export]
macro_rules! __cache_dir {
    ([$($visibility:tt)*] $site:expr, $($marker:literal)?) => {
        /// The folder of the file backend that the function's entries are in.
        #[must_use]
        $($visibility)* fn cache_dir() -> ::std::path::PathBuf {
            $site.cache_dir($($marker)?)
        }
    };
}

/// Tells an `async` block its return type.
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

/// The operations of a free function's companion: visibility, `async`, generics, type arguments, parameters, `where` clause,
/// return type, stored type, the site, the marker of an erased site, and the operations that are left out. Their
/// documentation is for editors: the companion is hidden from the pages of the crate, which show the function.
#[doc(hidden)]
#[macro_export]
macro_rules! __operations {
    (
        [$($visibility:tt)*] [$($async:ident)?] [$($generics:tt)*] [$($types:tt)*]
        ($($argument:ident: $type:ty,)*) [$($where:tt)*] [$returned:ty] [$stored:ty] [$site:expr] [$($marker:literal)?]
        [$($absent:ident)*]
    ) => {
        $crate::__absent! { [$($visibility)*] $($absent)* }

        /// One call of the function, with options.
        $($visibility)* $($async)? fn call_with $($generics)* (
            options: $crate::CallOptions, $($argument: $type,)*
        ) -> $returned $($where)* {
            let operation = $crate::__private::TypedRequest::with(options);
            $crate::__response!([$($async)?] Self::__dispatch $($types)* (operation, $($argument,)*)).value()
        }

        /// One call of the function, with options, and what happened: outcome, age, tier, time, error of the backend.
        #[must_use]
        $($visibility)* $($async)? fn call_detailed $($generics)* (
            options: $crate::CallOptions, $($argument: $type,)*
        ) -> $crate::Call<$returned> $($where)* {
            let operation = $crate::__private::TypedRequest::with(options);
            $crate::__response!([$($async)?] Self::__dispatch $($types)* (operation, $($argument,)*)).call()
        }

        /// Forgets the entry of these arguments; whether there was one.
        #[must_use = "the backend may have failed"]
        #[doc(alias("remove", "delete", "cache_remove"))]
        $($visibility)* $($async)? fn invalidate $($generics)* (
            $($argument: $type,)*
        ) -> $crate::__private::Result<bool, $crate::Error> $($where)* {
            let operation = $crate::__private::TypedRequest::Invalidate;
            $crate::__response!([$($async)?] Self::__dispatch $($types)* (operation, $($argument,)*)).invalidated()
        }

        /// Stores a value for these arguments without computing it; an error (`Full`) where it is too large for a bound.
        #[must_use = "the backend may have failed"]
        #[doc(alias("insert", "set", "put", "cache_set"))]
        $($visibility)* $($async)? fn precache_value $($generics)* (
            $($argument: $type,)* stored: $stored,
        ) -> $crate::__private::Result<(), $crate::Error> $($where)* {
            let operation = $crate::__private::TypedRequest::precache(stored);
            $crate::__response!([$($async)?] Self::__dispatch $($types)* (operation, $($argument,)*)).precached()
        }

        /// Reads the entry of these arguments without computing it, and without touching metrics.
        #[must_use = "the backend may have failed"]
        #[doc(alias("get", "cache_get"))]
        $($visibility)* $($async)? fn peek $($generics)* (
            $($argument: $type,)*
        ) -> $crate::__private::Result<$crate::__private::Option<$stored>, $crate::Error> $($where)* {
            let operation = $crate::__private::TypedRequest::Peek;
            $crate::__response!([$($async)?] Self::__dispatch $($types)* (operation, $($argument,)*)).peeked()
        }

        /// The function, called or not, for `cachier::expect`.
        $($visibility)* fn handle() -> $crate::Handle {
            $site.handle($($marker)?)
        }

        /// Forgets all entries of the function, of all versions; how many, where that is known. For a generic function these are
        /// the entries of the instantiations that this process has called.
        #[must_use = "the backend may have failed"]
        #[doc(alias("clear", "cache_clear"))]
        $($visibility)* $($async)? fn clear_cache() -> $crate::__private::Result<
            $crate::__private::Option<u64>,
            $crate::Error,
        > {
            $crate::__of_site!([$($async)?] $site, clear($($marker,)?))
        }

        /// Drops all marks of running computations; what they compute is returned but not stored.
        #[must_use = "the backend may have failed"]
        $($visibility)* $($async)? fn clear_being_calculated() -> $crate::__private::Result<(), $crate::Error> {
            $crate::__of_site!([$($async)?] $site, clear_leases($($marker,)?))
        }

        /// Entries and bytes held, where that is known: for a generic function only in memory.
        #[must_use = "the backend may have failed"]
        #[doc(alias("size", "cache_size"))]
        $($visibility)* $($async)? fn usage() -> $crate::__private::Result<$crate::Usage, $crate::Error> {
            $crate::__of_site!([$($async)?] $site, usage($($marker,)?))
        }
    };
}

/// The response of a dispatching function, awaited where it is `async`.
#[doc(hidden)]
#[macro_export]
macro_rules! __response {
    ([] $($dispatched:tt)*) => { $($dispatched)* };
    ([async] $($dispatched:tt)*) => { $($dispatched)*.await };
}

/// An operation of the site, awaited or blocked on.
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

#[cfg(test)]
mod tests {
    /// Editors show what stands above the operation of a companion; nothing else checks that anything does.
    #[test]
    fn every_operation_of_a_companion_is_documented() {
        let (mut above, mut operations) = (Vec::new(), 0);
        for line in include_str!("expand.rs").lines().map(str::trim) {
            if line.starts_with("$($visibility)*") {
                assert!(
                    above.iter().any(|line: &&str| line.starts_with("/// ")),
                    "{line}"
                );
                operations += 1;
            }
            match line.starts_with("///") || line.starts_with("#[") {
                true => above.push(line),
                false => above.clear(),
            }
        }
        assert_eq!(operations, 11);
    }
}
