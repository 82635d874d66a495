//! Entries on a Redis or Valkey server, shared by machines.
//!
//! # What is on the server
//! The entries of a function are spread over 16 *shards*, each in one slot of a cluster. All names of a shard begin
//! with `cachier:{cachier/2/{namespace}/{function}#{shard}}`:
//!
//! | name | what |
//! |---|---|
//! | `…/{version}/{hash}` | an entry: a string, with a native expiry if its value has one |
//! | `…/lease/{version}/{hash}` | a lease: the generation it belongs to and its owner's token, with a native expiry |
//! | `…/generation` | a mark that is renewed when leases are cleared: a lease of another generation is not valid any more |
//! | `…/index`, `…/expiry`, `…/sizes` | the books: when each entry was created, when it expires, how large it is |
//!
//! An entry, its lease and its books change together, in scripts; what they change is published on
//! `cachier:changes/cachier/2/{namespace}/{function}`. A hit is one `GET`; where many wait already, on a connection to a
//! single server, it is written together with those of others.
//!
//! While a cluster moves a slot to another node, it refuses the scripts of that slot, which are tried again until all has
//! moved; hits go on.
//!
//! The server should have a `maxmemory-policy` of `noeviction`. Any other may drop the books, which expire with the last of
//! their entries, and then [`clear`](crate::Backend::clear) does not find all entries and [`usage`](crate::Backend::usage) counts too few;
//! or leases, and then something is computed twice.

mod address;
mod all_shards;
mod error;
mod link;
mod names;
mod operations;
mod scripts;
mod single;
mod source;
mod stall;
mod subscribe;

use std::sync::Arc;

use redis::Client;
use redis::aio::ConnectionManager;

use self::link::Link;
use self::operations::Redis;
use self::source::Source;
use crate::backend::{Instance, backend_by_instance, instance};
use crate::error::Error;
use crate::network::Clients;

/// Entries on a Redis or Valkey server: a single one, a master that Sentinel watches, or a cluster.
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
/// It connects when it is first used, with one connection for each tokio runtime and one more for notifications.
pub struct RedisBackend {
    instance: Instance<Redis>,
}

impl RedisBackend {
    /// The server, the master or the cluster that a URL names.
    ///
    /// - `redis://user:password@host:6379/0` for a single server, `rediss://…` with TLS;
    /// - `redis+sentinel://user:password@host:26379,host:26379/master/0`, the credentials being those of the master;
    /// - `redis+cluster://user:password@host:6379,host:6379`.
    ///
    /// TLS trusts the certificates that the operating system trusts, and uses the cryptography that the program chose
    /// for rustls, else that of ring.
    ///
    /// # Errors
    /// For a URL that is none of these. Whether the server is there is not looked at.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let (source, name) = address::parse(url)?;
        Ok(Redis::new(source, name).into())
    }

    /// The server of the program's own client, from which connections are made.
    #[must_use]
    #[doc(alias = "redis_client")]
    pub fn with_client(client: Client) -> Self {
        let name = address::name_of(client.get_connection_info());
        Redis::new(Source::Single(client), name).into()
    }

    /// The server of the program's own connection, which all runtimes share.
    ///
    /// It does not notify: those that wait for another's computation ask again and again, and near tiers learn of
    /// changes by the age of what they hold. Its response timeout bounds what an operation takes.
    ///
    /// It belongs to the tokio runtime in which it is handed over: one with several threads serves every kind of caller,
    /// one with a single thread all but synchronous callers on that very thread, who get an error at once. When that
    /// has ended, it connects anew on the runtime of whoever asks, after an error for the first. And it belongs to this
    /// process: children that it forks get an error at once.
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
