//! Operations that a function's attribute leaves out: calling one is an error that says what to write.
//!
//! Their bounds hold for nothing. They are over all lifetimes, so that the compiler looks at them only where they are called.

/// Implemented by companions of functions with `enable_metrics`.
///
/// ```
/// use cachier::cachier;
///
/// #[cachier(backend = "memory", enable_metrics)]
/// fn double(n: u64) -> u64 {
///     2 * n
/// }
///
/// assert_eq!(double::metrics().stats().calls, 0);
/// ```
#[diagnostic::on_unimplemented(
    message = "this function collects no metrics: `enable_metrics` is missing from its attribute",
    label = "needs `#[cachier(enable_metrics)]`"
)]
pub trait CollectsMetrics<'never> {}

/// Implemented by companions of functions with the file backend.
///
/// ```no_run
/// use cachier::cachier;
///
/// #[cachier(backend = "file", cache_dir = "/var/cache/app")]
/// fn double(n: u64) -> u64 {
///     2 * n
/// }
///
/// println!("{}", double::cache_dir().display());
/// ```
#[diagnostic::on_unimplemented(
    message = "this function has no folder: its attribute names another backend than `file`",
    label = "needs `backend = \"file\"`, or none in the attribute"
)]
pub trait HasFolder<'never> {}

/// The operations that a free function does not have, by name.
#[doc(hidden)]
#[macro_export]
macro_rules! __absent {
    ([$($visibility:tt)*]) => {};
    ([$($visibility:tt)*] metrics $($rest:ident)*) => {
        #[doc(hidden)]
        #[doc(alias = "stats")]
        $($visibility)* fn metrics() -> &'static $crate::CacheMetrics
        where
            for<'never> Self: $crate::__private::CollectsMetrics<'never>,
        {
            ::core::unreachable!()
        }
        $crate::__absent! { [$($visibility)*] $($rest)* }
    };
    ([$($visibility:tt)*] cache_dir $($rest:ident)*) => {
        #[doc(hidden)]
        $($visibility)* fn cache_dir() -> ::std::path::PathBuf
        where
            for<'never> Self: $crate::__private::HasFolder<'never>,
        {
            ::core::unreachable!()
        }
        $crate::__absent! { [$($visibility)*] $($rest)* }
    };
}
