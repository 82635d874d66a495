//! Documents, and the updates that change them.
//!
//! ```text
//! { _id: "cachier/2/{namespace}/{function}/{version}/{hash}", function: "cachier/2/{namespace}/{function}",
//!   entry: …, version: ObjectId, size: …, created: …, drop_at: …,
//!   lease: { owner: ObjectId, until: … } }
//! ```
//!
//! A document without `version` is the lease on an absent entry. Times are by the server's clock.

use std::time::{Duration, SystemTime};

use mongodb::bson::oid::ObjectId;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc};

use crate::backend::{EntryVersion, StoreRequest};
use crate::key::{Key, Scope};
use crate::unique::unique;

/// How long a document is kept at least after its lease has ended.
const MIN_RETENTION_MILLIS: i64 = 60_000;

/// The document of a key.
pub(super) fn of(key: &Key) -> Document {
    doc! { "_id": key.to_string() }
}

/// The documents of a function.
pub(super) fn of_function(scope: &Scope) -> Document {
    doc! { "function": scope.to_string() }
}

/// Matches documents with entries; covered by the index.
pub(super) fn entries_of(scope: &Scope) -> Document {
    doc! { "function": scope.to_string(), "created": { "$gte": DateTime::MIN } }
}

/// Matches unleased entries created before a moment: an entry being recomputed is kept.
pub(super) fn entries_before(scope: &Scope, moment: SystemTime) -> Document {
    doc! {
        "function": scope.to_string(),
        "created": { "$gte": DateTime::MIN, "$lt": DateTime::from_system_time(moment) },
        // A missing date is less than any other.
        "$expr": { "$lte": ["$lease.until", "$$NOW"] },
    }
}

/// Matches documents with leases only.
pub(super) fn bare_leases_of(scope: &Scope) -> Document {
    doc! { "function": scope.to_string(), "version": { "$exists": false } }
}

/// The document of a key, while this owner's lease is valid and the entry unchanged.
pub(super) fn owned(key: &Key, owner: ObjectId, seen: Option<&EntryVersion>) -> Document {
    doc! {
        "_id": key.to_string(),
        // `null` matches a missing field.
        "version": seen.map_or(Bson::Null, version),
        "lease.owner": owner,
        "$expr": { "$gt": ["$lease.until", "$$NOW"] },
    }
}

/// The same, or without the entry: this owner may have removed it.
pub(super) fn owned_or_vacant(key: &Key, owner: ObjectId, seen: Option<&EntryVersion>) -> Document {
    let mut document = owned(key, owner, seen);
    let seen = seen.map_or(Bson::Null, version);
    document.insert("version", doc! { "$in": [seen, Bson::Null] });
    document
}

/// Stores an entry, and ends any lease.
pub(super) fn store(key: &Key, request: &StoreRequest<'_>) -> Document {
    let entry = Binary {
        subtype: BinarySubtype::Generic,
        bytes: request.entry.to_vec(),
    };
    let mut fields = doc! {
        "function": key.scope().to_string(),
        "entry": entry,
        "version": random_id(),
        "size": i64::try_from(request.entry.len()).unwrap_or(i64::MAX),
        "created": DateTime::from_system_time(request.created),
    };
    match request.expires {
        Some(expires) => {
            fields.insert("drop_at", DateTime::from_system_time(expires));
            doc! { "$set": fields, "$unset": { "lease": "" } }
        }
        None => doc! { "$set": fields, "$unset": { "lease": "", "drop_at": "" } },
    }
}

/// Grants the lease if the entry is the one that was seen and nobody holds it. Otherwise changes nothing, which costs
/// the server no write.
pub(super) fn lease(
    key: &Key,
    owner: ObjectId,
    seen: Option<&EntryVersion>,
    period: Duration,
) -> Vec<Document> {
    let seen = seen.map_or(Bson::Null, version);
    let is_seen = doc! { "$eq": [{ "$ifNull": ["$version", null] }, seen] };
    // A missing date is less than any other.
    let is_free = doc! { "$lte": ["$lease.until", "$$NOW"] };
    let is_granted = doc! { "$and": [is_seen, is_free] };
    let granted = doc! { "owner": owner, "until": after(period) };
    vec![doc! { "$set": {
        "function": key.scope().to_string(),
        "lease": { "$cond": [is_granted.clone(), granted, "$lease"] },
        "drop_at": { "$cond": [is_granted, drop_at(period), "$drop_at"] },
    } }]
}

/// Grants the lease, held or not.
pub(super) fn take_over(key: &Key, owner: ObjectId, period: Duration) -> Vec<Document> {
    vec![doc! { "$set": {
        "function": key.scope().to_string(),
        "lease": { "owner": owner, "until": after(period) },
        "drop_at": drop_at(period),
    } }]
}

/// Removes the entry, and keeps the lease.
pub(super) fn vacate() -> Vec<Document> {
    vec![
        doc! { "$unset": ["entry", "version", "size", "created"] },
        doc! { "$set": { "drop_at": { "$add": ["$lease.until", MIN_RETENTION_MILLIS] } } },
    ]
}

/// Renews a lease.
pub(super) fn renew(period: Duration) -> Vec<Document> {
    vec![doc! { "$set": { "lease.until": after(period), "drop_at": drop_at(period) } }]
}

/// When the server may drop a leased document: not before the lease has ended, even if the entry expires earlier (its
/// header keeps it from being served). An entry that never expires stays.
fn drop_at(period: Duration) -> Document {
    let end = doc! { "$add": ["$$NOW", millis(period) + MIN_RETENTION_MILLIS] };
    let is_there = |field| doc! { "$ne": [{ "$type": field }, "missing"] };
    let never_expires = doc! { "$and": [is_there("$version"), { "$not": [is_there("$drop_at")] }] };
    // A missing date is ignored.
    doc! { "$cond": [never_expires, "$drop_at", { "$max": ["$drop_at", end] }] }
}

fn after(period: Duration) -> Document {
    doc! { "$add": ["$$NOW", millis(period)] }
}

fn millis(period: Duration) -> i64 {
    i64::try_from(period.as_millis()).unwrap_or(i64::MAX / 2)
}

/// A random id. The driver's own ids repeat in child processes.
pub(super) fn random_id() -> ObjectId {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&unique().to_be_bytes());
    bytes[8..].copy_from_slice(&unique().to_be_bytes()[..4]);
    ObjectId::from_bytes(bytes)
}

/// The version of an entry, as it is stored.
fn version(seen: &EntryVersion) -> Bson {
    match <[u8; 12]>::try_from(seen.as_bytes()) {
        Ok(bytes) => Bson::ObjectId(ObjectId::from_bytes(bytes)),
        // From another backend; matches no document.
        Err(_) => Bson::Boolean(false),
    }
}

pub(super) fn version_in(document: &Document) -> Option<EntryVersion> {
    let version = document.get_object_id("version").ok()?;
    Some(EntryVersion::new(version.bytes()))
}

/// Takes the entry out of a document.
pub(super) fn entry_in(document: &mut Document) -> Option<Vec<u8>> {
    match document.remove("entry") {
        Some(Bson::Binary(binary)) => Some(binary.bytes),
        _ => None,
    }
}

/// The owner of a document's lease.
pub(super) fn owner_in(document: &Document) -> Option<ObjectId> {
    document
        .get_document("lease")
        .ok()?
        .get_object_id("owner")
        .ok()
}
