//! `#[tracing::instrument]` above `#[cachier]`, which then finds the span in the body.

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

fn main() {
    let _ = (instrumented(1), in_a_task(1), below(1));
}
