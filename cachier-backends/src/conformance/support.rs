//! Shared by the properties: keys, entries, moments, and waiting with any executor.

use std::future::{Future, poll_fn};
use std::io::Write;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use crate::backend::BoxFuture;
use crate::entry::{self, Header};
use crate::key::{Key, KeyHash, Scope, Version};
use crate::unblock::unblock;

/// A lease period longer than any property runs.
pub(super) const LONG_PERIOD: Duration = Duration::from_secs(60);

pub(super) fn key_of(scope: &Arc<Scope>, number: u8) -> Key {
    let hash = KeyHash::from_bytes([number; 32]);
    Key::new(Arc::clone(scope), Version::Number(1), hash)
}

/// An entry around a value. Backends do not look into it, so its key is arbitrary.
pub(super) fn entry(value: &[u8]) -> Vec<u8> {
    let scope = Arc::new(Scope::new("conformance", "entry"));
    entry::encode(&key_of(&scope, 0), &Header::new(moment(0)), value)
}

/// A time some days ago, plus `seconds`.
pub(super) fn moment(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

#[track_caller]
pub(super) fn succeeded<T>(result: Result<T, crate::Error>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the backend failed: {error:#}"),
    }
}

/// Runs futures concurrently, with any executor.
pub(super) async fn all<T>(mut waiting: Vec<BoxFuture<'_, T>>) -> Vec<Result<T, crate::Error>> {
    let mut done = Vec::new();
    poll_fn(|cx| {
        waiting.retain_mut(|future| match future.as_mut().poll(cx) {
            Poll::Ready(reply) => {
                done.push(reply);
                false
            }
            Poll::Pending => true,
        });
        match waiting.is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    done
}

/// Reports a skipped property on stderr, past the harness's capture.
pub(super) fn skip(what: &str) {
    // Failing to report is no failure.
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
}

/// Polls until the answer is yes, with any executor.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let started = std::time::Instant::now();
    while !ask().await {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "in vain: {what}"
        );
        unblock(|| std::thread::sleep(Duration::from_millis(5))).await;
    }
}
