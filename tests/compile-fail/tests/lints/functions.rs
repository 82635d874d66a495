//! Functions over which lints have something to say.
#![warn(
    clippy::all,
    clippy::nursery,
    clippy::pedantic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::shadow_reuse,
    clippy::shadow_same,
    clippy::shadow_unrelated,
    clippy::unwrap_used,
    missing_docs,
    single_use_lifetimes,
    unreachable_pub,
    unused_lifetimes,
    unused_qualifications
)]
#![allow(unused_imports)]

use std::collections::HashMap;
use std::sync::Mutex;

use cachier::cachier;

static LOG: Mutex<Vec<u64>> = Mutex::new(Vec::new());

async fn pause() {}

#[cachier(backend = "memory", refresh_after = cachier::Share::percent(80.0), jitter = cachier::Share::percent(8.0))]
pub fn too_many_arguments(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u64 {
    u64::from(a) + u64::from(b) + u64::from(c) + u64::from(d) + u64::from(e) + u64::from(f) + u64::from(g) + u64::from(h)
}

#[cachier(backend = "memory")]
pub async fn too_many_arguments_async(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u64 {
    pause().await;
    u64::from(a) + u64::from(b) + u64::from(c) + u64::from(d) + u64::from(e) + u64::from(f) + u64::from(g) + u64::from(h)
}

#[cachier(backend = "memory")]
pub fn needless_pass_by_value(text: String) -> usize {
    text.len()
}

#[cachier(backend = "memory")]
pub fn unused_variable(id: u64, other: u64) -> u64 {
    let local = 3;
    id
}

#[cachier(backend = "memory")]
pub async fn unused_variable_async(id: u64, other: u64) -> u64 {
    pause().await;
    id
}

#[cachier(backend = "memory")]
pub fn unused_mut(mut id: u64) -> u64 {
    let mut text = 3;
    id + text
}

#[cachier(backend = "memory")]
pub async fn unused_mut_async(mut id: u64) -> u64 {
    pause().await;
    id
}

#[cachier(backend = "memory")]
fn dead_code(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory")]
async fn dead_code_async(id: u64) -> u64 {
    pause().await;
    id
}

#[must_use]
#[cachier(backend = "memory")]
pub fn must_use_above(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory")]
#[must_use = "it is a number"]
pub fn must_use_below(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory")]
#[deprecated(note = "old")]
pub fn deprecated_function(id: u64) -> u64 {
    id
}

pub async fn callers() {
    must_use_above(1);
    must_use_below(1);
    deprecated_function(1);
    let _ = fallible(1);
    fallible(1);
    unused_mut_async(1);
}

#[cachier(backend = "memory")]
pub fn fallible(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[cachier(backend = "memory")]
pub fn ptr_arg(text: &String, list: &Vec<u64>) -> usize {
    text.len() + list.len()
}

#[cachier(backend = "memory")]
pub async fn ptr_arg_async(text: &String, list: &Vec<u64>) -> usize {
    pause().await;
    text.len() + list.len()
}

#[cachier(backend = "memory")]
pub fn let_and_return(id: u64) -> u64 {
    let value = id + 1;
    value
}

#[cachier(backend = "memory")]
pub async fn let_and_return_async(id: u64) -> u64 {
    pause().await;
    let value = id + 1;
    value
}

#[cachier(backend = "memory")]
pub fn needless_return(id: u64) -> u64 {
    return id;
}

#[cachier(backend = "memory")]
pub async fn needless_return_async(id: u64) -> u64 {
    pause().await;
    return id;
}

#[cachier(backend = "memory")]
pub fn redundant_clone(text: String) -> String {
    let copy = text.clone();
    copy
}

#[cachier(backend = "memory")]
pub fn unwrap_used(text: &str) -> u64 {
    text.parse().unwrap()
}

#[cachier(backend = "memory")]
pub fn panics(id: u64) -> u64 {
    if id == 0 {
        panic!("none");
    }
    let list = [1, 2, 3];
    list[id as usize]
}

#[cachier(backend = "memory")]
pub async fn await_holding_lock(id: u64) -> u64 {
    let log = LOG.lock().unwrap();
    pause().await;
    drop(log);
    id
}

#[cachier(backend = "memory")]
pub async fn unused_async(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory")]
pub fn needless_lifetimes<'a>(text: &'a str) -> usize {
    text.len()
}

#[cachier(backend = "memory")]
pub fn unnecessary_wraps(id: u64) -> Option<u64> {
    Some(id)
}

#[cachier(backend = "memory")]
pub fn excessive_bools(a: bool, b: bool, c: bool, d: bool) -> bool {
    a && b && c && d
}

#[cachier(backend = "memory")]
pub fn trivially_copy(a: &u8) -> u8 {
    *a
}

#[cachier(backend = "memory")]
pub fn implicit_hasher(map: HashMap<u64, u64>) -> usize {
    map.len()
}

#[cachier(backend = "memory")]
pub fn option_option(id: u64) -> Option<Option<u64>> {
    (id > 0).then_some((id > 1).then_some(id))
}

#[cachier(backend = "memory")]
pub fn NotSnake(Id: u64) -> u64 {
    Id
}

#[cachier(backend = "memory")]
pub fn unreachable_after(id: u64) -> u64 {
    return id;
    id + 1
}

#[cachier(backend = "memory")]
pub fn recursion_only(id: u64, passed: u64) -> u64 {
    if id == 0 { 0 } else { recursion_only(id - 1, passed) }
}

#[cachier(backend = "memory")]
pub fn unused_lifetime<'a>(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory", skip(_unused))]
pub fn underscore(id: u64, _unused: u64) -> u64 {
    id + _unused
}

#[cachier(backend = "memory")]
pub fn large(value: [u64; 1000]) -> u64 {
    value[0]
}

#[cachier(backend = "memory")]
pub fn unused_result(id: u64) -> u64 {
    fallible(id);
    id
}

#[cachier(backend = "memory")]
pub fn unused_parens(id: u64) -> u64 {
    if (id > 3) { 1 } else { id }
}

#[cachier(backend = "memory")]
pub fn opaque(text: impl Into<String> + Clone + std::hash::Hash + Eq + Send + Sync + 'static) -> usize {
    text.into().len()
}

#[cachier(backend = "memory")]
pub fn unused_type_parameter<T: Send + 'static>(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory")]
pub fn type_complexity(all: Vec<Vec<Vec<Vec<Option<Vec<(u8, Vec<u8>, Option<Vec<u8>>)>>>>>>) -> usize {
    all.len()
}

#[cachier(backend = "memory")]
pub fn borrowed_box(text: &Box<u64>) -> u64 {
    **text
}

#[cachier(backend = "memory")]
pub fn needless_borrow(text: &str) -> usize {
    (&text).len()
}

#[cachier(backend = "memory")]
pub fn default_numeric(id: u64) -> u64 {
    let x: u64 = id.into();
    x as u64 + 1
}

pub struct Service {
    number: u64,
}

impl Service {
    #[cachier(backend = "memory", skip(self))]
    pub fn method_too_many_arguments(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) -> u64 {
        self.number + u64::from(a) + u64::from(b) + u64::from(c) + u64::from(d) + u64::from(e) + u64::from(f) + u64::from(g)
    }

    #[cachier(backend = "memory", skip(self))]
    pub fn method_unused_variable(&self, id: u64) -> u64 {
        self.number
    }

    #[cachier(backend = "memory", skip(self))]
    pub fn method_unused_self(&self, id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory", skip(self))]
    pub async fn method_unused_async(&self, id: u64) -> u64 {
        id + self.number
    }

    #[cachier(backend = "memory", skip(self))]
    pub fn method_needless_pass_by_value(&self, text: String) -> u64 {
        text.len() as u64 + self.number
    }

    #[cachier(backend = "memory", skip(self))]
    pub fn method_ptr_arg(&self, list: &Vec<u64>) -> u64 {
        list.len() as u64 + self.number
    }

    #[cachier(backend = "memory", skip(self))]
    fn method_dead_code(&self, id: u64) -> u64 {
        id + self.number
    }

    #[cachier(backend = "memory", skip(self))]
    pub fn method_let_and_return(&self, id: u64) -> u64 {
        let value = id + self.number;
        value
    }

    #[cachier(backend = "memory", skip(self))]
    pub fn method_into_number(&self) -> u64 {
        self.number
    }

    #[cachier(backend = "memory", in_impl)]
    pub fn method_associated(text: String) -> usize {
        text.len()
    }

    #[cachier(backend = "memory", skip(self))]
    pub fn method_exclusive(&mut self, id: u64) -> u64 {
        self.number += id;
        self.number
    }
}

pub trait Lookup {
    fn trait_number(&self, text: String) -> u64;
    fn trait_unused(&self, id: u64) -> u64;
    fn trait_text(&self, text: &String) -> usize;
}

#[cachier::methods]
impl Lookup for Service {
    #[cachier(backend = "memory", skip(self))]
    fn trait_number(&self, text: String) -> u64 {
        let value = text.len() as u64 + self.number;
        return value;
    }

    #[cachier(backend = "memory", skip(self))]
    fn trait_unused(&self, id: u64) -> u64 {
        self.number
    }

    #[cachier(backend = "memory", skip(self))]
    fn trait_text(&self, text: &String) -> usize {
        text.len()
    }
}

/// Another trait.
pub trait Other {
    fn alone_number(&self, text: String) -> u64;
    fn alone_unused(&self, id: u64) -> u64;
    fn alone_text(&self, text: &String) -> usize;
}


impl Other for Service {
    #[cachier(backend = "memory", skip(self), companion = false)]
    fn alone_number(&self, text: String) -> u64 {
        let value = text.len() as u64;
        return value;
    }

    #[cachier(backend = "memory", skip(self), companion = false)]
    fn alone_unused(&self, id: u64) -> u64 {
        3
    }

    #[cachier(backend = "memory", skip(self), companion = false)]
    fn alone_text(&self, text: &String) -> usize {
        text.len()
    }
}

pub trait Futures {
    #[allow(async_fn_in_trait)]
    async fn future(&self, list: &Vec<u64>, other: u64) -> usize;
    #[allow(async_fn_in_trait)]
    async fn alone_future(&self, list: &Vec<u64>, other: u64) -> usize;
}

#[cachier::methods]
impl Futures for Service {
    #[cachier(backend = "memory", skip(self))]
    async fn future(&self, list: &Vec<u64>, other: u64) -> usize {
        pause().await;
        return list.len() + self.number as usize;
    }

    #[cachier(backend = "memory", skip(self), companion = false)]
    async fn alone_future(&self, list: &Vec<u64>, other: u64) -> usize {
        pause().await;
        return list.len();
    }
}

#[cachier(backend = "memory")]
fn private_wraps(id: u64) -> Option<u64> {
    Some(id)
}

#[cachier(backend = "memory")]
fn private_reference(id: &u64) -> u64 {
    *id
}

#[cachier(backend = "memory")]
fn private_options(id: u64) -> Option<Option<u64>> {
    (id > 0).then_some((id > 1).then_some(id))
}

#[cachier(backend = "memory")]
fn private_box(texts: Box<Vec<u64>>) -> usize {
    texts.len()
}

#[cachier(backend = "memory")]
async fn private_async(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory")]
pub fn public_box(texts: Box<Vec<u64>>) -> usize {
    texts.len()
}

#[cachier(backend = "memory", stale_after = "1m", next_time)]
pub fn refreshed(text: String, list: &Vec<u64>, other: u64) -> usize {
    let value = text.len() + list.len();
    return value;
}

#[cachier(backend = "file", enable_metrics)]
pub async fn stored(text: &String, other: u64) -> Result<usize, String> {
    pause().await;
    let value = text.len();
    return Ok(value);
}

#[cachier(backend = "memory", key = |text| text.len())]
pub fn keyed(text: String, mut other: u64) -> usize {
    return text.len();
}

pub const fn is_good(value: &u64) -> bool {
    *value > 3
}

pub fn age_of(value: &u64) -> std::time::Duration {
    std::time::Duration::from_secs(*value)
}

#[cachier(backend = "memory", cache_if = |value| is_good(value), stale_after = |value| age_of(value))]
pub fn closures(id: u64) -> u64 {
    return id;
}

#[cachier(cache_if = |text| text.is_empty(), stale_after = "1m", next_time)]
pub async fn closures_async(id: u64) -> Option<String> {
    pause().await;
    return None;
}

#[cachier(backend = "memory", companion = false, cache_if = |value| is_good(value), stale_after = |value| age_of(value))]
pub async fn closures_without_companion(id: u64) -> u64 {
    pause().await;
    return id;
}

pub async fn callers_of_private() {
    let service = Service { number: 3 };
    private_wraps(1);
    private_reference(&1);
    private_options(1);
    private_box(Box::default());
    private_async(1).await;
    let unused = service.method_too_many_arguments(1, 2, 3, 4, 5, 6, 7);
}
