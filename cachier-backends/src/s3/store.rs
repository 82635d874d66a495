//! Operations on single entries.

use std::time::SystemTime;

use aws_sdk_s3::primitives::SdkBody;

use super::bucket::{Bucket, Condition, ObjectMetadata, PutOutcome};
use super::leases::{self, LeasePlace, LeaseState, OwnedLease};
use super::names;
use crate::backend::{EntryVersion, Loaded, StoreReply};
use crate::error::Error;

/// The limit for one put.
const MAX_PUT_BYTES: u64 = 5 << 30;

/// An entry to store.
pub(super) struct NewEntry {
    pub(super) body: SdkBody,
    pub(super) size: u64,
    pub(super) created: SystemTime,
}

/// The result of a store under a lease.
pub(super) struct LeasedStore {
    pub(super) reply: StoreReply,
    /// The lease's object if it is obsolete. It does no harm if it stays.
    pub(super) obsolete: Option<String>,
}

impl Bucket {
    pub(super) async fn load(&self, name: &str) -> Result<Option<Loaded>, Error> {
        let object = self.get(name).await?;
        let entry = object.filter(|object| !leases::is_lease(&object.bytes));
        Ok(entry.map(|entry| Loaded {
            bytes: entry.bytes,
            version: EntryVersion::new(entry.etag),
        }))
    }

    /// Stores unconditionally, which ends any lease on the name or on the replaced entry.
    pub(super) async fn store(&self, name: &str, entry: NewEntry) -> Result<StoreReply, Error> {
        self.put_entry(name, &entry, Condition::Always).await
    }

    pub(super) async fn store_leased(
        &self,
        name: &str,
        entry: NewEntry,
        owned: &OwnedLease,
    ) -> Result<LeasedStore, Error> {
        let mut state = owned.lock().await;
        if !state.is_valid() {
            return Ok(LeasedStore::superseded());
        }
        let stored = match owned.place() {
            LeasePlace::InPlaceOfEntry => {
                let put = async |state: &LeaseState| {
                    let condition = Condition::Is(&state.etag);
                    self.put_entry(name, &entry, condition).await
                };
                let stored = put(&state).await;
                match stored {
                    Ok(StoreReply::Superseded) if self.is_still_held(owned, &mut state).await? => {
                        put(&state).await
                    }
                    stored => stored,
                }
            }
            LeasePlace::NextToEntry { seen } => {
                // The entry's `ETag` reveals a late store, but not a lost lease on an unchanged entry.
                if !self.is_still_held(owned, &mut state).await? {
                    return Ok(LeasedStore::superseded());
                }
                self.put_entry(name, &entry, Condition::Is(seen)).await
            }
        };
        let ends = match &stored {
            Ok(reply) => *reply == StoreReply::TooLarge,
            // A transient error is retried under the same lease.
            Err(error) => !error.is_transient(),
        };
        if ends {
            let _ = self.delete_if(owned.name(), &state.etag).await;
        }
        let obsolete = match (owned.place(), ends) {
            (LeasePlace::NextToEntry { .. }, false) => Some(owned.name().to_owned()),
            _ => None,
        };
        stored.map(|reply| LeasedStore { reply, obsolete })
    }

    /// Removes an entry, or the lease at its name; whether it was an entry.
    pub(super) async fn remove(&self, name: &str) -> Result<bool, Error> {
        let there = self.head(name).await?;
        self.delete(name).await?;
        let Some(entry) = there.filter(|there| there.size != leases::LEASE_BYTES) else {
            return Ok(false);
        };
        self.delete(&names::of_lease(name, &entry.etag)).await?;
        Ok(true)
    }

    async fn put_entry(
        &self,
        name: &str,
        entry: &NewEntry,
        condition: Condition<'_>,
    ) -> Result<StoreReply, Error> {
        if entry.size > MAX_PUT_BYTES {
            return Ok(StoreReply::TooLarge);
        }
        let (body, metadata) = (
            entry.body.try_clone(),
            ObjectMetadata::Created(entry.created),
        );
        let body = body.expect("bytes in memory can be read twice");
        Ok(match self.put(name, body, metadata, condition).await? {
            PutOutcome::Done(_) => StoreReply::Stored { evicted: 0 },
            PutOutcome::Unmet => StoreReply::Superseded,
            PutOutcome::Conflict(failure) => return Err(self.failed(failure)),
            PutOutcome::TooLarge => StoreReply::TooLarge,
        })
    }
}

impl LeasedStore {
    fn superseded() -> Self {
        Self {
            reply: StoreReply::Superseded,
            obsolete: None,
        }
    }
}
