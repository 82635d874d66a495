//! Leases: who may compute, and what invalidates a computation.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use cachier_backends::{BlockingBackend, LeaseReply, StoreReply};

use crate::support::files::{self, Files, PERIOD};

#[test]
fn nothing_is_left_of_leases_that_ended() {
    let files = Files::new();
    let key = files.key(1);
    files.store_under(files.granted(&key), b"one");
    files.backend.release(files.granted(&key)).unwrap();
    drop(files.granted(&key));
    let lease = files.granted(&key);
    files.store(&key, b"two");
    assert_eq!(files.store_under(lease, b"old"), StoreReply::Superseded);
    let unseen = files.backend.lease(&key, None, PERIOD).unwrap();
    assert!(matches!(unseen, LeaseReply::Changed));
    let lease = files.granted(&key);
    assert!(matches!(files.lease(&key), LeaseReply::Held(_)));
    files.backend.clear_leases(&files.scope).unwrap();
    drop(lease);
    assert_eq!(files.all_but_shard_tables(), [files.path(&key)]);
}

#[test]
fn ending_a_lease_spares_the_next() {
    let files = Files::new();
    let key = files.key(1);
    let first = files.granted(&key);
    files.backend.remove(&key).unwrap();
    let second = files.granted(&key);
    files.backend.release(first).unwrap();
    assert!(matches!(files.lease(&key), LeaseReply::Held(_)));
    files.stored_under(second, b"value");
}

#[test]
fn two_never_own_one_lease() {
    let files = Files::new();
    let key = files.key(1);
    let owned = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    let reply = files.backend.lease(&key, None, PERIOD).unwrap();
                    if let LeaseReply::Granted(lease) = reply {
                        assert!(!owned.swap(true, Ordering::SeqCst), "two own it");
                        thread::yield_now();
                        owned.store(false, Ordering::SeqCst);
                        files.backend.release(lease).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(files.all_but_shard_tables(), Vec::<PathBuf>::new());
}

#[test]
fn no_lease_is_granted_on_a_removed_entry() {
    // Everyone computes the next number from the stored one. Only the owner of the lease can store, so no number is
    // computed twice.
    let files = Files::new();
    let key = files.key(1);
    files.store(&key, &0u32.to_le_bytes());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let loaded = files.backend.load(&key).unwrap().unwrap();
                    let number = number_in(&loaded.bytes);
                    if number >= 600 {
                        break;
                    }
                    let seen = Some(&loaded.version);
                    let reply = files.backend.lease(&key, seen, PERIOD).unwrap();
                    if let LeaseReply::Granted(lease) = reply {
                        files.stored_under(lease, &(number + 1).to_le_bytes());
                    }
                }
            });
        }
    });
}

#[test]
fn a_clear_beats_every_computation_that_was_running() {
    // Each thread computes from a growing input, and clears the cache after changing it: nothing computed from an older
    // input may be found from then on.
    let files = Files::new();
    let key = files.key(1);
    let input = AtomicU32::new(0);
    thread::scope(|scope| {
        for invalidate in [true, false] {
            let (files, input, key) = (&files, &input, &key);
            scope.spawn(move || {
                for _ in 0..200 {
                    let lease = files.lease(key);
                    let computed = input.load(Ordering::SeqCst);
                    if let LeaseReply::Granted(lease) = lease {
                        files.store_under(lease, &computed.to_le_bytes());
                    }
                }
            });
            scope.spawn(move || {
                for _ in 0..200 {
                    let at_least = input.fetch_add(1, Ordering::SeqCst) + 1;
                    if invalidate {
                        files.backend.remove(key).unwrap();
                    } else {
                        files.backend.clear(&files.scope).unwrap();
                    }
                    if let Some(bytes) = files.load(key) {
                        let found = number_in(&bytes);
                        assert!(found >= at_least, "{found} after {at_least}");
                    }
                }
            });
        }
    });
}

fn number_in(stored: &[u8]) -> u32 {
    let value = files::value_of(stored);
    u32::from_le_bytes(value.try_into().unwrap())
}
