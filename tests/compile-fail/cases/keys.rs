//! Arguments that a key cannot hold, and receivers that cannot go to the background.

use cachier::cachier;

#[cachier(backend = "memory")]
fn borrowed_inside(words: &[&str]) -> usize {
    words.len()
}

#[cachier(near_cache = 100)]
fn borrowed_beside(words: Option<&std::borrow::Cow<'_, str>>) -> usize {
    words.map_or(0, |word| word.len())
}

#[cachier]
#[rustfmt::skip]
fn too_many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8, m: u16) -> u16 {
    u16::from(a + b + c + d + e + f + g + h + i + j + k + l) + m
}

struct Service;

impl Service {
    #[cachier(key = |a| a)]
    #[rustfmt::skip]
    fn too_many(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8, m: u16) -> u16 {
        u16::from(a + b + c + d + e + f + g + h + i + j + k + l) + m
    }
}

trait Lookup {
    fn lookup(&self, id: u64) -> u64;
}

impl Lookup for Service {
    #[cachier(companion = false, skip(self), next_time)]
    fn lookup(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
