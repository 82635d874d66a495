//! Which backends this build of cachier has, for the attribute, which cannot see features.

/// Nothing where the backend is there; else a compile error that says which feature brings it.
macro_rules! backend {
    ($name:ident, $feature:literal) => {
        #[cfg(feature = $feature)]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $name {
            () => {};
        }

        #[cfg(not(feature = $feature))]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $name {
            () => {
                ::core::compile_error!(::core::concat!(
                    "this backend needs the feature `",
                    $feature,
                    "` of cachier: add it in Cargo.toml"
                ));
            };
        }
    };
}

backend!(__needs_memory, "memory");
backend!(__needs_file, "file");

/// A backend that the arguments of the attribute know already, and that this version does not have yet.
macro_rules! future_backend {
    ($name:ident, $backend:literal) => {
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $name {
            () => {
                ::core::compile_error!(::core::concat!(
                    "the backend `",
                    $backend,
                    "` is not part of this version of cachier: register one of your own with `cachier::register_backend` and name it with `registered(\"…\")`"
                ));
            };
        }
    };
}

future_backend!(__needs_redis, "redis");
future_backend!(__needs_sql, "sql");
future_backend!(__needs_mongo, "mongo");
future_backend!(__needs_s3, "s3");
