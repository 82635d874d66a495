//! The cached functions: ours and those of the peers, side by side for each kind of call.
//!
//! For ours, the metrics setting is given; for peers, `hits` if they count hits and misses, else `none`. All maps use
//! their library's default hasher, except for the floor.

pub mod asynchronous;
pub mod files;
pub mod numbers;
pub mod pairs;
mod shared;
pub mod sizes;
pub mod words;

pub use shared::{CAPACITY, computed};
