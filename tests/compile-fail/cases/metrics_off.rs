//! Only a function with `enable_metrics` has metrics, and only one on the file backend has a folder.

use cachier::cachier;

#[cachier(backend = "memory")]
fn unmeasured(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory")]
fn generic<T: Into<u64> + std::hash::Hash + Eq + Clone + Send + Sync + 'static>(id: T) -> u64 {
    id.into()
}

struct Service;

impl Service {
    #[cachier(backend = "memory", skip(self))]
    fn unmeasured(&self, id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory", skip(self))]
    async fn asynchronous(&self, id: u64) -> u64 {
        id
    }
}

fn main() {
    unmeasured::metrics();
    generic::metrics();
    Service::unmeasured_cache().metrics();
    Service::asynchronous_cache().metrics();
    unmeasured::cache_dir();
}
