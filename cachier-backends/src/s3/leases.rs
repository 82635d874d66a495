//! Leases: small objects that are put on conditions.
//!
//! Such an object holds a number that nobody else draws, so that its `ETag` differs from that of every other lease even
//! where an `ETag` is a hash of what is in the object. An empty object would not do: all of them have the same.
//!
//! Its metadata say whose it is and for how long it lasts, and the server says how old it is. The owner knows its `ETag`,
//! unless the answer to a renewal was lost: then it looks again.

use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::SdkBody;
use tokio::sync::{Mutex, MutexGuard};

use super::bucket::{Bucket, Condition, Head, Put, Told};
use super::names;
use crate::backend::{EntryVersion, Lease, LeaseReply, Renewal};
use crate::error::Error;
use crate::unique::unique;

const MAGIC: &[u8] = b"cachier:";
/// How many bytes a lease has. No entry is as short: its header alone is longer.
pub(super) const SIZE: u64 = 40;

/// A lease that was granted.
pub(super) struct Owned {
    name: String,
    place: Place,
    number: u64,
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
    /// Asks for the lease on what was seen, for the owner of a `number` that nobody else draws.
    pub(super) async fn lease(
        &self,
        name: &str,
        seen: Option<&EntryVersion>,
        period: Duration,
        number: u64,
    ) -> Result<Asked, Error> {
        let lease = name_of_lease(name, seen);
        let place = match seen {
            None => Place::OfTheEntry,
            Some(seen) => Place::Beside { seen: etag(seen) },
        };
        let asked = self.lease_object(lease, place, period, number).await?;
        if seen.is_none() {
            return Ok(asked);
        }
        if let Asked::Granted(owned) = &asked {
            // Only now: an earlier owner may have stored its entry since, and ended its lease.
            let there = self.head(name).await?;
            if !there.is_some_and(|there| owned.is_for(&there)) {
                self.delete(&owned.name).await?;
                return Ok(Asked::Changed);
            }
        }
        Ok(asked)
    }

    /// Puts the object of a lease where there is none, or one that is over.
    async fn lease_object(
        &self,
        name: String,
        place: Place,
        period: Duration,
        number: u64,
    ) -> Result<Asked, Error> {
        let asked_at = Instant::now();
        let grant = |name, place, etag| {
            let valid_until = asked_at.checked_add(period);
            Asked::Granted(Owned {
                name,
                place,
                number,
                held: Mutex::new(Held { etag, valid_until }),
            })
        };
        let told = Told::Lease(number, period);
        let put = self.put(&name, body(), told, Condition::Missing).await?;
        if let Put::Done(etag) = put {
            return Ok(grant(name, place, etag));
        }
        let Some(there) = self.head(&name).await? else {
            return Ok(Asked::Held);
        };
        if there.size != SIZE {
            return Ok(Asked::Changed);
        }
        if !is_over(&there) {
            return Ok(Asked::Held);
        }
        let condition = Condition::Is(&there.etag);
        Ok(match self.put(&name, body(), told, condition).await? {
            Put::Done(etag) => grant(name, place, etag),
            // Somebody else is about to take it.
            Put::Unmet | Put::Conflict(_) | Put::TooLarge => Asked::Held,
        })
    }

    pub(super) async fn renew(&self, owned: &Owned, period: Duration) -> Result<Renewal, Error> {
        let mut held = owned.held().await;
        if !held.is_valid() {
            return Ok(Renewal::Lost);
        }
        let asked_at = Instant::now();
        let told = Told::Lease(owned.number, period);
        let renew = async |held: &Held| {
            let condition = Condition::Is(&held.etag);
            self.put(&owned.name, body(), told, condition).await
        };
        let mut renewed = renew(&held).await?;
        if matches!(renewed, Put::Unmet) && self.is_still_held(owned, &mut held).await? {
            renewed = renew(&held).await?;
        }
        let etag = match renewed {
            Put::Done(etag) => etag,
            Put::Conflict(failure) => return Err(self.failed(failure)),
            Put::Unmet | Put::TooLarge => return Ok(Renewal::Lost),
        };
        *held = Held {
            etag,
            valid_until: asked_at.checked_add(period),
        };
        Ok(Renewal::Renewed)
    }

    /// Whether a lease whose `ETag` is not the known one is its owner's nevertheless, which then knows it.
    pub(super) async fn is_still_held(
        &self,
        owned: &Owned,
        held: &mut Held,
    ) -> Result<bool, Error> {
        let there = self.head(&owned.name).await?;
        let there = there.filter(|there| there.owner == Some(owned.number));
        let is_held = there.is_some();
        if let Some(there) = there {
            held.etag = there.etag;
        }
        Ok(is_held)
    }

    pub(super) async fn release(&self, owned: &Owned) -> Result<(), Error> {
        let held = owned.held().await;
        self.delete_if(&owned.name, &held.etag).await
    }

    /// Whether somebody computes an entry again.
    pub(super) async fn is_leased(&self, name: &str, entry: &Head) -> Result<bool, Error> {
        let lease = self.head(&names::of_lease(name, &entry.etag)).await?;
        Ok(lease.is_some_and(|lease| !is_over(&lease)))
    }

    /// Ends a lease whose owner never heard that it was granted, if it was.
    pub(super) async fn release_unheard(&self, lease: &str, number: u64) -> Result<(), Error> {
        match self.head(lease).await? {
            Some(there) if there.owner == Some(number) => self.delete_if(lease, &there.etag).await,
            _ => Ok(()),
        }
    }
}

impl Owned {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is the entry that it was asked for.
    fn is_for(&self, entry: &Head) -> bool {
        matches!(&self.place, Place::Beside { seen } if *seen == entry.etag)
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

/// The name of the object that is the lease on what was seen of an entry.
pub(super) fn name_of_lease(name: &str, seen: Option<&EntryVersion>) -> String {
    match seen {
        None => name.to_owned(),
        Some(seen) => names::of_lease(name, &etag(seen)),
    }
}

fn etag(seen: &EntryVersion) -> String {
    String::from_utf8_lossy(seen.as_bytes()).into_owned()
}

/// Whether these bytes are those of a lease.
pub(super) fn is_lease(bytes: &[u8]) -> bool {
    bytes.len() as u64 == SIZE && bytes.starts_with(MAGIC)
}

/// Whether a lease has ended, by the clock of the server. One that does not say how long it lasts has.
fn is_over(lease: &Head) -> bool {
    lease.age >= lease.period.unwrap_or_default()
}

fn body() -> SdkBody {
    let magic = String::from_utf8_lossy(MAGIC);
    let text = format!("{magic}{:016x}{:016x}", unique(), unique());
    SdkBody::from(text)
}
