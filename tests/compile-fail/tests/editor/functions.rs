//! Functions as somebody writes them, some of them not to the end.

use std::time::Duration;

use cachier::cachier;

/// The price of an item.
#[cachier(backend = "memory")]
pub fn price(item: &str, shop: u64) -> u64 {
    item.len() as u64 + shop
}

/// A user.
#[cachier(enable_metrics, stale_after = "10m", next_time)]
pub async fn user(id: u64) -> Option<User> {
    let found = User { age: id };
    Some(found)
}

pub struct User {
    pub age: u64,
}

/// Anything.
#[cachier(backend = "memory", skip(other), cache_if = |length| *length > 3)]
pub fn generic<T>(text: &str, other: &T) -> u64 {
    let _ = other;
    text.len() as u64
}

#[derive(Clone)]
pub struct Visitor {
    pub stay: Duration,
}

/// Each for its own time.
#[cachier(backend = "memory", stale_after = |visitor| visitor.stay)]
pub fn staying(hours: u32) -> Visitor {
    let stay = Duration::from_secs(3600) * hours;
    Visitor { stay }
}

/// By its length.
#[cachier(backend = "memory", key = |words| words.len())]
pub fn keyed(words: &str) -> u64 {
    words.len() as u64
}

/// Under another name.
#[cachier(backend = "memory", companion = named_cache)]
pub fn named(number: u64) -> u64 {
    number
}

pub struct Service {
    pub tenant: u64,
}

impl Service {
    /// A method.
    #[cachier(backend = "memory", skip(self))]
    pub fn method(&self, id: u64) -> u64 {
        self.tenant + id
    }

    /// An async one.
    #[cachier(skip(self))]
    pub async fn asynchronous(&self, id: u64) -> u64 {
        self.tenant + id
    }

    /// An associated one.
    #[cachier(backend = "memory", in_impl)]
    pub fn associated(id: u64) -> u64 {
        id
    }
}

pub trait Lookup {
    /// In a trait.
    fn lookup(&self, id: u64) -> u64;
}

#[cachier::methods]
impl Lookup for Service {
    #[cachier(backend = "memory", skip(self))]
    fn lookup(&self, id: u64) -> u64 {
        let sum = self.tenant + id;
        sum
    }
}

/// Half typed.
#[cachier(backend = "memory")]
pub fn half_typed(id: u64) -> u64 {
    let guest = User { age: id };
    guest.
}

/// With a fault in its attribute.
#[cachier(backend = "memory", stale_affter = "10m")]
pub fn faulty(id: u64) -> u64 {
    let guest = User { age: id };
    guest.age
}

pub async fn uses(service: &Service) -> Result<(), cachier::Error> {
    let cost = price("tea", 3);
    price::invalidate("tea", cost)?;
    let someone = user(3).await;
    user::peek(3).await?;
    user::metrics();
    generic("tea", &someone);
    generic::clear_cache()?;
    keyed("tea");
    keyed::usage()?;
    named(3);
    named_cache::handle();
    service.method(4);
    Service::method_cache().peek(service, 4)?;
    service.asynchronous(4).await;
    Service::asynchronous_cache().clear_cache().await?;
    Service::associated(4);
    Service::associated_cache().usage()?;
    service.lookup(5);
    Service::lookup_cache().invalidate(service, 5)?;
    half_typed(6);
    half_typed::usage()?;
    faulty(7);
    service.
    Ok(())
}

pub fn completes() {
    price::
}
