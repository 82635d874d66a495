//! Redis: a single server, one with Sentinel, and a cluster.

mod certificate;
mod cluster;
mod installed;
mod sentinel;
mod single;
mod tls;

pub use cluster::{
    Cluster, USER_OF_CLUSTER, start_cluster, start_cluster_with_password,
    start_cluster_with_replicas, start_cluster_with_tls,
};
pub use sentinel::{Watched, start_watched};
pub use single::{start, start_or_fetch, start_private, start_valkey};
pub use tls::{Tls, start_tls};
