//! How much of the stack a level of a recursive miss takes: measured exactly, so the limit is judged in every mode.
#![allow(missing_docs)]

use std::cell::Cell;
use std::fmt::Write;
use std::hint::black_box;

use cached::macros::cached;
use cachier::cachier;
use cachier_bench::case::Mode;
use cachier_bench::report::publish;

/// The most bytes of stack that a level of ours may take, the function's own frame included.
const MAX_BYTES_PER_LEVEL: usize = 480;

const LEVELS: u64 = 1_000;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path().to_owned();
    cachier::set_global_params(cachier::global_params().cache_dir(folder));
    let mut text = String::from(
        "# The stack of a recursive miss\n\nBytes for each level, the function's own frame included.\n\n\
         | function | bytes a level |\n|---|--:|\n",
    );
    let mut worst = 0;
    for &(name, descend, ref limit) in SUBJECTS {
        let bytes = bytes_per_level(descend);
        let _ = writeln!(text, "| {name} | {bytes} |");
        if *limit == Limit::Judged {
            worst = worst.max(bytes);
        }
    }
    publish("stack", &text, Mode::chosen());
    assert!(
        worst <= MAX_BYTES_PER_LEVEL,
        "a level takes {worst} bytes of stack, more than {MAX_BYTES_PER_LEVEL}"
    );
}

/// Whether the limit is ours to keep.
#[derive(PartialEq, Eq)]
enum Limit {
    Judged,
    None,
}

thread_local! {
    static DEEPEST: Cell<usize> = const { Cell::new(0) };
}

fn bytes_per_level(descend: fn(u64) -> u64) -> usize {
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

macro_rules! subjects {
    ($($name:literal, $limit:ident: $(#[$attribute:meta])? $function:ident;)*) => {
        $(
            $(#[$attribute])?
            fn $function(levels: u64) -> u64 {
                DEEPEST.set(here());
                match levels {
                    0 => 0,
                    _ => black_box($function(levels - 1)) + 1,
                }
            }
        )*

        const SUBJECTS: &[(&str, fn(u64) -> u64, Limit)] = &[$(($name, $function, Limit::$limit)),*];
    };
}

subjects! {
    "plain", None: plain;
    "`#[cached]`", None: #[cached] with_cached;
    "**cachier**, memory", Judged: #[cachier(backend = "memory")] in_memory;
    "**cachier**, memory, bounded, with metrics", Judged:
        #[cachier(backend = "memory", capacity = 10_000, enable_metrics)] bounded;
    "**cachier**, memory, `next_time`", Judged:
        #[cachier(backend = "memory", stale_after = "1h", next_time, enable_metrics)] refreshed;
    "**cachier**, files, with metrics", Judged: #[cachier(backend = "file", enable_metrics)] in_files;
    "**cachier**, files behind a near tier", Judged:
        #[cachier(backend = "file", near_cache = 10_000, enable_metrics)] near;
}
