//! Leases: small objects created by conditional puts.
//!
//! A lease's content is a unique number, which makes its `ETag` unique even where an `ETag` is a hash of the content.
//! Empty objects would all have the same.
//!
//! Its metadata hold owner and period; its age is told by the server. The owner knows the `ETag`, unless the answer to
//! a renewal was lost: then it looks again.

use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::SdkBody;
use tokio::sync::{Mutex, MutexGuard};

use super::bucket::{Bucket, Condition, Head, ObjectMetadata, PutOutcome};
use super::names;
use crate::backend::{EntryVersion, Lease, LeaseReply, Renewal};
use crate::error::Error;
use crate::unique::unique;

const MAGIC: &[u8] = b"cachier:";
/// The size of a lease. Every entry is larger, by its header alone.
pub(super) const LEASE_BYTES: u64 = 40;

/// The result of vacating an entry.
pub(super) enum VacatedEntry {
    /// It did not exist.
    WasAbsent,
    /// This lease has replaced it, just now or before.
    Replaced { lease: OwnedLease, removed: bool },
}

/// A granted lease.
pub(super) struct OwnedLease {
    name: String,
    place: LeasePlace,
    number: u64,
    /// Locked during requests, so that a store knows the outcome of a renewal.
    state: Mutex<LeaseState>,
}

/// Where a lease's object is.
pub(super) enum LeasePlace {
    /// At the name of the entry, which does not exist.
    InPlaceOfEntry,
    /// Next to the entry, which had this `ETag`.
    NextToEntry { seen: String },
}

/// Changes with each renewal.
pub(super) struct LeaseState {
    pub(super) etag: String,
    valid_until: Option<Instant>,
}

/// The answer to a request for a lease.
pub(super) enum LeaseOutcome {
    Granted(OwnedLease),
    /// With the current lease, if its owner is known.
    Held(Option<OwnedLease>),
    Changed,
}

/// How often a concurrent change of the entry is tolerated during a take-over.
const MAX_ATTEMPTS: u32 = 4;

impl Bucket {
    /// Requests the lease on what was `seen`, for the owner of a unique `number`.
    pub(super) async fn lease(
        &self,
        name: &str,
        seen: Option<&EntryVersion>,
        period: Duration,
        number: u64,
    ) -> Result<LeaseOutcome, Error> {
        let lease = name_of_lease(name, seen);
        let place = match seen {
            None => LeasePlace::InPlaceOfEntry,
            Some(seen) => LeasePlace::NextToEntry { seen: etag(seen) },
        };
        let asked = self.lease_object(lease, place, period, number).await?;
        if seen.is_none() {
            return Ok(asked);
        }
        if let LeaseOutcome::Granted(owned) = &asked
            && !self.is_for_current_entry(name, owned).await?
        {
            self.delete(&owned.name).await?;
            return Ok(LeaseOutcome::Changed);
        }
        Ok(asked)
    }

    /// Puts a lease's object where there is none, or an expired one.
    async fn lease_object(
        &self,
        name: String,
        place: LeasePlace,
        period: Duration,
        number: u64,
    ) -> Result<LeaseOutcome, Error> {
        let asked_at = Instant::now();
        let grant = |name, place, etag| {
            let valid_until = asked_at.checked_add(period);
            LeaseOutcome::Granted(OwnedLease::new(
                name,
                place,
                number,
                LeaseState { etag, valid_until },
            ))
        };
        let metadata = ObjectMetadata::Lease(number, period);
        let put = self
            .put(&name, body(), metadata, Condition::Missing)
            .await?;
        if let PutOutcome::Done(etag) = put {
            return Ok(grant(name, place, etag));
        }
        let Some(there) = self.head(&name).await? else {
            return Ok(LeaseOutcome::Held(None));
        };
        if there.size != LEASE_BYTES {
            return Ok(LeaseOutcome::Changed);
        }
        if !is_over(&there) {
            return Ok(LeaseOutcome::Held(OwnedLease::by_another(
                name, place, there,
            )));
        }
        let condition = Condition::Is(&there.etag);
        Ok(match self.put(&name, body(), metadata, condition).await? {
            PutOutcome::Done(etag) => grant(name, place, etag),
            // Somebody else is taking it.
            PutOutcome::Unmet | PutOutcome::Conflict(_) | PutOutcome::TooLarge => {
                LeaseOutcome::Held(None)
            }
        })
    }

