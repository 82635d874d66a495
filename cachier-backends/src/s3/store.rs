//! Entries, one at a time.

use std::time::SystemTime;

use aws_sdk_s3::primitives::SdkBody;

use super::bucket::{Bucket, Condition, Put, Told};
use super::leases::{self, Held, Owned, Place};
use super::names;
use crate::backend::{EntryVersion, Loaded, StoreReply};
use crate::error::Error;

/// The most bytes that one request can put.
const LARGEST: u64 = 5 << 30;

/// An entry to store.
pub(super) struct NewEntry {
    pub(super) body: SdkBody,
    pub(super) size: u64,
    pub(super) created: SystemTime,
}

/// What became of an entry that was to be stored under a lease.
pub(super) struct Leased {
    pub(super) reply: StoreReply,
    /// The object of the lease, if it is of no use any more. It harms nobody if it stays.
    pub(super) left_over: Option<String>,
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

    /// Stores, whatever is there: a lease that is replaced, or whose entry is, ends by that.
    pub(super) async fn store(&self, name: &str, entry: NewEntry) -> Result<StoreReply, Error> {
        self.put_entry(name, &entry, Condition::Always).await
    }

    pub(super) async fn store_leased(
        &self,
        name: &str,
        entry: NewEntry,
        owned: &Owned,
    ) -> Result<Leased, Error> {
        let mut held = owned.held().await;
        if !held.is_valid() {
            return Ok(Leased::superseded());
        }
        let stored = match owned.place() {
            Place::OfTheEntry => {
                let put = async |held: &Held| {
                    let condition = Condition::Is(&held.etag);
                    self.put_entry(name, &entry, condition).await
                };
                let stored = put(&held).await;
                match stored {
                    Ok(StoreReply::Superseded) if self.is_still_held(owned, &mut held).await? => {
                        put(&held).await
                    }
                    stored => stored,
                }
            }
            Place::Beside { seen } => {
                // The entry tells who comes late to it, but not who lost the lease while it stayed as it is.
                if !self.is_still_held(owned, &mut held).await? {
                    return Ok(Leased::superseded());
                }
                self.put_entry(name, &entry, Condition::Is(seen)).await
            }
        };
        let ends = match &stored {
            Ok(reply) => *reply == StoreReply::TooLarge,
            // What is transient is tried again, under the same lease.
            Err(error) => !error.is_transient(),
        };
        if ends {
            let _ = self.delete_if(owned.name(), &held.etag).await;
        }
        let left_over = match (owned.place(), ends) {
            (Place::Beside { .. }, false) => Some(owned.name().to_owned()),
            _ => None,
        };
        stored.map(|reply| Leased { reply, left_over })
    }

    /// Removes an entry or the lease in its place. Whether it was an entry.
    pub(super) async fn remove(&self, name: &str) -> Result<bool, Error> {
        let there = self.head(name).await?;
        self.delete(name).await?;
        let Some(entry) = there.filter(|there| there.size != leases::SIZE) else {
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
        if entry.size > LARGEST {
            return Ok(StoreReply::TooLarge);
        }
        let (body, told) = (entry.body.try_clone(), Told::Created(entry.created));
        let body = body.expect("bytes in memory can be read twice");
        Ok(match self.put(name, body, told, condition).await? {
            Put::Done(_) => StoreReply::Stored { evicted: 0 },
            Put::Unmet => StoreReply::Superseded,
            Put::Conflict(failure) => return Err(self.failed(failure)),
            Put::TooLarge => StoreReply::TooLarge,
        })
    }
}

impl Leased {
    fn superseded() -> Self {
        Self {
            reply: StoreReply::Superseded,
            left_over: None,
        }
    }
}
