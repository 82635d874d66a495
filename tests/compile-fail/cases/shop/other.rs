//! What is brought in with all else is no clash.

#[cachier::cachier]
pub fn other(id: u64) -> u64 {
    id
}
