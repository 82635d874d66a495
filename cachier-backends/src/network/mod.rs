//! What the backends of networked stores share: where their I/O runs, and what they count and announce.

mod apart;
#[cfg(any(feature = "redis", feature = "postgres"))]
mod changes;
mod clients;
mod given;
mod lazily;
mod origin;
mod round_trips;
mod runtime;
#[cfg(any(
    feature = "redis",
    feature = "postgres",
    feature = "mysql",
    feature = "mongo"
))]
mod server_url;
#[cfg(any(feature = "redis", feature = "postgres"))]
mod subscription;
mod thread_homes;
mod under_way;
mod undo;
mod waits;

#[cfg(feature = "redis")]
pub(crate) use apart::apart;
#[cfg(any(feature = "redis", feature = "postgres"))]
pub(crate) use changes::Changes;
#[cfg(any(feature = "mongo", feature = "_sql"))]
pub(crate) use clients::Home;
pub(crate) use clients::{Clients, Unanswered};
#[cfg(feature = "_sql")]
pub(crate) use lazily::Lazily;
#[cfg(feature = "redis")]
pub(crate) use lazily::filled;
pub(crate) use round_trips::RoundTrips;
#[cfg(any(feature = "redis", feature = "postgres"))]
pub(crate) use runtime::AbortOnDrop;
#[cfg(any(feature = "redis", feature = "postgres", feature = "s3"))]
pub(crate) use runtime::spawn_on_own;
#[cfg(any(
    feature = "redis",
    feature = "postgres",
    feature = "mysql",
    feature = "mongo"
))]
pub(crate) use server_url::ServerUrl;
#[cfg(any(feature = "redis", feature = "postgres"))]
pub(crate) use subscription::{Audience, Pauses};
#[cfg(feature = "_sql")]
pub(crate) use under_way::to_the_end;
pub(crate) use undo::Undo;
pub(crate) use waits::Waits;
