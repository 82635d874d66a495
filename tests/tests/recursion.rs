//! Recursion through the cache, which people try first: stack use per level.
#![allow(missing_docs)]

use std::cell::Cell;
use std::hint::black_box;

use cachier::cachier;
use cachier::testing::isolated;
use futures_lite::future::block_on;

/// The most stack per level of a recursive miss, in bytes, including the function's own frame.
const MAX_BYTES_PER_LEVEL: usize = if cfg!(debug_assertions) { 1024 } else { 400 };

/// The same in a task. Not optimized, each future that is polled within another has a frame for all that it may ever need.
const MAX_BYTES_PER_LEVEL_IN_A_TASK: usize = if cfg!(debug_assertions) { 2400 } else { 400 };

const LEVELS: u64 = 100;

thread_local! {
    static DEEPEST: Cell<usize> = const { Cell::new(0) };
}

/// The stack per level of a recursion that records its depth, in bytes.
fn bytes_per_level(descend: impl FnOnce(u64) -> u64) -> usize {
    let top = here();
    assert_eq!(descend(LEVELS), LEVELS);
    (top - DEEPEST.get()) / LEVELS as usize
}

/// The address of the stack's end, which grows downwards.
#[inline(never)]
fn here() -> usize {
    let local = black_box(0_u8);
    std::ptr::from_ref(black_box(&local)).addr()
}

macro_rules! recursive {
    ($($name:ident($($arguments:tt)*))*) => {$(
        #[test]
        fn $name() {
            #[cachier($($arguments)*)]
            fn descend(levels: u64) -> u64 {
                DEEPEST.set(here());
                match levels {
                    0 => 0,
                    _ => descend(levels - 1) + 1,
                }
            }
            judge(stringify!($name), descend);
        }
    )*};
}

fn judge(name: &str, descend: impl FnOnce(u64) -> u64) {
    let bytes = isolated(|| bytes_per_level(descend));
    assert!(
        bytes <= MAX_BYTES_PER_LEVEL,
        "{name}: {bytes} bytes a level"
    );
}

recursive! {
    memory_recursion_is_shallow(backend = "memory")
    bounded_recursion_is_shallow(backend = "memory", capacity = 1000, enable_metrics)
    stale_recursion_is_shallow(backend = "memory", stale_after = "1h", next_time, enable_metrics, sampling_rate = 1.0)
    file_recursion_is_shallow(backend = "file", enable_metrics)
    sqlite_recursion_is_shallow(backend = "sql", near_cache = 10, enable_metrics)
}

macro_rules! recursive_async {
    ($($name:ident($($arguments:tt)*))*) => {$(
        #[test]
        fn $name() {
            #[cachier($($arguments)*)]
            async fn descend(levels: u64) -> u64 {
                DEEPEST.set(here());
                match levels {
                    0 => 0,
                    _ => Box::pin(descend(levels - 1)).await + 1,
                }
            }
            let bytes = isolated(|| bytes_per_level(|levels| block_on(descend(levels))));
            assert!(bytes <= MAX_BYTES_PER_LEVEL_IN_A_TASK, "{bytes} bytes a level");
        }
    )*};
}

recursive_async! {
    memory_recursion_in_a_task_is_shallow(backend = "memory")
    bounded_recursion_in_a_task_is_shallow(backend = "memory", capacity = 1000, enable_metrics)
    file_recursion_in_a_task_is_shallow(backend = "file", enable_metrics)
    sqlite_recursion_in_a_task_is_shallow(backend = "sql", near_cache = 10, enable_metrics)
}

#[test]
fn recursion_of_results_is_shallow() {
    #[cachier(
        backend = "memory",
        capacity_bytes = "1MB",
        stale_on_error = "10m",
        enable_metrics
    )]
    fn descend(levels: u64) -> Result<u64, String> {
        DEEPEST.set(here());
        match levels {
            0 => Ok(0),
            _ => Ok(descend(levels - 1)? + 1),
        }
    }
    judge("results", |levels| descend(levels).unwrap_or_default());
}

struct Tree;

impl Tree {
    #[cachier(backend = "memory", capacity = 1000, enable_metrics, skip(self))]
    fn descend(&self, levels: u64) -> u64 {
        DEEPEST.set(here());
        match levels {
            0 => 0,
            _ => self.descend(levels - 1) + 1,
        }
    }
}

#[test]
fn recursion_of_a_method_is_shallow() {
    judge("method", |levels| Tree.descend(levels));
}

impl Iterator for Tree {
    type Item = u64;

    #[cachier(backend = "memory", skip(self), companion = false)]
    fn nth(&mut self, levels: usize) -> Option<u64> {
        DEEPEST.set(here());
        match levels {
            0 => Some(0),
            _ => self.nth(levels - 1).map(|levels| levels + 1),
        }
    }

    fn next(&mut self) -> Option<u64> {
        self.nth(0)
    }
}

#[test]
fn recursion_inside_a_trait_impl_is_shallow() {
    judge("trait impl", |levels| {
        let levels = usize::try_from(levels).expect("a few levels");
        Tree.nth(levels).unwrap_or_default()
    });
}
