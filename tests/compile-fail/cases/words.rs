//! Arguments that take a word, a name, a path or a folder.

use cachier::cachier;

#[cachier(version = nome)]
fn version_misspelt(id: u64) -> u64 {
    id
}

#[cachier(version = "2")]
fn version_string(id: u64) -> u64 {
    id
}

#[cachier(name = "", cache_dir = "")]
fn empty(id: u64) -> u64 {
    id
}

#[cachier(companion = true)]
fn companion(id: u64) -> u64 {
    id
}

#[cachier(crate = "cachier")]
fn crate_string(id: u64) -> u64 {
    id
}

fn main() {}
