//! The backend, as a program makes it.

use std::sync::Arc;

use redis::Client;
use redis::aio::ConnectionManager;

use super::address;
use super::link::Link;
use super::operations::Redis;
use super::source::Source;
use crate::backend::{Instance, backend_by_instance, instance};
use crate::error::Error;
use crate::network::Clients;

/// Entries on a Redis or Valkey server: a single one, a master monitored by Sentinel, or a cluster.
///
/// ```
/// use cachier_backends::Backend;
/// use cachier_backends::redis::RedisBackend;
///
/// let backend = RedisBackend::from_url("redis://:secret@127.0.0.1:6379/2")?;
/// assert_eq!(backend.store_name(), "redis://127.0.0.1:6379/2");
/// # Ok::<(), cachier_backends::Error>(())
/// ```
///
/// Connects on first use, with one connection per tokio runtime and one more for notifications.
pub struct RedisBackend {
    instance: Instance<Redis>,
}

impl RedisBackend {
    /// The server, master or cluster of a URL.
    ///
    /// - `redis://user:password@host:6379/0` for a single server, `rediss://…` with TLS;
    /// - `redis+sentinel://user:password@host:26379,host:26379/master/0`, with the credentials of the master;
    /// - `redis+cluster://user:password@host:6379,host:6379`.
    ///
    /// TLS trusts the operating system's certificates, and uses the cryptography that the program chose for rustls,
    /// else ring.
    ///
    /// # Errors
    /// For any other URL. Whether the server exists is not checked.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let (source, name) = address::parse(url)?;
        Ok(Redis::new(source, name).into())
    }

    /// The server of the program's own client, from which connections are made.
    ///
    /// ```
    /// use cachier_backends::clients::redis::{Client, RedisError};
    /// use cachier_backends::redis::RedisBackend;
    ///
    /// let client = Client::open("redis://127.0.0.1:6379/2")?;
    /// let backend = RedisBackend::with_client(client);
    /// # drop(backend);
    /// # Ok::<(), RedisError>(())
    /// ```
    #[must_use]
    #[doc(alias = "redis_client")]
    pub fn with_client(client: Client) -> Self {
        let name = address::name_of(client.get_connection_info());
        Redis::new(Source::Single(client), name).into()
    }

    /// The server of the program's own connection, shared by all runtimes.
    ///
    /// It does not notify: those that wait for a computation elsewhere poll, and near tiers notice changes only by the
    /// age of their entries. Its response timeout bounds the time of an operation.
    ///
    /// The connection belongs to the tokio runtime in which it is passed here: a multi-thread runtime serves every kind
    /// of caller, a current-thread runtime all but synchronous callers on its own thread, who get an error at once.
    /// After the runtime has ended, it reconnects on the callers' runtimes, after one error. Forked child processes get
    /// errors at once.
    ///
    /// ```no_run
    /// use cachier_backends::redis::RedisBackend;
    ///
    /// # async fn connect() -> Result<RedisBackend, redis::RedisError> {
    /// let client = redis::Client::open("redis://127.0.0.1:6379/2")?;
    /// let manager = client.get_connection_manager().await?;
    /// Ok(RedisBackend::with_connection_manager(manager))
    /// # }
    /// ```
    #[must_use]
    #[doc(alias = "redis_client")]
    pub fn with_connection_manager(manager: ConnectionManager) -> Self {
        let server = Redis::server(
            Source::Manager(manager),
            "redis, a connection of the program".to_owned(),
        );
        let clients = Clients::of_program(Link::new(Arc::clone(&server)));
        Redis::of(server, clients).into()
    }
}

impl From<Redis> for RedisBackend {
    fn from(redis: Redis) -> Self {
        let instance = instance(redis);
        Self { instance }
    }
}

backend_by_instance!(RedisBackend);
