//! Results that cannot be stored: one error for each, at its type.

use std::error::Error;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use cachier::cachier;

struct Page;

#[cachier]
fn without_serde(id: u64) -> Page {
    let _ = id;
    Page
}

#[cachier]
async fn without_serde_async(id: u64) -> Page {
    let _ = id;
    Page
}

#[cachier(stale_after = "1m", next_time)]
fn in_background(id: u64) -> Page {
    let _ = id;
    Page
}

#[cachier(near_cache = 100)]
fn near(id: u64) -> Page {
    let _ = id;
    Page
}

#[cachier(near_cache = 100)]
async fn near_of_one_thread(id: u64) -> Result<Rc<u64>, Box<dyn Error + Send + Sync>> {
    Ok(Rc::new(id))
}

#[cachier]
fn fallible(id: u64) -> Result<Vec<Page>, Box<dyn Error>> {
    Ok(vec![Page; id as usize])
}

#[cachier(allow_none)]
fn optional(id: u64) -> Option<Page> {
    (id > 0).then_some(Page)
}

#[cachier]
fn moment(id: u64) -> Instant {
    let _ = id;
    Instant::now()
}

#[cachier]
fn shared(id: u64) -> Mutex<Page> {
    let _ = id;
    Mutex::new(Page)
}

#[cachier]
fn borrowing(id: u64) -> &'static [Page] {
    let _ = id;
    &[]
}

#[cachier]
fn trait_object(id: u64) -> Box<dyn Error + Send + Sync> {
    id.to_string().into()
}

#[cachier]
fn generic<T: Default>(id: u64) -> T {
    let _ = id;
    T::default()
}

#[cachier(companion = false)]
fn alone(id: u64) -> Page {
    let _ = id;
    Page
}

struct Service;

impl Service {
    #[cachier(skip(self))]
    fn method(&self, id: u64) -> Page {
        let _ = id;
        Page
    }

    #[cachier(skip(self))]
    async fn method_async(&self, id: u64) -> Page {
        let _ = id;
        Page
    }
}

impl Clone for Page {
    fn clone(&self) -> Self {
        Page
    }
}

fn age_of(page: &Page) -> Duration {
    let Page = page;
    Duration::from_secs(1)
}

#[cachier(stale_after = |page| age_of(page))]
fn with_own_limit(id: u64) -> Page {
    let _ = id;
    Page
}

#[cachier(companion = false, stale_after = |page| age_of(page))]
async fn with_own_limit_alone(id: u64) -> Page {
    let _ = id;
    Page
}

fn main() {}
