//! Functions in impls that do not say so, and companions that the impl of a trait cannot hold.

use cachier::cachier;

struct Service;

impl Service {
    #[cachier]
    fn associated(id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory", stale_after = "1m")]
    pub async fn asynchronous(id: u64) -> u64 {
        id
    }
}

trait Lookup {
    fn lookup(&self, id: u64) -> u64;
    fn associated(id: u64) -> u64;
}

impl Lookup for Service {
    #[cachier(skip(self))]
    fn lookup(&self, id: u64) -> u64 {
        id
    }

    #[cachier(in_impl)]
    fn associated(id: u64) -> u64 {
        id
    }
}

#[cachier(backend = "memory", in_impl)]
fn free(id: u64) -> u64 {
    id
}

fn main() {
    let _ = <Service as Lookup>::associated(Service.lookup(Service::associated(1)));
    let _ = Service::associated_cache().invalidate(1);
    let _ = Service::asynchronous(1);
}
