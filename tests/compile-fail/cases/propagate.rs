//! A backend's failure can be returned only as an error of the function.

use cachier::cachier;

struct Failure;

#[cachier(on_backend_error = "propagate")]
fn without_a_conversion(id: u64) -> Result<u64, Failure> {
    id.checked_add(1).ok_or(Failure)
}

#[cachier(on_backend_error = "propagate")]
fn without_an_error(id: u64) -> u64 {
    id
}

struct Page;

impl Clone for Page {
    fn clone(&self) -> Self {
        Self
    }
}

#[cachier(backend = "memory", on_backend_error = "propagate")]
async fn without_a_result(id: u64) -> Page {
    let _ = id;
    Page
}

fn main() {}