    /// Takes the lease on the current entry from its holder, for the owner of a unique `number`.
    pub(super) async fn take_over(
        &self,
        name: &str,
        period: Duration,
        number: u64,
    ) -> Result<OwnedLease, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let asked_at = Instant::now();
            let there = self.head(name).await?;
            let entry = there.as_ref().filter(|there| there.size != LEASE_BYTES);
            let (lease, place, condition) = match (entry, &there) {
                (Some(entry), _) => {
                    let seen = entry.etag.clone();
                    let lease = names::of_lease(name, &seen);
                    (lease, LeasePlace::NextToEntry { seen }, Condition::Always)
                }
                (None, Some(lease)) => {
                    let condition = Condition::Is(&lease.etag);
                    (name.to_owned(), LeasePlace::InPlaceOfEntry, condition)
                }
                (None, None) => (
                    name.to_owned(),
                    LeasePlace::InPlaceOfEntry,
                    Condition::Missing,
                ),
            };
            let metadata = ObjectMetadata::Lease(number, period);
            let PutOutcome::Done(etag) = self.put(&lease, body(), metadata, condition).await?
            else {
                continue;
            };
            let valid_until = asked_at.checked_add(period);
            let owned = OwnedLease::new(lease, place, number, LeaseState { etag, valid_until });
            if self.is_for_current_entry(name, &owned).await? {
                return Ok(owned);
            }
            self.delete(&owned.name).await?;
        }
        Err(self.contended())
    }

    /// Whether a lease that was just granted is on the current entry. Checked only now: an earlier owner may have
    /// stored its entry since, and ended its lease.
    async fn is_for_current_entry(&self, name: &str, owned: &OwnedLease) -> Result<bool, Error> {
        let LeasePlace::NextToEntry { seen } = &owned.place else {
            return Ok(true);
        };
        let there = self.head(name).await?;
        Ok(there.is_some_and(|there| *seen == there.etag))
    }

    /// Replaces the entry by its lease; `None` if that has ended or the entry has changed.
    pub(super) async fn vacate(
        &self,
        name: &str,
        owned: &OwnedLease,
        period: Duration,
    ) -> Result<Option<VacatedEntry>, Error> {
        let mut state = owned.lock().await;
        if !state.is_valid() {
            return Ok(None);
        }
        let asked_at = Instant::now();
        let is_held = self.is_still_held(owned, &mut state).await?;
        let replaced = match &owned.place {
            LeasePlace::InPlaceOfEntry => return Ok(is_held.then_some(VacatedEntry::WasAbsent)),
            LeasePlace::NextToEntry { seen } if is_held => {
                let metadata = ObjectMetadata::Lease(owned.number, period);
                let put = self.put(name, body(), metadata, Condition::Is(seen));
                match put.await? {
                    PutOutcome::Done(etag) => Some(etag),
                    PutOutcome::Conflict(failure) => return Err(self.failed(failure)),
                    PutOutcome::Unmet | PutOutcome::TooLarge => None,
                }
            }
            LeasePlace::NextToEntry { .. } => None,
        };
        let removed = replaced.is_some();
        let etag = match replaced {
            Some(etag) => etag,
            // This owner may have replaced it before, by a request whose answer was lost.
            None => match self.head(name).await? {
                Some(there) if there.owner == Some(owned.number) => there.etag,
                _ => return Ok(None),
            },
        };
        let state = LeaseState {
            etag,
            valid_until: asked_at.checked_add(period),
        };
        let (name, place) = (name.to_owned(), LeasePlace::InPlaceOfEntry);
        let lease = OwnedLease::new(name, place, owned.number, state);
        Ok(Some(VacatedEntry::Replaced { lease, removed }))
    }

    pub(super) async fn renew(
        &self,
        owned: &OwnedLease,
        period: Duration,
    ) -> Result<Renewal, Error> {
        let mut state = owned.lock().await;
        if !state.is_valid() {
            return Ok(Renewal::Lost);
        }
        let asked_at = Instant::now();
        let metadata = ObjectMetadata::Lease(owned.number, period);
        let renew = async |state: &LeaseState| {
            let condition = Condition::Is(&state.etag);
            self.put(&owned.name, body(), metadata, condition).await
        };
        let mut renewed = renew(&state).await?;
        if matches!(renewed, PutOutcome::Unmet) && self.is_still_held(owned, &mut state).await? {
            renewed = renew(&state).await?;
        }
        let etag = match renewed {
            PutOutcome::Done(etag) => etag,
            PutOutcome::Conflict(failure) => return Err(self.failed(failure)),
            PutOutcome::Unmet | PutOutcome::TooLarge => return Ok(Renewal::Lost),
        };
        *state = LeaseState {
            etag,
            valid_until: asked_at.checked_add(period),
        };
        Ok(Renewal::Renewed)
    }

    /// Whether the owner still holds a lease with an unexpected `ETag`, which is then remembered.
    pub(super) async fn is_still_held(
        &self,
        owned: &OwnedLease,
        state: &mut LeaseState,
    ) -> Result<bool, Error> {
        let there = self.head(&owned.name).await?;
        let there = there.filter(|there| there.owner == Some(owned.number));
        let is_held = there.is_some();
        if let Some(there) = there {
            state.etag = there.etag;
        }
        Ok(is_held)
    }

    pub(super) async fn release(&self, owned: &OwnedLease) -> Result<(), Error> {
        let state = owned.lock().await;
        self.delete_if(&owned.name, &state.etag).await
    }

    /// Whether somebody is recomputing an entry.
    pub(super) async fn is_leased(&self, name: &str, entry: &Head) -> Result<bool, Error> {
        let lease = self.head(&names::of_lease(name, &entry.etag)).await?;
        Ok(lease.is_some_and(|lease| !is_over(&lease)))
    }

    /// The same for a lease that was taken over: on an absent entry, or on the current one.
    pub(super) async fn release_taken_unanswered(
        &self,
        name: &str,
        number: u64,
    ) -> Result<(), Error> {
        match self.head(name).await? {
            Some(entry) if entry.size != LEASE_BYTES => {
                let lease = names::of_lease(name, &entry.etag);
                self.release_unanswered(&lease, number).await
            }
            _ => self.release_unanswered(name, number).await,
        }
    }

    /// Releases a lease if it was granted, although its owner never got the answer.
    pub(super) async fn release_unanswered(&self, lease: &str, number: u64) -> Result<(), Error> {
        match self.head(lease).await? {
            Some(there) if there.owner == Some(number) => self.delete_if(lease, &there.etag).await,
            _ => Ok(()),
        }
    }
}

