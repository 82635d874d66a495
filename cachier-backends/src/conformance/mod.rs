//! Conformance tests for any backend.
//!
//! A property is a function on a [`Subject`]. It panics if the backend misbehaves, and reports that it is skipped if
//! the backend does not declare the capability. [`conformance_tests!`] makes a test of each.
//!
#![cfg_attr(feature = "file", doc = "```")]
#![cfg_attr(not(feature = "file"), doc = "```ignore")]
//! use std::sync::Arc;
//! use cachier_backends::conformance::{Property, Subject};
//! # use cachier_backends::{Blocking, file::FileBackend};
//!
//! /// Runs one property on a fresh store, on whatever executor the backend needs.
//! fn run(property: Property) {
//!     let dir = tempfile::tempdir().expect("a folder");
//!     let subject = Subject::new(|| Arc::new(Blocking::new(FileBackend::new(dir.path()))));
//!     futures_lite::future::block_on(property(&subject));
//! }
//!
//! cachier_backends::conformance_tests!(run);
//! # run(cachier_backends::conformance::PROPERTIES[0].1);
//! ```
//!
//! [`conformance_tests!`]: crate::conformance_tests

mod entries;
mod leases;
mod limits;

use std::future::{Future, poll_fn};
use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use crate::backend::{
    Backend, BoxFuture, Capability, EntryVersion, Lease, LeaseReply, StoreReply, StoreRequest,
};
use crate::entry::{self, Header};
use crate::key::{Key, KeyHash, Scope, Version};
use crate::unique::unique;
use crate::workers::unblock;

/// A required behaviour of backends.
///
/// ```
/// use cachier_backends::conformance::{PROPERTIES, Property};
///
/// let (name, ready): (&str, Property) = PROPERTIES[0];
/// println!("{name}");
/// # let _ = ready;
/// ```
pub type Property = for<'a> fn(&'a Subject) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A backend under test, in a namespace of its own.
///
/// ```
/// # #[cfg(feature = "file")] {
/// use std::sync::Arc;
/// use cachier_backends::{Blocking, conformance::Subject, file::FileBackend};
///
/// // Two connections to one store, as two processes have them.
/// let subject = Subject::new(|| Arc::new(Blocking::new(FileBackend::new("/var/cache/app"))));
/// # drop(subject);
/// # }
/// ```
pub struct Subject {
    /// Two connections to one store, like those of two processes.
    backend: Arc<dyn Backend>,
    other: Arc<dyn Backend>,
    namespace: String,
}

/// Calls a macro with its own arguments and the names of all properties.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_conformance_property {
    ($callback:path, $($argument:tt)*) => {
        $callback! { ($($argument)*)
            entries: absent_entries_are_none,
            entries: entries_come_back_as_they_were,
            entries: large_entries_come_back_or_are_refused,
            entries: a_store_replaces_the_entry,
            entries: a_version_is_that_of_one_entry,
            entries: keys_do_not_meet,
            entries: names_of_every_kind_are_told_apart,
            entries: remove_says_whether_there_was_an_entry,
            entries: clear_removes_one_function_in_all_versions,
            entries: the_store_is_ready,
            leases: one_lease_at_a_time,
            leases: leases_on_other_keys_are_free,
            leases: a_released_lease_is_free,
            leases: an_unattended_lease_ends,
            leases: a_renewed_lease_stays,
            leases: a_lease_leaves_the_entry_alone,
            leases: a_store_consumes_its_lease,
            leases: an_oversized_store_ends_its_lease,
            leases: a_lease_is_granted_for_what_was_seen,
            leases: remove_ends_the_lease,
            leases: clear_ends_the_leases,
            leases: clear_leases_ends_the_leases_alone,
            leases: a_newer_entry_is_not_overwritten,
            leases: others_may_store_under_a_lease,
            leases: a_forgotten_value_is_not_stored_by_others,
            leases: whoever_takes_over_is_the_owner,
            leases: a_forgotten_value_is_not_stored_after_takeover,
            leases: an_overtaken_lease_can_be_released,
            leases: a_vacated_entry_keeps_its_lease,
            leases: nothing_newer_is_vacated,
            leases: of_many_requests_one_gets_the_lease,
            leases: a_former_owner_stores_and_releases_nothing,
            leases: whoever_waits_learns_of_the_entry,
            limits: the_oldest_go_when_it_is_full,
            limits: what_exceeds_the_capacity_is_refused,
            limits: cleanup_removes_the_old_ones,
            limits: cleanup_ends_no_lease,
            limits: usage_follows_what_happens,
        }
    };
}

