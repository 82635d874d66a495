//! The requests of one operation, counted.

use std::sync::Arc;

use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};

use super::connect::PoolGauge;
use super::{documents, error};
use crate::backend::{Lease, StoreReply};
use crate::error::{Error, Operation};
use crate::network::RoundTrips;

/// Shared by the operations of one process.
pub(super) struct Shared {
    pub(super) store_name: String,
    pub(super) round_trips: RoundTrips,
    pub(super) gauge: Arc<PoolGauge>,
}

/// The collection, for the counted requests of one operation.
pub(super) struct Requests {
    entries: Collection<Document>,
    shared: Arc<Shared>,
    operation: Operation,
}

/// The document to store an entry in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// An existing one.
    Only,
    /// An existing one, or else a new one.
    OrNew,
}

impl Shared {
    pub(super) fn error(&self, operation: Operation, error: &mongodb::error::Error) -> Error {
        error::failed(operation, &self.store_name, error)
    }
}

impl Requests {
    pub(super) fn new(
        entries: Collection<Document>,
        shared: &Arc<Shared>,
        operation: Operation,
    ) -> Self {
        Self {
            entries,
            shared: Arc::clone(shared),
            operation,
        }
    }

    /// Stores an entry.
    pub(super) async fn store(
        &self,
        document: Document,
        update: Document,
        existing: Existing,
    ) -> Result<StoreReply, mongodb::error::Error> {
        let stored = self.send().update_one(document, update);
        match stored.upsert(existing == Existing::OrNew).await {
            Ok(updated) if existing == Existing::Only && updated.matched_count == 0 => {
                Ok(StoreReply::Superseded)
            }
            Ok(_) => Ok(StoreReply::Stored { evicted: 0 }),
            Err(error) if error::is_too_large(&error) => Ok(StoreReply::TooLarge),
            Err(error) => Err(error),
        }
    }

    /// Ends an owner's lease.
    pub(super) async fn release(
        &self,
        lease: &Lease,
        owner: ObjectId,
    ) -> Result<(), mongodb::error::Error> {
        let document = documents::owned(lease.key(), owner, lease.seen());
        if lease.seen().is_none() {
            self.send().delete_one(document).await?;
        } else {
            let unset = doc! { "$unset": { "lease": "" } };
            self.send().update_one(document, unset).await?;
        }
        Ok(())
    }

    /// Ends an owner's lease, with or without an entry.
    pub(super) async fn release_any(
        &self,
        lease: &Lease,
        owner: ObjectId,
    ) -> Result<(), mongodb::error::Error> {
        let mut document = documents::of(lease.key());
        document.insert("lease.owner", owner);
        let mut bare = document.clone();
        bare.insert("version", Bson::Null);
        self.send().delete_one(bare).await?;
        let unset = doc! { "$unset": { "lease": "" } };
        self.send().update_one(document, unset).await?;
        Ok(())
    }

    /// Counts a request, and returns the collection to send it.
    pub(super) fn send(&self) -> &Collection<Document> {
        self.shared.round_trips.count(self.operation);
        &self.entries
    }

    pub(super) async fn delete(&self, documents: Document) -> Result<u64, mongodb::error::Error> {
        Ok(self.send().delete_many(documents).await?.deleted_count)
    }
}
