//! `#[tracing::instrument]` above `#[cachier]`, which then finds the span in the body, or in an annotated impl sees it there.

use cachier::cachier;

#[tracing::instrument]
#[cachier(backend = "memory")]
fn instrumented(id: u64) -> u64 {
    id
}

#[tracing::instrument(skip_all, name = "named")]
#[cachier(backend = "memory")]
async fn in_a_task(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory")]
#[tracing::instrument]
fn below(id: u64) -> u64 {
    id
}

struct Service;

trait Lookup {
    fn lookup(id: u64) -> u64;
}

#[cachier::methods]
impl Service {
    #[tracing::instrument]
    #[cachier(backend = "memory")]
    fn instrumented(id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory")]
    #[tracing::instrument]
    fn below(id: u64) -> u64 {
        id
    }

    #[must_use]
    #[another_macro]
    #[cachier(backend = "memory")]
    fn changed(id: u64) -> u64 {
        id
    }
}

#[cachier::methods]
impl Lookup for Service {
    #[tracing::instrument(skip_all)]
    #[cachier(backend = "memory")]
    fn lookup(id: u64) -> u64 {
        id
    }
}

fn main() {
    let _ = (instrumented(1), in_a_task(1), below(1));
    let _ = (Service::instrumented(1), Service::below(1));
    let _ = (Service::changed(1), Service::lookup(1));
}
