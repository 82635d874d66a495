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

use super::bucket::{Bucket, Condition, Head, ObjectMetadata, PutOutcome};
use super::names;
use crate::backend::{EntryVersion, Lease, LeaseReply, Renewal};
use crate::error::Error;
use crate::unique::unique;

const MAGIC: &[u8] = b"cachier:";
/// How many bytes a lease has. No entry is as short: its header alone is longer.
pub(super) const LEASE_BYTES: u64 = 40;

/// An entry that is not there any more.
pub(super) enum VacatedEntry {
    /// It was not there before either.
    WasAbsent,
    /// This lease is in its place.
    Replaced(OwnedLease),
}

/// A lease that was granted.
pub(super) struct OwnedLease {
    name: String,
    place: LeasePlace,
    number: u64,
    /// Locked while a request is under way, so that storing knows the outcome of a renewal.
    state: Mutex<LeaseState>,
}

/// Where the object of a lease is.
pub(super) enum LeasePlace {
    /// In the place of the entry, which is not there.
    InPlaceOfEntry,
    /// Beside the entry that was seen, which has this `ETag`.
    BesideEntry { seen: String },
}

/// What changes with each renewal.
pub(super) struct LeaseState {
    pub(super) etag: String,
    valid_until: Option<Instant>,
}

/// The answer to somebody who asks for a lease.
pub(super) enum LeaseOutcome {
    Granted(OwnedLease),
    /// By the owner of this one, if that is known.
    Held(Option<OwnedLease>),
    Changed,
}

/// How often somebody else may change an entry just when its lease is taken over.
const MAX_ATTEMPTS: u32 = 4;

impl Bucket {
    /// Asks for the lease on what was seen, for the owner of a `number` that nobody else draws.
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
            Some(seen) => LeasePlace::BesideEntry { seen: etag(seen) },
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

    /// Puts the object of a lease where there is none, or one that is over.
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
            // Somebody else is about to take it.
            PutOutcome::Unmet | PutOutcome::Conflict(_) | PutOutcome::TooLarge => {
                LeaseOutcome::Held(None)
            }
        })
    }

    /// Takes the lease on what is there, whoever holds it, for the owner of a `number` that nobody else draws.
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
                    (lease, LeasePlace::BesideEntry { seen }, Condition::Always)
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

    /// Whether a lease that was just granted is for the entry that is there. That is looked at only then: an earlier owner
    /// may have stored its entry since, and ended its lease.
    async fn is_for_current_entry(&self, name: &str, owned: &OwnedLease) -> Result<bool, Error> {
        let LeasePlace::BesideEntry { seen } = &owned.place else {
            return Ok(true);
        };
        let there = self.head(name).await?;
        Ok(there.is_some_and(|there| *seen == there.etag))
    }

    /// Puts the lease in the place of the entry that it is for; `None` if it has ended or the entry has changed.
    pub(super) async fn vacate(
        &self,
        name: &str,
        owned: &OwnedLease,
        period: Duration,
    ) -> Result<Option<VacatedEntry>, Error> {
        let mut state = owned.lock().await;
        if !state.is_valid() || !self.is_still_held(owned, &mut state).await? {
            return Ok(None);
        }
        let LeasePlace::BesideEntry { seen } = &owned.place else {
            return Ok(Some(VacatedEntry::WasAbsent));
        };
        let asked_at = Instant::now();
        let (metadata, condition) = (
            ObjectMetadata::Lease(owned.number, period),
            Condition::Is(seen),
        );
        Ok(match self.put(name, body(), metadata, condition).await? {
            PutOutcome::Done(etag) => {
                let (name, place) = (name.to_owned(), LeasePlace::InPlaceOfEntry);
                let valid_until = asked_at.checked_add(period);
                let state = LeaseState { etag, valid_until };
                Some(VacatedEntry::Replaced(OwnedLease::new(
                    name,
                    place,
                    owned.number,
                    state,
                )))
            }
            PutOutcome::Conflict(failure) => return Err(self.failed(failure)),
            PutOutcome::Unmet | PutOutcome::TooLarge => None,
        })
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

    /// Whether a lease whose `ETag` is not the known one is its owner's nevertheless, which then knows it.
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

    /// Whether somebody computes an entry again.
    pub(super) async fn is_leased(&self, name: &str, entry: &Head) -> Result<bool, Error> {
        let lease = self.head(&names::of_lease(name, &entry.etag)).await?;
        Ok(lease.is_some_and(|lease| !is_over(&lease)))
    }

    /// The same for a lease that was taken over: on nothing, or on the entry that is there.
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

    /// Ends a lease whose owner never heard that it was granted, if it was.
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

    /// The lease of somebody else, for whoever stores under it. How long it is valid only the server can tell.
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

    /// The entry that it was asked for.
    pub(super) fn seen(&self) -> Option<EntryVersion> {
        match &self.place {
            LeasePlace::InPlaceOfEntry => None,
            LeasePlace::BesideEntry { seen } => Some(EntryVersion::new(seen)),
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
    /// Whether it is valid by the clock of its owner.
    pub(super) fn is_valid(&self) -> bool {
        self.valid_until.is_none_or(|until| Instant::now() < until)
    }
}

impl LeaseOutcome {
    /// The reply, with a lease made of what was granted or is held, for a period if it is one's own.
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
    bytes.len() as u64 == LEASE_BYTES && bytes.starts_with(MAGIC)
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
