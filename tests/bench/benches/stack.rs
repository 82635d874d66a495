//! Stack per level of a recursive miss: measured exactly, so the limit is checked in every mode.
#![allow(missing_docs)]

use std::cell::Cell;
use std::fmt::Write;
use std::hint::black_box;

use cached::macros::cached;
use cachier::cachier;
use cachier_bench::case::Mode;
use cachier_bench::report::publish;

/// The most bytes of stack that a level of ours may take, the function's own frame included.
const MAX_BYTES_PER_LEVEL: usize = 400;

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

/// Whether the limit applies.
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

/// The current end of the stack, which grows downwards.
#[inline(never)]
fn here() -> usize {
    let local = black_box(0_u8);
    std::ptr::from_ref(black_box(&local)).addr()
}

/// The result of a subject: the number of levels, in one form or another.
trait Levels {
    fn of(levels: u64) -> Self;
    fn number(self) -> u64;
}

impl Levels for u64 {
    fn of(levels: u64) -> Self {
        levels
    }

    fn number(self) -> u64 {
        self
    }
}

impl Levels for Option<u64> {
    fn of(levels: u64) -> Self {
        Some(levels)
    }

    fn number(self) -> u64 {
        self.unwrap_or_default()
    }
}

impl Levels for Result<u64, String> {
    fn of(levels: u64) -> Self {
        Ok(levels)
    }

    fn number(self) -> u64 {
        self.unwrap_or_default()
    }
}

/// One level of a recursion, which the macros below write out.
macro_rules! level {
    ($levels:ident, $deeper:expr) => {{
        DEEPEST.set(here());
        match $levels {
            0 => Levels::of(0),
            _ => Levels::of(black_box($deeper).number() + 1),
        }
    }};
}

macro_rules! subjects {
    ($($name:literal, $limit:ident: $(#[$attribute:meta])? $function:ident -> $returned:ty;)*) => {
        $(
            $(#[$attribute])?
            fn $function(levels: u64) -> $returned {
                level!(levels, $function(levels - 1))
            }
        )*

        const SUBJECTS: &[(&str, fn(u64) -> u64, Limit)] = &[
            $(($name, |levels| $function(levels).number(), Limit::$limit),)*
            ("**cachier**, a method", |levels| Tree.method(levels), Limit::Judged),
            ("**cachier**, a method of a trait", |levels| Tree.inside(levels), Limit::Judged),
            ("**cachier**, a generic function", generic::<u64>, Limit::Judged),
        ];
    };
}

subjects! {
    "plain", None: plain -> u64;
    "`#[cached]`", None: #[cached] with_cached -> u64;
    "**cachier**, memory", Judged: #[cachier(backend = "memory")] in_memory -> u64;
    "**cachier**, memory, bounded, with metrics", Judged:
        #[cachier(backend = "memory", capacity = 10_000, enable_metrics)] bounded -> u64;
    "**cachier**, memory, `next_time`", Judged:
        #[cachier(backend = "memory", stale_after = "1h", next_time, enable_metrics)] refreshed -> u64;
    "**cachier**, memory, `next_time`, an `Option`", Judged:
        #[cachier(backend = "memory", stale_after = "1h", next_time, enable_metrics)] optional -> Option<u64>;
    "**cachier**, memory, bounded in bytes, a `Result`", Judged:
        #[cachier(backend = "memory", capacity_bytes = "10MB", stale_on_error = "10m", enable_metrics)]
        fallible -> Result<u64, String>;
    "**cachier**, files, with metrics", Judged: #[cachier(backend = "file", enable_metrics)] in_files -> u64;
    "**cachier**, files, a `Result`", Judged:
        #[cachier(backend = "file", enable_metrics)] fallible_in_files -> Result<u64, String>;
    "**cachier**, files behind a near tier", Judged:
        #[cachier(backend = "file", near_cache = 10_000, enable_metrics)] near -> u64;
    "**cachier**, files behind a near tier, `next_time`, a `Result`", Judged:
        #[cachier(backend = "file", near_cache = 10_000, stale_after = "1h", next_time, enable_metrics)]
        fallible_near -> Result<u64, String>;
}

struct Tree;

impl Tree {
    #[cachier(backend = "memory", capacity = 10_000, enable_metrics, skip(self))]
    fn method(&self, levels: u64) -> u64 {
        level!(levels, self.method(levels - 1))
    }
}

trait Descent {
    fn inside(&self, levels: u64) -> u64;
}

impl Descent for Tree {
    #[cachier(
        backend = "memory",
        capacity = 10_000,
        enable_metrics,
        skip(self),
        companion = false
    )]
    fn inside(&self, levels: u64) -> u64 {
        level!(levels, self.inside(levels - 1))
    }
}

#[cachier(backend = "file", near_cache = 10_000, enable_metrics)]
fn generic<T: 'static>(levels: u64) -> u64 {
    level!(levels, generic::<T>(levels - 1))
}
