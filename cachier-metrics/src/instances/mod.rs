//! The figures of one process as bytes, in files and in shared stores, and what they give together. Pure.

mod change;
mod cluster;
#[cfg(all(test, not(shuttle)))]
mod cluster_model;
#[cfg(all(test, not(shuttle)))]
mod cluster_tests;
mod figures;
mod file;
#[cfg(all(test, not(shuttle)))]
mod file_tests;
mod history;
#[cfg(all(test, not(shuttle)))]
mod history_tests;
#[cfg(feature = "_json")]
mod json;
mod ledger;
mod publication;
mod publisher;
#[cfg(all(test, not(shuttle)))]
mod publisher_tests;
#[cfg(all(test, not(shuttle)))]
mod sample;
mod stats;
mod stores;
#[cfg(all(test, not(shuttle)))]
mod stores_tests;
#[cfg(all(test, not(shuttle)))]
mod tests;
mod trail;

pub use self::cluster::{Cluster, ClusterFigures, InstanceState};
pub use self::figures::{FunctionFigures, InstanceFigures};
pub use self::file::MetricsFile;
pub use self::history::{EndedHistory, History, InstanceHistory};
pub use self::ledger::{Ledger, Tombstone};
pub use self::publication::{Header, InstanceId, Publication, Unreadable};
pub use self::publisher::{Form, Publisher};
pub use self::stats::{ClusterStats, InstanceStats};
pub use self::trail::{Step, Trail};
