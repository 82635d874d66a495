//! Benches of cachier beside its peers.
//!
//! The hits of many libraries are timed in turns, in one process and round by round, so that the machine's moods fall on
//! all of them alike: the ratio of two subjects says more than any absolute figure.
//!
//! - `hits`: nanoseconds for each hit, ratios to the peers, and the limits that they are held to.
//! - `allocations`: what a hit allocates.
//! - `instructions`: instructions for each hit, repeatable, held to committed figures.
//! - `footprint`: build time and size of a program with 200 cached functions; slow, so it runs on request only.
//!
//! `CACHIER_BENCH=quick cargo bench` runs everything briefly and judges no timing.

pub mod case;
pub mod harness;
pub mod machine;
pub mod report;
pub mod subjects;
pub mod workload;
