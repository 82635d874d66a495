//! Heap memory of a near tier, bounded and given back: counted by the allocator.
#![allow(missing_docs, clippy::unwrap_used)]

use allocation_counter::measure;
use cachier::cachier;
use cachier_tests::sandbox::in_folder;

/// The entries of the tier.
const NEAR: usize = 200;

const VALUE_BYTES: usize = 1000;

#[cachier(backend = "file", near_cache = 200, verify = false)]
fn page(name: &str) -> String {
    name.repeat(VALUE_BYTES / name.len())
}

/// What an entry takes beside its value: the key, in the store and in the log, and what these need for it.
const ENTRY_BYTES: usize = 400;

/// What the log takes for each change that it remembers, its tables being up to twice as large as what is in them.
const CHANGE_BYTES: usize = 320;

fn bytes(count: usize, each: usize) -> i64 {
    i64::try_from(count * each).unwrap()
}

fn name(number: usize) -> String {
    format!("{number:020}")
}

/// By how much the heap has grown.
fn growth(work: impl FnOnce()) -> i64 {
    measure(work).bytes_current
}

#[test]
fn a_near_tier_takes_what_its_bound_says() {
    in_folder(|_| {
        let names: Vec<_> = (0..10 * NEAR).map(name).collect();
        let load = |names: &[String]| names.iter().for_each(|name| _ = page(name));
        let forget = |names: &[String]| {
            names
                .iter()
                .for_each(|name| _ = page::invalidate(name).unwrap());
        };
        // What is made once.
        load(&names[..2]);
        forget(&names[..2]);
        page::clear_cache().unwrap();

        let full = growth(|| load(&names[..NEAR]));
        assert!(full < bytes(NEAR, VALUE_BYTES + ENTRY_BYTES), "{full}");
        let later = full + growth(|| load(&names));
        let most = bytes(NEAR, VALUE_BYTES + ENTRY_BYTES) + bytes(2 * NEAR + 64, CHANGE_BYTES);
        assert!(later < most, "{later}, not {most}, after evictions");
        let forgotten = later + growth(|| forget(&names));
        let most = bytes(2 * NEAR + 64, CHANGE_BYTES);
        assert!(forgotten < most, "{forgotten}, not {most}, of changes");
        let cleared = forgotten + growth(|| _ = page::clear_cache().unwrap());
        assert!(cleared < 16 << 10, "{cleared} of {later} stay");
    });
}
