//! What an entry says of its value.

use std::time::{Duration, SystemTime};

/// What is known of a stored value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// When the value had been computed, to the nanosecond, within the years 1970 to 2554.
    pub created: SystemTime,
    /// How long computing it took, if that is known.
    pub compute: Option<Duration>,
    /// From when on nothing may serve it any more.
    pub expires: Option<SystemTime>,
    /// How the value is encoded.
    pub codec: Codec,
    /// The age limit that the value has of its own, if it has one.
    pub age_limit: Option<AgeLimit>,
    /// How much earlier than by its age limit the value gets stale.
    pub jitter: Jitter,
    /// What the value is.
    pub content: Content,
    /// Since when the value counts as stale, whatever its age.
    pub stale_since: Option<SystemTime>,
}

/// How a value is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// CBOR, RFC 8949.
    #[default]
    Cbor,
}

/// The age limit of a single value, which counts instead of that of its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgeLimit {
    /// The value is stale when it is older, to the nanosecond, up to 584 years.
    Of(Duration),
    /// The value never gets stale.
    Never,
}

/// The share of an age limit that is taken off it, drawn when the value was stored: 0 to less than 1, in 2⁻³².
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jitter(pub u32);

/// What a stored value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// What the function returned.
    #[default]
    Value,
    /// The error with which the function failed.
    Error,
}

impl Header {
    /// The header of a value that was computed at `created`.
    #[must_use]
    pub fn new(created: SystemTime) -> Self {
        Self {
            created,
            compute: None,
            expires: None,
            codec: Codec::Cbor,
            age_limit: None,
            jitter: Jitter::default(),
            content: Content::Value,
            stale_since: None,
        }
    }
}
