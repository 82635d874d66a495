//! Results that cannot be kept in memory: one error for each, at its type.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

use cachier::cachier;

struct Page;

#[cachier(backend = "memory")]
fn of_one_thread(id: u64) -> Rc<u64> {
    Rc::new(id)
}

#[cachier(backend = "memory")]
async fn of_one_thread_async(id: u64) -> Rc<u64> {
    Rc::new(id)
}

#[cachier(backend = "memory")]
fn without_clone(id: u64) -> Page {
    let _ = id;
    Page
}

#[cachier(backend = "memory")]
async fn without_clone_async(id: u64) -> Page {
    let _ = id;
    Page
}

#[cachier(backend = "memory", stale_after = "1m", next_time)]
async fn in_background(id: u64) -> Page {
    let _ = id;
    Page
}

#[cachier(backend = "memory")]
fn fallible(id: u64) -> Result<Page, Box<dyn Error>> {
    let _ = id;
    Ok(Page)
}

#[cachier(backend = "memory", allow_none)]
fn optional(id: u64) -> Option<Page> {
    (id > 0).then_some(Page)
}

#[cachier(backend = "memory")]
fn cell(id: u64) -> RefCell<u64> {
    RefCell::new(id)
}

#[cachier(backend = "memory")]
fn mutex(id: u64) -> Mutex<u64> {
    Mutex::new(id)
}

#[cachier(backend = "memory")]
fn closure(id: u64) -> Box<dyn Fn() -> u64> {
    Box::new(move || id)
}

#[cachier(backend = "memory")]
fn trait_object(id: u64) -> Box<dyn Error + Send + Sync> {
    id.to_string().into()
}

#[cachier(backend = "memory", capacity_bytes = "1MB")]
fn unmeasured(id: u64) -> Rc<u64> {
    Rc::new(id)
}

#[derive(Clone)]
struct Sheet;

#[cachier(backend = "memory", entry_size_limit = "1MB")]
fn without_serde(id: u64) -> Sheet {
    let _ = id;
    Sheet
}

#[cachier(backend = "memory")]
fn generic<T: Default>(id: u64) -> T {
    let _ = id;
    T::default()
}

#[cachier(backend = "memory", companion = false)]
fn alone(id: u64) -> Page {
    let _ = id;
    Page
}

struct Service;

impl Service {
    #[cachier(backend = "memory", skip(self))]
    fn method(&self, id: u64) -> Page {
        let _ = id;
        Page
    }

    #[cachier(backend = "memory", skip(self))]
    async fn method_async(&self, id: u64) -> Result<Page, Box<dyn Error + Send + Sync>> {
        let _ = id;
        Ok(Page)
    }
}

fn age_of(page: &Page) -> Duration {
    let Page = page;
    Duration::from_secs(1)
}

#[cachier(backend = "memory", stale_after = |page| age_of(page))]
fn with_own_limit(id: u64) -> Page {
    let _ = id;
    Page
}

#[cachier(backend = "memory", companion = false, stale_after = |page| age_of(page))]
async fn with_own_limit_alone(id: u64) -> Page {
    let _ = id;
    Page
}

fn main() {}
