//! Recursion through the cache, the first thing that people try: how much of the stack a level takes.
#![allow(missing_docs)]

use std::cell::Cell;
use std::hint::black_box;

use cachier::cachier;
use cachier::testing::isolated;

/// The most bytes of stack that a level of a recursive miss may take, the function's own frame included.
const MAX_BYTES_PER_LEVEL: usize = if cfg!(debug_assertions) { 1024 } else { 400 };

const LEVELS: u64 = 100;

thread_local! {
    static DEEPEST: Cell<usize> = const { Cell::new(0) };
}

/// How many bytes a level takes of a recursion that notes how deep it is.
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
            let bytes = isolated(|| bytes_per_level(descend));
            println!("{}: {bytes} bytes a level", stringify!($name));
            assert!(bytes <= MAX_BYTES_PER_LEVEL, "{bytes} bytes a level");
        }
    )*};
}

recursive! {
    memory_recursion_is_shallow(backend = "memory")
    bounded_recursion_is_shallow(backend = "memory", capacity = 1000, enable_metrics)
    stale_recursion_is_shallow(backend = "memory", stale_after = "1h", next_time, enable_metrics, sampling_rate = 1.0)
    file_recursion_is_shallow(backend = "file", enable_metrics)
    sqlite_recursion_is_shallow(backend = "sql", near_cache = 10, enable_metrics)
}
