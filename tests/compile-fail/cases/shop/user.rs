//! In a file.

#[cachier::cachier]
pub fn user(id: u64) -> u64 {
    id
}
