//! The header of an entry.

use std::time::{Duration, SystemTime};

/// The properties of a stored value.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use cachier_backends::entry::{AgeLimit, Header};
///
/// let mut header = Header::new(SystemTime::now());
/// header.compute = Some(Duration::from_millis(250));
/// header.age_limit = Some(AgeLimit::Of(Duration::from_secs(600)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// When the value was computed, to the nanosecond, within the years 1970 to 2554.
    pub created: SystemTime,
    /// How long computing it took, if known.
    pub compute: Option<Duration>,
    /// The time from which nothing may serve it any more.
    pub expires: Option<SystemTime>,
    /// How the value is encoded.
    pub codec: Codec,
    /// The value's own age limit, if it has one.
    pub age_limit: Option<AgeLimit>,
    /// How much earlier than its age limit the value becomes stale.
    pub jitter: Jitter,
    /// The kind of value.
    pub content: Content,
    /// The time since which the value counts as stale, whatever its age.
    pub stale_since: Option<SystemTime>,
}

/// How a value is encoded.
///
/// ```
/// use std::time::SystemTime;
/// use cachier_backends::entry::{Codec, Header};
///
/// assert_eq!(Header::new(SystemTime::now()).codec, Codec::Cbor);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// CBOR, RFC 8949.
    #[default]
    Cbor,
}

/// A value's own age limit, instead of its function's.
///
/// ```
/// use std::time::Duration;
/// use cachier_backends::entry::AgeLimit;
///
/// fn is_stale(age: Duration, limit: AgeLimit) -> bool {
///     matches!(limit, AgeLimit::Of(limit) if age > limit)
/// }
///
/// assert!(is_stale(Duration::from_secs(2), AgeLimit::Of(Duration::from_secs(1))));
/// assert!(!is_stale(Duration::MAX, AgeLimit::Never));
/// ```
///
/// Exhaustive: it is a part of the format of entries, which would change with another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgeLimit {
    /// The value is stale when older than this, to the nanosecond, up to 584 years.
    Of(Duration),
    /// The value never becomes stale.
    Never,
}

/// The random share by which the age limit is shortened, drawn on storing: from 0 to below 1, in units of 2⁻³².
///
/// ```
/// use cachier_backends::entry::Jitter;
///
/// let quarter = Jitter(1 << 30);
/// assert_eq!(f64::from(quarter.0) / 2_f64.powi(32), 0.25);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jitter(pub u32);

/// The kind of a stored value.
///
/// ```
/// use std::time::SystemTime;
/// use cachier_backends::entry::{Content, Header};
///
/// let mut header = Header::new(SystemTime::now());
/// assert_eq!(header.content, Content::Value);
/// header.content = Content::Error;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A return value.
    #[default]
    Value,
    /// The error that the function returned.
    Error,
}

impl Header {
    /// The header of a value computed at `created`.
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
