//! `u64 -> u64` with a thousand entries and with a million, compared with a plain map that is only read.

use std::collections::HashMap;
use std::sync::LazyLock;

use cachier::cachier;
use foldhash::fast::RandomState;

use super::shared::{compute, functions, subject};
use crate::case::Case;

const CALLS: usize = 20_000;
/// The plain map's name.
pub const PLAIN_MAP: &str = "plain map, read only";

/// Few entries.
pub fn thousand() -> Case<u64> {
    Case {
        title: "`u64`, 1,000 entries",
        keys: (0..1_000).collect(),
        calls: CALLS,
        reference: PLAIN_MAP,
        subjects: vec![
            subject!("**cachier**", "off", small_off),
            subject!("**cachier**", "default", small_auto),
            subject!("**cachier**", "rate 0.1", small_tenth),
            subject!("plain map, read only", "none", |id| SMALL_MAP[&id]),
        ],
    }
}

/// Many entries.
pub fn million() -> Case<u64> {
    Case {
        title: "`u64`, 1,000,000 entries",
        keys: (0..1_000_000).collect(),
        calls: CALLS,
        reference: PLAIN_MAP,
        subjects: vec![
            subject!("**cachier**", "off", large_off),
            subject!("**cachier**", "default", large_auto),
            subject!("**cachier**", "rate 0.1", large_tenth),
            subject!("plain map, read only", "none", |id| LARGE_MAP[&id]),
        ],
    }
}

static SMALL_MAP: LazyLock<HashMap<u64, u64, RandomState>> =
    LazyLock::new(|| (0..1_000).zip(7..).collect());
static LARGE_MAP: LazyLock<HashMap<u64, u64, RandomState>> =
    LazyLock::new(|| (0..1_000_000).zip(7..).collect());

functions! {
    fn(id: u64) -> u64 { compute(id) }

    #[cachier(backend = "memory")] small_off
    #[cachier(backend = "memory", enable_metrics)] small_auto
    #[cachier(backend = "memory", enable_metrics, sampling_rate = 0.1)] small_tenth
    #[cachier(backend = "memory")] large_off
    #[cachier(backend = "memory", enable_metrics)] large_auto
    #[cachier(backend = "memory", enable_metrics, sampling_rate = 0.1)] large_tenth
}
