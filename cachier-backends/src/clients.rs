//! The crates whose clients the backends take, in the version that they take: a program that uses these needs no other.
//!
//! ```
//! # #[cfg(feature = "redis")] {
//! use cachier_backends::clients::redis::Client;
//! use cachier_backends::redis::RedisBackend;
//!
//! let client = Client::open("redis://127.0.0.1:6379").unwrap();
//! let backend = RedisBackend::with_client(client);
//! # }
//! ```

#[cfg(feature = "s3")]
#[doc(no_inline)]
pub use ::aws_sdk_s3;
#[cfg(feature = "mongo")]
#[doc(no_inline)]
pub use ::mongodb;
#[cfg(feature = "redis")]
#[doc(no_inline)]
pub use ::redis;
#[cfg(feature = "_sql")]
#[cfg_attr(
    docsrs,
    doc(cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql")))
)]
#[doc(no_inline)]
pub use ::sqlx;
