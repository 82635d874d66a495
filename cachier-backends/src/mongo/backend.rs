//! The backend, as a program makes it.

use std::sync::Arc;

use mongodb::bson::Document;
use mongodb::{Client, Collection};

use super::connect::{self, Address, DEFAULT_DATABASE};
use super::operations::Mongo;
use super::requests::Requests;
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
/// Connects on first use.
pub struct MongoBackend {
    instance: Instance<Mongo>,
}

impl MongoBackend {
    /// The server of this address, `mongodb://…` or `mongodb+srv://…`, and the database that it names, else `cachier`.
    ///
    /// # Errors
    /// For any other URL. Whether the server exists is not checked.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        Self::from_url_and_collection(url, DEFAULT_COLLECTION)
    }

    /// Like [`from_url`](Self::from_url), with another collection than `cachier_entries`.
    ///
    /// # Errors
    /// As for [`from_url`](Self::from_url).
    pub fn from_url_and_collection(url: &str, collection: &str) -> Result<Self, Error> {
        let address = Arc::new(Address::parse(url, collection)?);
        Ok(Mongo::at(address, WaitReporter::default()).into())
    }

    /// The program's own client, with the database `cachier` and the collection `cachier_entries`, whose
    /// [indexes](Self::create_indexes) the program creates.
    ///
    /// The client belongs to the tokio runtime in which it is passed here: a multi-thread runtime serves every kind of
    /// caller, a current-thread runtime all but synchronous callers on its own thread, who get an error at once. After
    /// the runtime has ended all calls fail, as the driver monitors its servers there. Forked child processes get
    /// errors at once.
    ///
    /// ```no_run
    /// use cachier_backends::mongo::MongoBackend;
    ///
    /// # async fn connect() -> Result<MongoBackend, Box<dyn std::error::Error>> {
    /// let client = mongodb::Client::with_uri_str("mongodb://127.0.0.1:27017").await?;
    /// let backend = MongoBackend::with_client(client);
    /// backend.create_indexes().await?;
    /// Ok(backend)
    /// # }
    /// ```
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

    /// The program's own collection, which should hold nothing else. The program creates its
    /// [indexes](Self::create_indexes).
    ///
    /// The client belongs to the tokio runtime in which it is passed here: a multi-thread runtime serves every kind of
    /// caller, a current-thread runtime all but synchronous callers on its own thread, who get an error at once. After
    /// the runtime has ended all calls fail, as the driver monitors its servers there. Forked child processes get
    /// errors at once.
    ///
    /// ```no_run
    /// use cachier_backends::mongo::MongoBackend;
    ///
    /// # async fn connect() -> mongodb::error::Result<MongoBackend> {
    /// let client = mongodb::Client::with_uri_str("mongodb://127.0.0.1:27017").await?;
    /// Ok(MongoBackend::with_collection(client.database("app").collection("cache")))
    /// # }
    /// ```
    #[must_use]
    #[doc(alias = "mongetter")]
    pub fn with_collection(collection: Collection<Document>) -> Self {
        let store_name = format!("mongodb, {}", collection.namespace());
        let clients = Clients::of_program(collection);
        Mongo::new(None, store_name, Arc::default(), clients).into()
    }

    /// Creates missing indexes; a backend [from a URL](Self::from_url) does so when it connects.
    ///
    /// They are `{function: 1, created: 1, size: 1}`, for clean-ups and figures, and `{drop_at: 1}` with
    /// `expireAfterSeconds` 0, for expiry.
    ///
    /// # Errors
    /// When the server is unreachable or refuses, or an index with the same keys or name has other options: it is kept,
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
