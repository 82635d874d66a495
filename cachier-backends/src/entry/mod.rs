//! The stored format: a header and a value, bound to their key.
//!
//! ```text
//! 0   magic          4 bytes  CA 63 68 72
//! 4   format         2 bytes  2
//! 6   reserved       2 bytes  0
//! 8   checksum       8 bytes  the first bytes of a BLAKE3 hash, see below
//! 16  fields         4 bytes  how many bytes of fields follow
//! 20  field …                 id (2 bytes), length (4 bytes), content; ids ascend
//!     value …                 to the end
//! ```
//!
//! The hash covers the key's name (its `Display`), a zero byte, and everything after the checksum. The key itself is
//! not stored, as the loader knows it; an entry of another key, after a mixed-up answer or a renamed file, does not
//! match.
//!
//! Numbers are little-endian. The highest bit of an id marks a critical field: a reader that does not know it, or its
//! content, cannot use the entry. Other unknown fields are skipped, so that newer versions can add some.
//!
//! | id | field | content |
//! |---|---|---|
//! | 1 | created | nanoseconds since 1970, 8 bytes |
//! | 2 | compute | nanoseconds that computing took, 8 bytes |
//! | 3 | expires | nanoseconds since 1970, 8 bytes |
//! | 4, critical | codec | 1 byte: 1 is CBOR as [`encode_value`] writes it |
//! | 5 | length | of the value, 8 bytes |
//! | 6 | tags | reserved |
//! | 7, critical | compression | reserved |
//! | 8, critical | encryption | reserved |
//! | 9 | type fingerprint | reserved |
//! | 10 | own age limit | nanoseconds, 8 bytes; no bytes: it has none, it never gets stale |
//! | 11 | jitter share | the drawn share of the age limit that is taken off it, in 2⁻³²: 4 bytes |
//! | 12, critical | kind of content | 1 byte: 1 is an error; left out for a value |
//! | 13 | marked stale | since when, nanoseconds since 1970, 8 bytes |
//!
//! An entry of another format, or with an unknown critical field, is a plain miss, not an error. The former is not
//! parsed any further; the latter must be intact, and match its key.
//!
//! Stored bytes are untrusted: whatever they are, reading them is an error or a miss, never a panic.

#[cfg(feature = "persistent")]
mod fields;
#[cfg(feature = "persistent")]
mod format;
mod header;
mod heap;
mod lossless;
mod measure;
#[cfg(feature = "persistent")]
mod readable;
#[cfg(feature = "persistent")]
mod slice;
#[cfg(feature = "persistent")]
mod value;

#[cfg(feature = "file")]
pub(crate) use format::is_start;
#[cfg(feature = "persistent")]
pub use format::{Entry, decode, encode};
pub use header::{AgeLimit, Codec, Content, Header, Jitter};
pub use heap::heap;
#[cfg(feature = "memory")]
pub(crate) use heap::{ALLOCATION, HEADER};
pub use measure::measure;
#[cfg(feature = "persistent")]
pub use value::{decode_value, encode_value};
