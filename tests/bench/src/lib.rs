//! Benchmarks of cachier and its peers.
//!
//! The hits of many libraries are timed in turns, in one process and round by round, so that variations of the machine
//! affect all alike: ratios of subjects are more reliable than absolute figures.
//!
//! - `hits`: nanoseconds per hit, ratios to the peers, and their limits.
//! - `allocations`: allocations per hit.
//! - `instructions`: instructions per hit, reproducible, checked against committed figures.
//! - `misses`: nanoseconds per miss, with and without evictions, and a stampede; runs on request only.
//! - `memory`: bytes of the heap per entry, before and after clearing; runs on request only.
//! - `footprint`: build time and size of a program with 200 cached functions; slow, so it runs on request only.
//!
//! `CACHIER_BENCH=quick cargo bench` runs everything briefly and checks no timing.

pub mod case;
pub mod harness;
pub mod machine;
pub mod report;
pub mod subjects;
pub mod workload;
