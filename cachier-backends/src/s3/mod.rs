//! One object per entry, in a bucket of S3 or a compatible store.
//!
//! An object has the name of its key, `cachier/2/namespace/function/version/hash`, after the program's prefix if there
//! is one. Its `ETag` is the version of the entry, its metadata hold the time of creation.
//!
//! - A lease on an absent entry is a small object at the entry's name, put on condition that there is none. The entry
//!   replaces it on condition that it is unchanged.
//! - A lease on an entry is a small object next to it, with the suffix `.lease-` and the entry's `ETag`. The new entry
//!   replaces the old one on condition that it is unchanged.
//! - A hit is one request, a miss three. Replacing an entry takes five, load included: the entry's `ETag` is read again
//!   after the lease is granted, and the lease before the entry is stored. The lease's object is deleted in the
//!   background.
//! - Leases expire by the server's clock: its `Date` against the object's `Last-Modified`. Both are in seconds, so an
//!   owner that is gone costs up to two seconds more than its lease period.
//! - As properties of entries and leases are metadata, only loads download anything: cleaning up requests the head of
//!   each entry, sixteen at a time, and deletes old ones on condition that they are unchanged. Counting lists names and
//!   sizes.
//!
//! Entries do not expire by themselves, as S3 supports that for whole prefixes only; they are removed by cleaning up.
//!
//! The server must support conditional writes (`If-Match`, `If-None-Match`), as S3, MinIO, Ceph and R2 do.

mod backend;
mod bucket;
mod clock;
mod connect;
mod error;
mod leases;
mod listing;
mod names;
mod operations;
mod sdk;
mod store;

pub use backend::S3Backend;
