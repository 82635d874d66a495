//! Whatever a store holds: reading it never panics, and gives nothing that was not stored.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/support/hostile.rs"]
mod hostile;

fuzz_target!(|bytes: &[u8]| hostile::try_stored(bytes));
