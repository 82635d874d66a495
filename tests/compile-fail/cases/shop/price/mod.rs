//! In a folder.

use cachier::cachier;

#[cachier]
pub fn price(id: u64) -> u64 {
    id
}
