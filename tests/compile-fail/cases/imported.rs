//! A function with the name of its module, brought in beside that: `companion = other` gives the companion another name.

mod user {
    #[cachier::cachier]
    pub fn user(id: u64) -> u64 {
        id
    }
}

pub use user::user;

mod price {
    #[cachier::cachier(companion = price_cache)]
    pub fn price(id: u64) -> u64 {
        id
    }
}

pub use price::{price, price_cache};

fn main() {
    let _ = price_cache::invalidate(user(price(1)));
}