/// Generates a test for each property, run by a function `fn(Property)`; see [`conformance`](mod@crate::conformance).
#[macro_export]
macro_rules! conformance_tests {
    ($run:path) => {
        $crate::for_each_conformance_property!($crate::conformance_tests_of, $run);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests_of {
    (($run:path) $($module:ident: $property:ident,)*) => {$(
        #[test]
        fn $property() {
            $run($crate::conformance::property(stringify!($property)));
        }
    )*};
}

macro_rules! list {
    (() $($module:ident: $property:ident,)*) => {
        /// All properties, with their names.
        ///
        /// ```
        /// use cachier_backends::conformance::PROPERTIES;
        ///
        /// for (name, _) in PROPERTIES {
        ///     println!("{name}");
        /// }
        /// ```
        pub const PROPERTIES: &[(&str, Property)] = &[
            $((stringify!($property), |subject| Box::pin($module::$property(subject))),)*
        ];
    };
}

crate::for_each_conformance_property!(list,);

/// The property of this name.
///
/// ```
/// use cachier_backends::conformance::property;
///
/// let the_store_is_ready = property("the_store_is_ready");
/// # let _ = the_store_is_ready;
/// ```
///
/// # Panics
/// If there is none of this name.
#[must_use]
pub fn property(name: &str) -> Property {
    let found = PROPERTIES.iter().find(|(of, _)| *of == name);
    found.map_or_else(|| panic!("no property `{name}`"), |(_, property)| *property)
}

impl Subject {
    /// A backend under test. `connect` is called twice, for two connections to the same store.
    pub fn new(connect: impl Fn() -> Arc<dyn Backend>) -> Self {
        Self {
            backend: connect(),
            other: connect(),
            namespace: format!("conformance-{:016x}", unique()),
        }
    }

    /// Whether the backend has a capability; reports a skipped property if not.
    fn has(&self, capability: Capability) -> bool {
        let has = self.backend.capabilities().has(capability);
        if !has {
            skip(&format!("`{}` has no {capability:?}", self.backend.kind()));
        }
        has
    }

    fn scope(&self, function: &str) -> Arc<Scope> {
        Arc::new(Scope::new(self.namespace.as_str(), function))
    }

    /// A key of the function that most properties use.
    fn key(&self, number: u8) -> Key {
        key_of(&self.scope("function"), number)
    }

    async fn store(&self, key: &Key, entry: &[u8]) {
        let reply = self.try_store(StoreRequest::new(entry, moment(0)), key);
        assert_eq!(reply.await, StoreReply::Stored { evicted: 0 });
    }

    async fn try_store(&self, request: StoreRequest<'_>, key: &Key) -> StoreReply {
        succeeded(self.backend.store(key, request).await)
    }

    async fn bytes(&self, key: &Key) -> Option<Vec<u8>> {
        let loaded = succeeded(self.backend.load(key).await);
        loaded.map(|loaded| loaded.bytes)
    }

    async fn version(&self, key: &Key) -> Option<EntryVersion> {
        let loaded = succeeded(self.backend.load(key).await);
        loaded.map(|loaded| loaded.version)
    }

    async fn request(&self, key: &Key, seen: Option<&EntryVersion>) -> LeaseReply {
        succeeded(self.backend.lease(key, seen, LONG_PERIOD).await)
    }

    /// A lease that must be granted.
    async fn lease(&self, key: &Key, seen: Option<&EntryVersion>) -> Lease {
        match self.request(key, seen).await {
            LeaseReply::Granted(lease) => lease,
            reply => panic!("the lease was not granted: {reply:?}"),
        }
    }
}

/// A lease period longer than any property runs.
const LONG_PERIOD: Duration = Duration::from_secs(60);

fn key_of(scope: &Arc<Scope>, number: u8) -> Key {
    let hash = KeyHash::from_bytes([number; 32]);
    Key::new(Arc::clone(scope), Version::Number(1), hash)
}

/// An entry around a value. Backends do not look into it, so its key is arbitrary.
fn entry(value: &[u8]) -> Vec<u8> {
    let scope = Arc::new(Scope::new("conformance", "entry"));
    entry::encode(&key_of(&scope, 0), &Header::new(moment(0)), value)
}

/// A time some days ago, plus `seconds`.
fn moment(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

#[track_caller]
fn succeeded<T>(result: Result<T, crate::Error>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the backend failed: {error:#}"),
    }
}

/// Runs futures concurrently, with any executor.
async fn all<T>(mut waiting: Vec<BoxFuture<'_, T>>) -> Vec<Result<T, crate::Error>> {
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
fn skip(what: &str) {
    // Failing to report is no failure.
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
}

/// Polls until the answer is yes, with any executor.
async fn until<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let started = std::time::Instant::now();
    while !ask().await {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "in vain: {what}"
        );
        unblock(|| std::thread::sleep(Duration::from_millis(5))).await;
    }
}
