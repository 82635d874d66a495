//! `#[cachier::methods]` goes on an impl with cached methods, whose companions need names and places.

use cachier::cachier;

struct Shop;

#[cachier::methods]
fn alone() {}

#[cachier::methods]
struct Other;

#[cachier::methods]
trait Prices {
    fn price(&self, id: u64) -> u64;
}

#[cachier::methods]
impl Shop {
    fn uncached() {}
}

#[cachier::methods(pub(crate))]
impl Shop {
    #[cachier(backend = "memory")]
    fn visible(id: u64) -> u64 {
        id
    }
}

#[cachier::methods(backend = "memory")]
impl Shop {
    #[cachier]
    fn misplaced(id: u64) -> u64 {
        id
    }
}

#[cachier::methods]
impl Shop {
    #[cachier(backend = "memory", companion = twice)]
    fn first(id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory", companion = twice)]
    fn second(id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory")]
    fn third(id: u64) -> u64 {
        id
    }

    fn third_cache() {}
}

struct Stall;

#[cachier::methods]
impl Stall {
    #[cachier(backend = "memory")]
    fn same(id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory")]
    fn same(id: u64) -> u64 {
        id
    }
}

#[cachier::methods]
impl Prices for Shop {
    #[cachier(backend = "memory", ttl = 3)]
    fn price(&self, id: u64) -> u64 {
        id
    }
}

trait More: Iterator {
    fn shown(&self, text: impl AsRef<str>) -> u64;
    fn last_of(&mut self, id: u64) -> Option<Self::Item>;
}

#[cachier::methods]
impl<T: Iterator<Item = u64>> More for T {
    #[cachier(backend = "memory", key = |text| text.as_ref().to_owned())]
    fn shown(&self, text: impl AsRef<str>) -> u64 {
        text.as_ref().len() as u64
    }

    #[cachier(backend = "memory", skip(self))]
    fn last_of(&mut self, id: u64) -> Option<Self::Item> {
        self.nth(id as usize)
    }
}

trait Late {
    fn late(&self) -> u64;
}

#[cachier::methods]
impl Late for std::time::Duration {
    #[cachier(backend = "memory", key = |self| *self)]
    fn late(&self) -> u64 {
        self.as_secs()
    }
}

mod imported {
    use std::time::Duration;

    use super::Late;

    trait Later {
        fn later(&self) -> u64;
    }

    #[cachier::methods]
    impl Later for Duration {
        #[cachier::cachier(backend = "memory", key = |self| *self)]
        fn later(&self) -> u64 {
            self.late()
        }
    }
}

fn main() {
    let _ = Shop::price_cache().invalidate(&Shop, 3);
    let _ = Shop::third_cache();
}
