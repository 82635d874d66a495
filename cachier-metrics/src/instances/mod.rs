//! The figures of one process as bytes, for files and shared stores. Pure.

mod fields;
mod figures;
mod publication;
#[cfg(all(test, not(shuttle)))]
mod sample;
#[cfg(all(test, not(shuttle)))]
mod tests;
mod varint;

pub use self::figures::{FunctionFigures, InstanceFigures};
pub use self::publication::{Header, InstanceId, Publication, Unreadable};
