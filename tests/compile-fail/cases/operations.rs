//! Wrong uses of a companion. Most are for the compiler to word, as they are with any function.

use cachier::{Error, cachier};

#[cachier(backend = "memory")]
fn price(id: u64, shop: &str) -> Option<u64> {
    id.checked_add(shop.len() as u64)
}

#[cachier(backend = "memory")]
async fn user(id: u64) -> u64 {
    id
}

struct Service;

impl Service {
    #[cachier(backend = "memory", skip(self))]
    fn method(&self, id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory", skip(self))]
    async fn asynchronous(&self, id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory", companion = false, skip(self))]
    fn alone(&self, id: u64) -> u64 {
        id
    }
}

mod other {
    #[cachier::cachier(backend = "memory")]
    fn private(id: u64) -> u64 {
        id
    }
}

fn of_functions() -> Result<(), Error> {
    price.clear_cache()?;
    price::invalidate(1)?;
    price::invalidate("1", "tea")?;
    price::invalidate(1, String::from("tea"))?;
    price::precache_value(1, "tea", Some(3))?;
    price::call_with(1, "tea");
    price::clear_cache("tea")?;
    let _: u64 = price::peek(1, "tea")?;
    if price::invalidate(1, "tea") {}
    other::private::clear_cache()?;
    Ok(())
}

fn by_other_names() {
    price::clear();
    price::cache_clear();
    price::remove(1, "tea");
    price::get(1, "tea");
    price::insert(1, "tea", 3);
    price::stats();
    price::set(1, "tea", 3);
    price::delete(1, "tea");
    price::size();
}

async fn of_futures() -> Result<(), Error> {
    user::invalidate(1)?;
    user(1).invalidate().await?;
    price::clear_cache().await?;
    Ok(())
}

fn of_methods() {
    let _ = Service::method_cache().invalidate(1);
    let _ = Service::method_cache().invalidate(&Service, "1");
    let _ = Service.method_cache().clear_cache();
    let _ = Service::method::clear_cache();
    let _ = Service::alone_cache().clear_cache();
    let _ = Service::method_cache().cache_dir();
    let _ = Service::asynchronous_cache().cache_dir();
}

fn main() {}
