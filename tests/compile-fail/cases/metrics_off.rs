//! Only a function with `enable_metrics` has metrics.

use cachier::cachier;

#[cachier(backend = "memory")]
fn unmeasured(id: u64) -> u64 {
    id
}

struct Service;

impl Service {
    #[cachier(backend = "memory", skip(self))]
    fn unmeasured(&self, id: u64) -> u64 {
        id
    }
}

fn main() {
    unmeasured::metrics();
    Service::unmeasured_cache().metrics();
}
