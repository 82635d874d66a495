//! The StatsD exporter: differences in small packets, over UDP or a Unix socket.
//!
//! Not by the crate `cadence`, which sends each value as it comes: what is sent here was added up before.

mod builder;
mod exporter;
mod lines;
mod packets;
mod sender;
mod socket;

pub use self::builder::StatsdBuilder;
pub use self::exporter::StatsdExporter;
pub use self::lines::StatsdDialect;