impl OwnedLease {
    fn new(name: String, place: LeasePlace, number: u64, state: LeaseState) -> Self {
        Self {
            name,
            place,
            number,
            state: Mutex::new(state),
        }
    }

    /// A lease held by another owner, under which others may store. Only the server can tell how long it is valid.
    fn by_another(name: String, place: LeasePlace, there: Head) -> Option<Self> {
        let state = LeaseState {
            etag: there.etag,
            valid_until: None,
        };
        Some(Self::new(name, place, there.owner?, state))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The entry that it was requested for.
    pub(super) fn seen(&self) -> Option<EntryVersion> {
        match &self.place {
            LeasePlace::InPlaceOfEntry => None,
            LeasePlace::NextToEntry { seen } => Some(EntryVersion::new(seen)),
        }
    }

    pub(super) fn place(&self) -> &LeasePlace {
        &self.place
    }

    pub(super) async fn lock(&self) -> MutexGuard<'_, LeaseState> {
        self.state.lock().await
    }
}

impl LeaseState {
    /// Whether it is valid by its owner's clock.
    pub(super) fn is_valid(&self) -> bool {
        self.valid_until.is_none_or(|until| Instant::now() < until)
    }
}

impl LeaseOutcome {
    /// The reply, with leases made by `lease`; an own one expires after `period`.
    pub(super) fn reply(
        self,
        period: Duration,
        lease: impl FnOnce(OwnedLease) -> Lease,
    ) -> LeaseReply {
        match self {
            Self::Granted(owned) => LeaseReply::Granted(lease(owned).expiring_after(period)),
            Self::Held(owned) => LeaseReply::Held(owned.map(lease)),
            Self::Changed => LeaseReply::Changed,
        }
    }
}

/// The object name of the lease on what was seen.
pub(super) fn name_of_lease(name: &str, seen: Option<&EntryVersion>) -> String {
    match seen {
        None => name.to_owned(),
        Some(seen) => names::of_lease(name, &etag(seen)),
    }
}

fn etag(seen: &EntryVersion) -> String {
    String::from_utf8_lossy(seen.as_bytes()).into_owned()
}

/// Whether the bytes are a lease.
pub(super) fn is_lease(bytes: &[u8]) -> bool {
    bytes.len() as u64 == LEASE_BYTES && bytes.starts_with(MAGIC)
}

/// Whether a lease has expired by the server's clock, or has no period.
fn is_over(lease: &Head) -> bool {
    lease.age >= lease.period.unwrap_or_default()
}

fn body() -> SdkBody {
    let magic = String::from_utf8_lossy(MAGIC);
    let text = format!("{magic}{:016x}{:016x}", unique(), unique());
    SdkBody::from(text)
}
