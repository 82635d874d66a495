//! All faults are reported together, and hide none of the compiler's own: the function and its companion still exist.

use cachier::cachier;

#[cachier(stale_affter = "10m", backend = "rediss", capacity = "x")]
pub fn user(id: &str) -> &str {
    id
}

fn main() {
    let _ = user("3");
    let _ = user::invalidate("3");
    let _ = user::clear_cache();
}
