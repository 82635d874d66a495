//! Values as persistent backends keep them: encoded, with times of day that machines share.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cachier_backends::entry::{self, Content, Header};
use cachier_backends::{Error, Key};

use super::Found;
use crate::stamp::{Ageing, Stamp};
use crate::timer::nanos;

/// How far in the future a creation time may lie and still count as now, because clocks of machines differ.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// An encoded value, with its header or in its entry.
#[derive(Clone)]
pub struct Encoded(Arc<Origin>);

/// Where an encoded value comes from.
enum Origin {
    /// Just computed. It becomes an entry where it is stored: only there its key is known.
    Computed(Header, Vec<u8>),
    /// Part of an entry, from this offset on.
    Loaded(Vec<u8>, usize),
}

impl Encoded {
    /// A value that was just computed.
    pub(crate) fn computed(header: Header, value: Vec<u8>) -> Self {
        Self(Arc::new(Origin::Computed(header, value)))
    }

    /// The encoded value.
    pub(crate) fn value(&self) -> &[u8] {
        match &*self.0 {
            Origin::Computed(_, value) => value,
            Origin::Loaded(entry, value_at) => &entry[*value_at..],
        }
    }

    /// The entry to store under a key.
    pub(super) fn entry(&self, key: &Key) -> Cow<'_, [u8]> {
        match &*self.0 {
            Origin::Computed(header, value) => entry::encode(key, header, value).into(),
            Origin::Loaded(entry, _) => entry.into(),
        }
    }
}

/// The usable content of a stored entry.
pub(super) enum Read {
    /// Its value.
    Value(Found<Encoded>),
    /// Nothing: it has expired.
    Expired,
    /// Nothing: it was written by another version of cachier.
    Foreign,
}

/// Decodes an entry. Reads the time of day only for entries that expire.
pub(super) fn read(
    key: &Key,
    bytes: Vec<u8>,
    confirmed: u64,
    now: impl FnOnce() -> SystemTime,
) -> Result<Read, Error> {
    let Some(entry) = entry::decode(key, &bytes)? else {
        return Ok(Read::Foreign);
    };
    if entry.header.content != Content::Value {
        // Functions keep no errors yet; a later version does.
        return Ok(Read::Foreign);
    }
    if entry.header.expires.is_some_and(|expires| expires < now()) {
        return Ok(Read::Expired);
    }
    let stamp = Stamp {
        created: since_epoch(entry.header.created),
        compute_nanos: entry.header.compute.map_or(0, nanos),
        expires: entry.header.expires.map(since_epoch),
        confirmed,
        ageing: Ageing {
            limit: entry.header.age_limit,
            jitter: entry.header.jitter,
        },
    };
    let size = entry.value.len();
    let value_at = bytes.len() - size;
    let value = Encoded(Arc::new(Origin::Loaded(bytes, value_at)));
    Ok(Read::Value(Found {
        value,
        stamp,
        bytes: Some(size as u64),
    }))
}

/// The age of a value. A creation time in the future counts as now within the skew, and as infinitely old beyond it.
pub(super) fn age(now: u64, created: u64) -> Duration {
    match now.checked_sub(created) {
        Some(age) => Duration::from_nanos(age),
        None if created - now <= nanos(CLOCK_SKEW) => Duration::ZERO,
        None => Duration::MAX,
    }
}

/// The moment of a stamp.
pub(crate) fn moment(nanos: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)
}

pub(crate) fn since_epoch(moment: SystemTime) -> u64 {
    moment
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn future_values_are_new_within_the_skew_only() {
        let skew = nanos(CLOCK_SKEW);
        assert_eq!(age(100, 40), Duration::from_nanos(60));
        assert_eq!(age(100, 100 + skew), Duration::ZERO);
        assert_eq!(age(100, 101 + skew), Duration::MAX);
    }
}
