//! `self` needs a decision, and what is written through `&mut` is not cached.

use cachier::cachier;

struct Service;

impl Service {
    #[cachier]
    fn undecided(&self, id: u64) -> u64 {
        id
    }

    #[cachier(skip(self), next_time)]
    fn exclusive_in_background(&mut self, id: u64) -> u64 {
        id
    }

    #[cachier(skip(self), companion = named_alike)]
    fn named_alike(&self, id: u64) -> u64 {
        id
    }
}

#[cachier]
fn written(log: &mut Vec<u64>) -> usize {
    log.len()
}

#[cachier]
fn written_if_given(log: Option<&mut Vec<u64>>, (id, other): (u64, &mut u64)) -> u64 {
    id + *other + log.map_or(0, |log| log.len() as u64)
}

#[cachier(skip(log), next_time)]
fn written_in_background(log: &mut Vec<u64>, id: u64) -> u64 {
    log.push(id);
    id
}

fn main() {}
