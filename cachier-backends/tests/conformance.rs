//! The conformance suite accepts correct backends, and notices faults.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use cachier_backends::conformance::{Property, Subject, property};
use cachier_backends::file::FileBackend;
use cachier_backends::{
    Blocking, BlockingBackend, Capabilities, EntryVersion, Error, Key, Lease, LeaseReply, Loaded,
    Scope, StoreReply, StoreRequest, Usage, Version, blocking,
};
use futures_lite::future::block_on;
use tempfile::tempdir;

/// A backend with the required methods only.
#[derive(Clone, Default)]
struct Plain {
    entries: Arc<Mutex<HashMap<Key, Vec<u8>>>>,
}

impl Plain {
    fn with<T>(&self, use_entries: impl FnOnce(&mut HashMap<Key, Vec<u8>>) -> T) -> T {
        use_entries(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl BlockingBackend for Plain {
    fn kind(&self) -> &str {
        "plain"
    }

    fn store_name(&self) -> String {
        "a map".to_owned()
    }

    fn load(&self, key: &Key) -> Result<Option<Loaded>, Error> {
        let bytes = self.with(|entries| entries.get(key).cloned());
        Ok(bytes.map(|bytes| {
            let version = EntryVersion::of_content(&bytes);
            Loaded::new(bytes, version)
        }))
    }

    fn store(&self, key: &Key, request: StoreRequest<'_>) -> Result<StoreReply, Error> {
        self.with(|entries| entries.insert(key.clone(), request.entry.to_vec()));
        Ok(StoreReply::Stored { evicted: 0 })
    }

    fn remove(&self, key: &Key) -> Result<bool, Error> {
        Ok(self.with(|entries| entries.remove(key).is_some()))
    }

    fn clear(&self, scope: &Arc<Scope>) -> Result<Option<u64>, Error> {
        self.with(|entries| entries.retain(|key, _| key.scope() != scope));
        Ok(None)
    }
}

fn run(property: Property) {
    let plain = Plain::default();
    let subject = Subject::new(|| Arc::new(Blocking::new(plain.clone())));
    block_on(property(&subject));
}

mod of_what_is_required_alone {
    cachier_backends::conformance_tests!(super::run);
}

/// A fault of a backend.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    ForgetsTheFunction,
    ForgetsTheVersion,
    RemovesNothing,
    ClearsNothing,
    CountsOneTooMany,
    StoresWithoutItsLease,
    KeepsTheLeaseOfAStore,
    KeepsTheLeaseOfWhatIsTooLarge,
    TakesEveryEntryForTheSeenOne,
    GrantsEveryLease,
    LetsLeasesOutliveRemove,
    CutsEntriesOff,
    CleansUpNothing,
    CleansUpLeases,
    ForgetsTheCapacity,
    InventsUsage,
}

/// Each fault, with a property that notices it.
const FAULTS: [(Fault, &str); 16] = [
    (Fault::ForgetsTheFunction, "keys_do_not_meet"),
    (Fault::ForgetsTheVersion, "keys_do_not_meet"),
    (
        Fault::RemovesNothing,
        "remove_says_whether_there_was_an_entry",
    ),
    (
        Fault::ClearsNothing,
        "clear_removes_one_function_in_all_versions",
    ),
    (Fault::CountsOneTooMany, "absent_entries_are_none"),
    (
        Fault::StoresWithoutItsLease,
        "a_newer_entry_is_not_overwritten",
    ),
    (Fault::KeepsTheLeaseOfAStore, "a_store_consumes_its_lease"),
    (
        Fault::KeepsTheLeaseOfWhatIsTooLarge,
        "an_oversized_store_ends_its_lease",
    ),
    (
        Fault::TakesEveryEntryForTheSeenOne,
        "a_lease_is_granted_for_what_was_seen",
    ),
    (Fault::GrantsEveryLease, "one_lease_at_a_time"),
    (Fault::LetsLeasesOutliveRemove, "remove_ends_the_lease"),
    (Fault::CutsEntriesOff, "entries_come_back_as_they_were"),
    (Fault::CleansUpNothing, "cleanup_removes_the_old_ones"),
    (Fault::CleansUpLeases, "cleanup_ends_no_lease"),
    (Fault::ForgetsTheCapacity, "the_oldest_go_when_it_is_full"),
    (Fault::InventsUsage, "usage_follows_what_happens"),
];

/// The file backend with a fault.
struct Faulty {
    files: FileBackend,
    fault: Fault,
    /// Leases kept from ending.
    kept: Mutex<Vec<Lease>>,
}

impl Faulty {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn key(&self, key: &Key) -> Key {
        let scope = match self.is(Fault::ForgetsTheFunction) {
            true => Arc::new(Scope::new(key.scope().namespace(), "f")),
            false => Arc::clone(key.scope()),
        };
        let version = match self.is(Fault::ForgetsTheVersion) {
            true => Version::Unversioned,
            false => key.version(),
        };
        Key::new(scope, version, key.hash())
    }

    fn keep(&self, lease: Option<Lease>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(lease);
    }
}

impl BlockingBackend for Faulty {
    fn kind(&self) -> &str {
        "faulty"
    }

    fn store_name(&self) -> String {
        self.files.store_name()
    }

    fn capabilities(&self) -> Capabilities {
        self.files.capabilities()
    }

    fn load(&self, key: &Key) -> Result<Option<Loaded>, Error> {
        let mut loaded = self.files.load(&self.key(key))?;
        if let (Some(loaded), Fault::CutsEntriesOff) = (&mut loaded, self.fault) {
            loaded.bytes.truncate(1000);
        }
        Ok(loaded)
    }

    fn store(&self, key: &Key, mut request: StoreRequest<'_>) -> Result<StoreReply, Error> {
        if self.is(Fault::StoresWithoutItsLease) {
            request.lease = None;
        }
        if self.is(Fault::KeepsTheLeaseOfAStore) {
            self.keep(request.lease.take());
        }
        if self.is(Fault::KeepsTheLeaseOfWhatIsTooLarge) && request.entry.len() > 1 << 20 {
            self.keep(request.lease);
            return Ok(StoreReply::TooLarge);
        }
        if self.is(Fault::ForgetsTheCapacity) {
            request.capacity_bytes = None;
        }
        self.files.store(&self.key(key), request)
    }

    fn remove(&self, key: &Key) -> Result<bool, Error> {
        let key = self.key(key);
        match self.fault {
            Fault::RemovesNothing => Ok(self.files.load(&key)?.is_some()),
            Fault::LetsLeasesOutliveRemove => {
                // Elsewhere the entry would be removed; here it is enough that the lease stays.
                let there = self.files.load(&key)?.is_some();
                if there {
                    self.files.remove(&key)
                } else {
                    Ok(false)
                }
            }
            _ => self.files.remove(&key),
        }
    }

    fn clear(&self, scope: &Arc<Scope>) -> Result<Option<u64>, Error> {
        match self.fault {
            Fault::ClearsNothing => Ok(None),
            Fault::CountsOneTooMany => Ok(self.files.clear(scope)?.map(|count| count + 1)),
            _ => self.files.clear(scope),
        }
    }

    fn lease(
        &self,
        key: &Key,
        seen: Option<&EntryVersion>,
        period: Duration,
    ) -> Result<LeaseReply, Error> {
        let key = self.key(key);
        if self.is(Fault::GrantsEveryLease) {
            self.files.clear_leases(key.scope())?;
        }
        if self.is(Fault::TakesEveryEntryForTheSeenOne) {
            let there = self.files.load(&key)?.map(|loaded| loaded.version);
            return self.files.lease(&key, there.as_ref(), period);
        }
        self.files.lease(&key, seen, period)
    }

    fn release(&self, lease: Lease) -> Result<(), Error> {
        self.files.release(lease)
    }

    fn clear_leases(&self, scope: &Arc<Scope>) -> Result<(), Error> {
        self.files.clear_leases(scope)
    }

    fn cleanup(
        &self,
        scope: &Arc<Scope>,
        created_before: SystemTime,
    ) -> Result<Option<u64>, Error> {
        match self.fault {
            Fault::CleansUpNothing => Ok(None),
            Fault::CleansUpLeases => {
                self.files.clear_leases(scope)?;
                self.files.cleanup(scope, created_before)
            }
            _ => self.files.cleanup(scope, created_before),
        }
    }

    fn usage(&self, scope: &Arc<Scope>) -> Result<Usage, Error> {
        match self.fault {
            Fault::InventsUsage => Ok(Usage::new(Some(0), Some(0))),
            _ => self.files.usage(scope),
        }
    }
}

/// Whether a backend with a fault has a property.
fn has(fault: Fault, property: Property) -> bool {
    let dir = tempdir().expect("a folder for the test");
    let subject = Subject::new(|| {
        Arc::new(Blocking::new(Faulty {
            files: FileBackend::new(dir.path()),
            fault,
            kept: Mutex::default(),
        }))
    });
    let run = || blocking::inline(Duration::from_secs(60), || block_on(property(&subject)));
    catch_unwind(AssertUnwindSafe(run)).is_ok()
}

#[test]
fn every_fault_is_noticed() {
    for (fault, by) in FAULTS {
        assert!(has(Fault::None, property(by)), "{by} finds a fault in none");
        assert!(!has(fault, property(by)), "{by} does not notice {fault:?}");
    }
}
