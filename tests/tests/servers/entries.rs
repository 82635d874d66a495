//! Stored bytes: values of every size, and bytes that are not entries.

use std::iter::once;

use cachier::{CallOptions, ErrorKind, Outcome, cachier};
use cachier_tests::callers::runtime;
use cachier_tests::double;

use crate::store::{Store, Subject};

crate::on_every_store! {
    every_size_is_stored_or_refused
    damaged_entries_are_counted_misses
    async_calls_take_no_entry_of_others
}

#[cachier(backend = registered("store"), operation_timeout = "60s", enable_metrics)]
fn blanks(length: usize) -> String {
    " ".repeat(length)
}

fn every_size_is_stored_or_refused(_: &Subject) {
    let mut refused = 0;
    for length in [0, 1, 3 << 20, 64 << 20] {
        let call = || blanks::call_detailed(CallOptions::new(), length);
        assert_eq!(call().value.len(), length);
        // A large value is stored in the background.
        cachier::flush();
        let again = call();
        assert_eq!(again.value.len(), length);
        if again.outcome != Outcome::Hit {
            // Some servers accept 16 MiB.
            assert!(length > 16 << 20, "{again}");
            refused += 1;
            let rejections = blanks::metrics().stats().size_limit_rejections;
            cachier::flush();
            assert!(rejections >= refused, "{rejections} of {refused}");
        }
    }
    blanks::clear_cache().unwrap();
    assert_eq!(blanks::metrics().stats().backend_errors, 0);
}

double!(backend = registered("store"), enable_metrics);

fn damaged_entries_are_counted_misses(subject: &Subject) {
    assert_eq!(double(1), 2);
    let intact = subject.stored();
    let truncated = [1, 7, 10, 16, 20, 30, intact.len() - 1];
    let truncated = truncated.map(|length| intact[..length].to_vec());
    // All bits in files, and one of each byte elsewhere, where a store takes its time.
    let is_quick = subject.store == Store::File;
    let bits = (0..intact.len() * 8).filter(|bit| is_quick || bit % 8 == bit / 8 % 8);
    let flipped = bits.map(|bit| {
        let mut bytes = intact.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    let of_formats = [0, 1, 3, 255].map(|format| {
        let mut bytes = intact[..30].to_vec();
        bytes[4] = format;
        bytes
    });
    let of_another_format = |bytes: &[u8]| bytes.len() > 7 && bytes[4..8] != intact[4..8];
    assert_eq!(double(2), 4);
    let of_another_key = subject.stored();
    assert_eq!(double(1), 2);
    let garbage = [
        Vec::new(),
        b"Dear diary, today I learned about caches.".to_vec(),
        vec![0xff; 1000],
        vec![0; intact.len()],
        [&intact[..], &[0]].concat(),
    ];
    let all = garbage
        .into_iter()
        .chain(truncated)
        .chain(of_formats)
        .chain(once(of_another_key));
    let mut count = 0;
    for bytes in all.chain(flipped) {
        subject.overwrite(&bytes);
        let call = double::call_detailed(CallOptions::new(), 1);
        assert_eq!((call.value, call.outcome), (2, Outcome::Miss), "{bytes:x?}");
        let kind = call.backend_error.map(|error| error.kind());
        if bytes.starts_with(b"\xcachr") && of_another_format(&bytes) {
            assert_eq!(kind, None, "a plain miss: {bytes:x?}");
        } else {
            assert_eq!(kind, Some(ErrorKind::Corrupt), "{bytes:x?}");
            count += 1;
        }
        assert_eq!(double::metrics().stats().backend_errors, count);
        let call = double::call_detailed(CallOptions::new(), 1);
        assert_eq!(
            (call.value, call.outcome),
            (2, Outcome::Hit),
            "it is replaced"
        );
    }
}

#[cachier(backend = registered("store"), enable_metrics)]
async fn triple(number: u64) -> u64 {
    number * 3
}

/// Of another key, and of another format.
fn async_calls_take_no_entry_of_others(subject: &Subject) {
    let call = |number| runtime().block_on(triple::call_detailed(CallOptions::new(), number));
    assert_eq!(call(2).value, 6);
    let of_another_key = subject.stored();
    assert_eq!(call(1).value, 3);
    let mut of_another_format = subject.stored();
    of_another_format[4] = 1;
    for (bytes, kind) in [
        (of_another_key, Some(ErrorKind::Corrupt)),
        (of_another_format, None),
    ] {
        subject.overwrite(&bytes);
        let missed = call(1);
        assert_eq!((missed.value, missed.outcome), (3, Outcome::Miss));
        assert_eq!(missed.backend_error.map(|error| error.kind()), kind);
        assert_eq!(call(1).outcome, Outcome::Hit, "it is replaced");
    }
    assert_eq!(triple::metrics().stats().backend_errors, 1);
}
