//! Leases: small objects that are put on conditions.
//!
//! Each holds `cachier:`, the token of its owner, and until when it is valid. No two are alike, so that their `ETag`s
//! differ even where these are hashes of the content.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_s3::primitives::ByteStream;
use tokio::sync::{Mutex, MutexGuard};

use super::bucket::{Bucket, Condition, Put, millis};
use super::names;
use crate::backend::{EntryVersion, Lease, LeaseReply, Renewal};
use crate::error::Error;

const MAGIC: &[u8] = b"cachier:";
/// How many digits tell until when: enough until the year 2286.
const DIGITS: usize = 13;
/// How many bytes a lease has: one less than the shortest entry, whose header alone has 55.
pub(super) const SIZE: u64 = 54;

/// A lease that was granted.
pub(super) struct Owned {
    name: String,
    place: Place,
    token: u128,
    /// Locked while a request is under way, so that storing knows the outcome of a renewal.
    held: Mutex<Held>,
}

/// Where the object of a lease is.
pub(super) enum Place {
    /// In the place of the entry, which is not there.
    OfTheEntry,
    /// Beside the entry that was seen, which has this `ETag`.
    Beside { seen: String },
}

/// What changes with each renewal.
pub(super) struct Held {
    pub(super) etag: String,
    valid_until: Option<Instant>,
}

/// The answer to somebody who asks for a lease.
pub(super) enum Asked {
    Granted(Owned),
    Held,
    Changed,
}

impl Bucket {
    /// Asks for the lease on what was seen.
    pub(super) async fn lease(
        &self,
        name: &str,
        seen: Option<&EntryVersion>,
        period: Duration,
    ) -> Result<Asked, Error> {
        let Some(seen) = seen else {
            let name = name.to_owned();
            return self.lease_object(name, Place::OfTheEntry, period).await;
        };
        let there = self.head(name).await?;
        let seen = String::from_utf8_lossy(seen.as_bytes()).into_owned();
        if there.is_none_or(|there| there.etag != seen) {
            return Ok(Asked::Changed);
        }
        let lease = names::of_lease(name, &seen);
        self.lease_object(lease, Place::Beside { seen }, period)
            .await
    }

    /// Puts the object of a lease where there is none, or one that is over.
    async fn lease_object(
        &self,
        name: String,
        place: Place,
        period: Duration,
    ) -> Result<Asked, Error> {
        let (token, asked_at) = (token(), Instant::now());
        let grant = |name, place, etag| {
            let valid_until = asked_at.checked_add(period);
            Asked::Granted(Owned {
                name,
                place,
                token,
                held: Mutex::new(Held { etag, valid_until }),
            })
        };
        let new = body(token, period);
        let put = self.put(&name, new, None, Condition::Missing).await?;
        if let Put::Done(etag) = put {
            return Ok(grant(name, place, etag));
        }
        let Some(there) = self.head(&name).await? else {
            return Ok(Asked::Held);
        };
        if there.size != SIZE {
            return Ok(Asked::Changed);
        }
        let lease = self.get(&name).await?;
        let Some(lease) = lease.filter(|lease| is_over(&lease.bytes)) else {
            return Ok(Asked::Held);
        };
        let (new, condition) = (body(token, period), Condition::Is(&lease.etag));
        Ok(match self.put(&name, new, None, condition).await? {
            Put::Done(etag) => grant(name, place, etag),
            Put::Unmet | Put::TooLarge => Asked::Held,
        })
    }

    pub(super) async fn renew(&self, owned: &Owned, period: Duration) -> Result<Renewal, Error> {
        let mut held = owned.held().await;
        if !held.is_valid() {
            return Ok(Renewal::Lost);
        }
        let asked_at = Instant::now();
        let (new, condition) = (body(owned.token, period), Condition::Is(&held.etag));
        let Put::Done(etag) = self.put(&owned.name, new, None, condition).await? else {
            return Ok(Renewal::Lost);
        };
        *held = Held {
            etag,
            valid_until: asked_at.checked_add(period),
        };
        Ok(Renewal::Renewed)
    }

    pub(super) async fn release(&self, owned: &Owned) -> Result<(), Error> {
        let held = owned.held().await;
        self.delete_if(&owned.name, &held.etag).await
    }
}

impl Owned {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) async fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().await
    }
}

impl Held {
    /// Whether it is valid by the clock of its owner.
    pub(super) fn is_valid(&self) -> bool {
        self.valid_until.is_none_or(|until| Instant::now() < until)
    }
}

impl Asked {
    pub(super) fn reply(self, lease: impl FnOnce(Owned) -> Lease) -> LeaseReply {
        match self {
            Self::Granted(owned) => LeaseReply::Granted(lease(owned)),
            Self::Held => LeaseReply::Held,
            Self::Changed => LeaseReply::Changed,
        }
    }
}

/// Until when a lease is valid, in milliseconds since 1970; `None` if these bytes are none.
pub(super) fn read(bytes: &[u8]) -> Option<u128> {
    if bytes.len() as u64 != SIZE {
        return None;
    }
    let (_token, until) = bytes.strip_prefix(MAGIC)?.split_at_checked(32)?;
    let until = until.strip_prefix(b" ")?;
    std::str::from_utf8(until).ok()?.parse().ok()
}

fn is_over(bytes: &[u8]) -> bool {
    read(bytes).is_some_and(|until| until <= millis(SystemTime::now()))
}

fn body(token: u128, period: Duration) -> ByteStream {
    // A period that is beyond all calendars ends with the digits.
    let latest = 10_u128.pow(DIGITS as u32) - 1;
    let until = millis(SystemTime::now()).saturating_add(period.as_millis());
    let magic = String::from_utf8_lossy(MAGIC);
    let text = format!("{magic}{token:032x} {:0DIGITS$}", until.min(latest));
    ByteStream::from(text.into_bytes())
}

/// A number that nobody else draws.
fn token() -> u128 {
    let random = || u128::from(RandomState::new().hash_one(Instant::now()));
    random() << 64 | random()
}
