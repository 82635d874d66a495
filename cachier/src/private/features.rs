//! Which backends this build of cachier has, for the attribute, which cannot see features.

/// Nothing where the backend is there; else a compile error that says which feature brings it.
macro_rules! backend {
    ($name:ident, $condition:meta, $features:literal) => {
        #[cfg($condition)]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $name {
            () => {};
        }

        #[cfg(not($condition))]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $name {
            () => {
                ::core::compile_error!(::core::concat!(
                    "this backend needs the feature ",
                    $features,
                    " of cachier: add it in Cargo.toml"
                ));
            };
        }
    };
}

backend!(__needs_memory, feature = "memory", "`memory`");
backend!(__needs_file, feature = "file", "`file`");
backend!(__needs_redis, feature = "redis", "`redis`");
backend!(
    __needs_sql,
    any(feature = "sqlite", feature = "postgres", feature = "mysql"),
    "`sqlite`, `postgres` or `mysql`"
);
backend!(__needs_mongo, feature = "mongo", "`mongo`");
backend!(__needs_s3, feature = "s3", "`s3`");
