//! S3: the `s3-server` next to this crate, and `moto`, another implementation.

mod moto;
mod place;
mod server;

pub use moto::{start_moto, start_private_moto_store};
pub use place::Place;
pub use server::{
    S3, conflict, start, start_filled, start_or_fetch, start_private, start_private_store,
};
