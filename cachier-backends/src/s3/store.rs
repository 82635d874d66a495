//! Entries, one at a time.

use std::time::SystemTime;

use aws_sdk_s3::primitives::ByteStream;

use super::bucket::{Bucket, Condition, Put};
use super::leases::{self, Owned, Place};
use super::names;
use crate::backend::{EntryVersion, Loaded, StoreReply};
use crate::error::Error;

/// The most bytes that one request can put.
const LARGEST: u64 = 5 << 30;

/// An entry to store.
pub(super) struct NewEntry {
    pub(super) body: ByteStream,
    pub(super) size: u64,
    pub(super) created: SystemTime,
}

impl Bucket {
    pub(super) async fn load(&self, name: &str) -> Result<Option<Loaded>, Error> {
        let object = self.get(name).await?;
        let entry = object.filter(|object| leases::read(&object.bytes).is_none());
        Ok(entry.map(|entry| Loaded {
            bytes: entry.bytes,
            version: EntryVersion::new(entry.etag.into_bytes()),
        }))
    }

    /// Stores, whatever is there: a lease that is replaced, or whose entry is, ends by that.
    pub(super) async fn store(&self, name: &str, entry: NewEntry) -> Result<StoreReply, Error> {
        self.put_entry(name, entry, Condition::Always).await
    }

    pub(super) async fn store_leased(
        &self,
        name: &str,
        entry: NewEntry,
        owned: &Owned,
    ) -> Result<StoreReply, Error> {
        let held = owned.held().await;
        if !held.is_valid() {
            return Ok(StoreReply::Superseded);
        }
        let seen = match owned.place() {
            Place::OfTheEntry => {
                return self.put_entry(name, entry, Condition::Is(&held.etag)).await;
            }
            Place::Beside { seen } => seen,
        };
        // The entry tells who comes late to it, but not who lost the lease while it stayed as it is.
        let lease = self.head(owned.name()).await?;
        if lease.is_none_or(|lease| lease.etag != held.etag) {
            return Ok(StoreReply::Superseded);
        }
        let reply = self.put_entry(name, entry, Condition::Is(seen)).await?;
        if let StoreReply::Stored { .. } = reply {
            self.delete_later(owned.name().to_owned());
        }
        Ok(reply)
    }

    /// Removes an entry or the lease in its place. Whether it was an entry.
    pub(super) async fn remove(&self, name: &str) -> Result<bool, Error> {
        let Some(there) = self.head(name).await? else {
            return Ok(false);
        };
        self.delete(name).await?;
        if there.size == leases::SIZE {
            return Ok(false);
        }
        self.delete(&names::of_lease(name, &there.etag)).await?;
        Ok(true)
    }

    async fn put_entry(
        &self,
        name: &str,
        entry: NewEntry,
        condition: Condition<'_>,
    ) -> Result<StoreReply, Error> {
        if entry.size > LARGEST {
            return Ok(StoreReply::TooLarge);
        }
        let created = Some(entry.created);
        let put = self.put(name, entry.body, created, condition).await?;
        Ok(match put {
            Put::Done(_) => StoreReply::Stored { evicted: 0 },
            Put::Unmet => StoreReply::Superseded,
            Put::TooLarge => StoreReply::TooLarge,
        })
    }

    /// Deletes what is of no use any more, and harms nobody if it stays.
    fn delete_later(&self, name: String) {
        let bucket = self.clone();
        tokio::spawn(async move {
            let _ = bucket.delete(&name).await;
        });
    }
}
