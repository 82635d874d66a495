//! A type, a module or a primitive of the function's name stands where the companion would be.

use cachier::cachier;

mod user {
    pub fn load() {}
}

#[cachier]
fn user(id: u64) -> u64 {
    id
}

#[allow(non_camel_case_types)]
struct price(u64);

#[cachier(companion = price)]
fn cost(id: u64) -> u64 {
    id
}

#[cachier]
async fn str(id: u64) -> u64 {
    id
}

#[allow(non_camel_case_types)]
enum tax {
    Low,
}

#[cachier]
fn tax(id: u64) -> u64 {
    id
}

fn main() {
    let _ = tax::Low;
    user::load();
    let _ = price(cost(user(1))).0;
    let _ = str(1);
}
