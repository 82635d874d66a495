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

/// An entry that is not there any more.
pub(super) enum Vacant {
    /// It was not there before either.
    Already,
    /// This lease is in its place.
    Now(Owned),
}

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
    /// By the owner of this one, if that is known.
    Held(Option<Owned>),
    Changed,
}

/// How often somebody else may change an entry just when its lease is taken over.
const ATTEMPTS: u32 = 4;

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
        if let Asked::Granted(owned) = &asked
            && !self.is_for_what_is_there(name, owned).await?
        {
            self.delete(&owned.name).await?;
            return Ok(Asked::Changed);
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
            Asked::Granted(Owned::new(name, place, number, Held { etag, valid_until }))
        };
        let told = Told::Lease(number, period);
        let put = self.put(&name, body(), told, Condition::Missing).await?;
        if let Put::Done(etag) = put {
            return Ok(grant(name, place, etag));
        }
        let Some(there) = self.head(&name).await? else {
            return Ok(Asked::Held(None));
        };
        if there.size != SIZE {
            return Ok(Asked::Changed);
        }
        if !is_over(&there) {
            return Ok(Asked::Held(Owned::by_another(name, place, there)));
        }
        let condition = Condition::Is(&there.etag);
        Ok(match self.put(&name, body(), told, condition).await? {
            Put::Done(etag) => grant(name, place, etag),
            // Somebody else is about to take it.
            Put::Unmet | Put::Conflict(_) | Put::TooLarge => Asked::Held(None),
        })
    }

    /// Takes the lease on what is there, whoever holds it, for the owner of a `number` that nobody else draws.
    pub(super) async fn take_over(
        &self,
        name: &str,
        period: Duration,
        number: u64,
    ) -> Result<Owned, Error> {
        for _ in 0..ATTEMPTS {
            let asked_at = Instant::now();
            let there = self.head(name).await?;
            let entry = there.as_ref().filter(|there| there.size != SIZE);
            let (lease, place, condition) = match (entry, &there) {
                (Some(entry), _) => {
                    let seen = entry.etag.clone();
                    let lease = names::of_lease(name, &seen);
                    (lease, Place::Beside { seen }, Condition::Always)
                }
                (None, Some(lease)) => {
                    let condition = Condition::Is(&lease.etag);
                    (name.to_owned(), Place::OfTheEntry, condition)
                }
                (None, None) => (name.to_owned(), Place::OfTheEntry, Condition::Missing),
            };
            let told = Told::Lease(number, period);
            let Put::Done(etag) = self.put(&lease, body(), told, condition).await? else {
                continue;
            };
            let valid_until = asked_at.checked_add(period);
            let owned = Owned::new(lease, place, number, Held { etag, valid_until });
            if self.is_for_what_is_there(name, &owned).await? {
                return Ok(owned);
            }
            self.delete(&owned.name).await?;
        }
        Err(self.contended())
    }

    /// Whether a lease that was just granted is for the entry that is there. That is looked at only then: an earlier owner
    /// may have stored its entry since, and ended its lease.
    async fn is_for_what_is_there(&self, name: &str, owned: &Owned) -> Result<bool, Error> {
        let Place::Beside { seen } = &owned.place else {
            return Ok(true);
        };
        let there = self.head(name).await?;
        Ok(there.is_some_and(|there| *seen == there.etag))
    }

    /// Puts the lease in the place of the entry that it is for; `None` if it has ended or the entry has changed.
    pub(super) async fn vacate(
        &self,
        name: &str,
        owned: &Owned,
        period: Duration,
    ) -> Result<Option<Vacant>, Error> {
        let mut held = owned.held().await;
        if !held.is_valid() || !self.is_still_held(owned, &mut held).await? {
            return Ok(None);
        }
        let Place::Beside { seen } = &owned.place else {
            return Ok(Some(Vacant::Already));
        };
        let asked_at = Instant::now();
        let (told, condition) = (Told::Lease(owned.number, period), Condition::Is(seen));
        Ok(match self.put(name, body(), told, condition).await? {
            Put::Done(etag) => {
                let (name, place) = (name.to_owned(), Place::OfTheEntry);
                let valid_until = asked_at.checked_add(period);
                let held = Held { etag, valid_until };
                Some(Vacant::Now(Owned::new(name, place, owned.number, held)))
            }
            Put::Conflict(failure) => return Err(self.failed(failure)),
            Put::Unmet | Put::TooLarge => None,
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

    /// The same for a lease that was taken over: on nothing, or on the entry that is there.
    pub(super) async fn release_taken_unheard(&self, name: &str, number: u64) -> Result<(), Error> {
        match self.head(name).await? {
            Some(entry) if entry.size != SIZE => {
                let lease = names::of_lease(name, &entry.etag);
                self.release_unheard(&lease, number).await
            }
            _ => self.release_unheard(name, number).await,
        }
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
    fn new(name: String, place: Place, number: u64, held: Held) -> Self {
        Self {
            name,
            place,
            number,
            held: Mutex::new(held),
        }
    }

    /// The lease of somebody else, for whoever stores under it. How long it is valid only the server can tell.
    fn by_another(name: String, place: Place, there: Head) -> Option<Self> {
        let held = Held {
            etag: there.etag,
            valid_until: None,
        };
        Some(Self::new(name, place, there.owner?, held))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The entry that it was asked for.
    pub(super) fn seen(&self) -> Option<EntryVersion> {
        match &self.place {
            Place::OfTheEntry => None,
            Place::Beside { seen } => Some(EntryVersion::new(seen)),
        }
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
    /// The reply, with a lease made of what was granted or is held, for a period if it is one's own.
    pub(super) fn reply(self, period: Duration, lease: impl FnOnce(Owned) -> Lease) -> LeaseReply {
        match self {
            Self::Granted(owned) => LeaseReply::Granted(lease(owned).expiring_after(period)),
            Self::Held(owned) => LeaseReply::Held(owned.map(lease)),
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
