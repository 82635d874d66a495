//! The canonical serialization of arguments, from which keys are hashed.
//!
//! Its bytes are never stored or read back: what matters is that equal arguments give equal bytes everywhere, and
//! unequal arguments unequal bytes. So every piece is tagged and self-delimiting, and:
//!
//! | argument | how it counts |
//! |---|---|
//! | integers | by value, whatever their width and sign: `1u8` is `1i128` |
//! | floats | by value: `0.5f32` is `0.5f64`; every NaN is the same, `-0.0` is not `0.0`, `1.0` is not `1` |
//! | options | `Some` is tagged: `Some(None)` is not `None`, `Some(1)` is not `1` |
//! | maps | entries in the order of their encoded keys, whatever order they come in |
//! | sequences | in their order; those inside [`Unordered`] in the order of their encoded elements |
//! | structs and enums | with their names and those of their fields and variants |
//!
//! Types with a human-readable and a machine form use the latter, which keeps keys small; the encoding of values is
//! unrelated.
//!
//! Nesting of more than 128 levels has no canonical serialization, as it might exhaust the stack.
//!
//! To serde sets look like sequences, so a `HashSet` must be wrapped in [`Unordered`], or be a `BTreeSet`.

mod encode;
mod error;
#[cfg(feature = "persistent")]
mod hash_sink;
mod serializer;
mod sink;
mod unordered;

pub use encode::to_vec;
#[cfg(feature = "persistent")]
pub(crate) use encode::{hash, hash_named};
pub use unordered::Unordered;
