//! `max_stale` is the hard expiry of stored values.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cachier::testing::Clock;
use cachier::{
    Backend, CallOptions, Key, KeyHash, Outcome, Scope, SqlBackend, StoreRequest, Version,
};
use cachier_backends::entry::{self, Header};
use cachier_metrics::RemovalCause;
use cachier_tests::sandbox::in_folder;
use cachier_tests::{double, outcome, repeat};
use futures_lite::future::block_on;

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

macro_rules! expires {
    ($($name:ident: $length:literal;)*) => {$(
        #[test]
        fn $name() {
            repeat!(backend = "file", stale_after = "1h", max_stale = "2h", next_time, enable_metrics);

            let expired = || repeat::metrics().snapshot().removals[RemovalCause::Expired];
            in_folder(|_| {
                repeat($length);
                cachier::flush();
                Clock::advance(2 * HOUR);
                assert!(repeat::peek($length).unwrap().is_some(), "it may still be served");
                Clock::advance(SECOND);
                assert!(repeat::peek($length).unwrap().is_none());
                assert_eq!(expired(), 0, "it is still there");
                let call = || repeat::call_detailed(CallOptions::new(), $length);
                assert_eq!(call().outcome, Outcome::Miss);
                cachier::flush();
                assert_eq!(expired(), 1, "another has taken its place");
                assert_eq!(call().outcome, Outcome::Hit);
                assert_eq!(expired(), 1);
                assert_eq!(repeat::metrics().stats().removals, 1);
            });
        }
    )*};
}

expires! {
    expired_entries_are_misses_counted_when_replaced: 10;
    large_entries_count_when_replaced_in_background: 2_000_000;
}

#[test]
fn a_fresh_entry_never_expires() {
    double!(
        backend = "file",
        stale_after = "2h",
        max_stale = "1h",
        next_time
    );

    in_folder(|_| {
        double(1);
        Clock::advance(2 * HOUR);
        let outcome = || outcome!(double(1));
        assert_eq!(outcome(), Outcome::Hit);
        Clock::advance(SECOND);
        assert_eq!(outcome(), Outcome::Miss);
    });
}

#[test]
fn cleaning_a_database_removes_expired_entries() {
    let folder = tempfile::tempdir().unwrap();
    let backend = SqlBackend::sqlite_in(folder.path()).unwrap();
    let scope = Arc::new(Scope::new("default", "function"));
    let now = SystemTime::now();
    for (number, expires) in [(1, None), (2, Some(now - HOUR)), (3, Some(now + HOUR))] {
        let hash = KeyHash::from_bytes([number; 32]);
        let key = Key::new(Arc::clone(&scope), Version::Unversioned, hash);
        let entry = entry::encode(&key, &Header::new(now), &[number]);
        let mut request = StoreRequest::new(&entry, now);
        request.expires = expires;
        block_on(backend.store(&key, request)).unwrap();
    }
    let removed = block_on(backend.cleanup(&scope, now - HOUR)).unwrap();
    assert_eq!(removed, Some(1));
    assert_eq!(block_on(backend.usage(&scope)).unwrap().entries, Some(2));
}
