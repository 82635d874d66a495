//! Entries in a MongoDB collection, shared by machines.
//!
//! One document for each key holds the entry and the lease on it, so that each change is one request that the server
//! carries out as a whole. Two indexes besides that of the keys: by function and age, which clean-ups and figures use
//! without reading documents, and one by which the server drops what has expired.
//!
//! The server takes documents of 16 MiB; larger entries are refused ([`StoreReply::TooLarge`](crate::StoreReply::TooLarge)).

mod connect;
mod documents;
mod error;
mod operations;
mod requests;

use std::sync::Arc;

use mongodb::bson::Document;
use mongodb::{Client, Collection};

use self::connect::{Address, DEFAULT_DATABASE};
use self::operations::Mongo;
use self::requests::Requests;
use crate::backend::{Instance, backend_by_instance, instance};
use crate::error::{Error, Operation};
use crate::network::{Clients, WaitReporter};

const DEFAULT_COLLECTION: &str = "cachier_entries";

/// Entries in a MongoDB collection.
///
/// ```
/// use cachier_backends::Backend;
/// use cachier_backends::mongo::MongoBackend;
///
/// let backend = MongoBackend::from_url("mongodb://app:secret@127.0.0.1:27017/caches")?;
/// assert_eq!(backend.store_name(), "mongodb://127.0.0.1:27017/caches.cachier_entries");
/// # Ok::<(), cachier_backends::Error>(())
/// ```
///
/// It connects when it is first used.
pub struct MongoBackend {
    instance: Instance<Mongo>,
}

impl MongoBackend {
    /// The server of this address, `mongodb://…` or `mongodb+srv://…`, and the database that it names, else `cachier`.
    ///
    /// # Errors
    /// For an address that is none of these. Whether the server is there is not looked at.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        Self::from_url_and_collection(url, DEFAULT_COLLECTION)
    }

    /// The same, with another collection than `cachier_entries`.
    ///
    /// # Errors
    /// As for [`from_url`](Self::from_url).
    pub fn from_url_and_collection(url: &str, collection: &str) -> Result<Self, Error> {
        let address = Arc::new(Address::parse(url, collection)?);
        Ok(Mongo::at(address, WaitReporter::default()).into())
    }

    /// The program's own client, the database `cachier` and the collection `cachier_entries`, whose
    /// [indexes](Self::create_indexes) are the program's to make.
    ///
    /// It belongs to the tokio runtime in which it is handed over: one with several threads serves every kind of caller,
    /// one with a single thread all but synchronous callers on that very thread, who get an error at once. When that
    /// has ended, all get errors: the driver watches its servers there. And it belongs to this process: children that it
    /// forks get an error at once.
    #[must_use]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "as every other backend takes a client"
    )]
    pub fn with_client(client: Client) -> Self {
        Self::with_collection(
            client
                .database(DEFAULT_DATABASE)
                .collection(DEFAULT_COLLECTION),
        )
    }

    /// The program's own collection, which should hold nothing else. Its [indexes](Self::create_indexes) are the program's
    /// to make.
    ///
    /// It belongs to the tokio runtime in which it is handed over: one with several threads serves every kind of caller,
    /// one with a single thread all but synchronous callers on that very thread, who get an error at once. When that
    /// has ended, all get errors: the driver watches its servers there. And it belongs to this process: children that it
    /// forks get an error at once.
    #[must_use]
    pub fn with_collection(collection: Collection<Document>) -> Self {
        let store_name = format!("mongodb, {}", collection.namespace());
        let clients = Clients::of_program(collection);
        Mongo::new(None, store_name, Arc::default(), clients).into()
    }

    /// Creates the indexes where they are missing; a backend [from a URL](Self::from_url) does so when it connects.
    ///
    /// They are `{function: 1, created: 1, size: 1}`, which clean-ups and figures use, and `{drop_at: 1}` with an
    /// `expireAfterSeconds` of 0, by which the server drops what has expired.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses, or an index of the same keys or name has other options: that one stays,
    /// and the backend works with it. A user who may not create indexes is no error.
    pub async fn create_indexes(&self) -> Result<(), Error> {
        let prepare = |requests: Requests| async move { connect::prepare(requests.send()).await };
        self.instance.run(Operation::Store, prepare).await
    }
}

impl From<Mongo> for MongoBackend {
    fn from(mongo: Mongo) -> Self {
        let instance = instance(mongo);
        Self { instance }
    }
}

backend_by_instance!(MongoBackend);
