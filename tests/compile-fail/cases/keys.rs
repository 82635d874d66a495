//! More arguments than a key can hold, and receivers that cannot go to the background.

use cachier::cachier;

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
