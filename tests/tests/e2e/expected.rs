//! `cachier::function` before the first call of what is expected.

use cachier::cachier;
use cachier_tests::sandbox::{in_another_process, in_folder, in_folder_async};

#[cachier(backend = "memory", enable_metrics)]
fn in_memory(n: u64) -> u64 {
    n
}

#[cachier(backend = "file", enable_metrics)]
fn in_files(n: u64) -> u64 {
    n
}

#[cachier(backend = "file", near_cache = 10)]
async fn near(n: u64) -> u64 {
    n
}

#[cachier(backend = "file", key = |n| n, enable_metrics)]
fn by_key(n: u64) -> u64 {
    n
}

#[cachier(backend = "file", enable_metrics)]
fn generic<T: serde::Serialize + std::hash::Hash>(value: T) -> u64 {
    let _ = value;
    1
}

#[cachier(backend = "memory")]
fn generic_in_memory<T: Clone + std::hash::Hash + Eq + Send + Sync + 'static>(value: T) -> u64 {
    let _ = value;
    1
}

struct Shop;

trait Lookup {
    async fn lookup(&self, id: u64) -> u64;
}

#[cachier::methods]
impl Lookup for Shop {
    #[cachier(backend = "file", skip(self))]
    async fn lookup(&self, id: u64) -> u64 {
        id
    }
}

fn named(name: &str) -> String {
    format!("e2e::expected::{name}")
}

const LOOKUP: &str = "<e2e::expected::Shop as e2e::expected::Lookup>::lookup";

#[test]
fn expected_functions_are_found_before_their_first_call() {
    in_folder(|_| {
        let in_memory_name = named("in_memory");
        assert!(cachier::function(&in_memory_name).is_none());
        cachier::expect([in_memory::handle(), in_files::handle(), by_key::handle()]);
        assert!(cachier::functions().is_empty());
        for name in ["in_memory", "in_files", "by_key"].map(named) {
            let known = cachier::function(&name).unwrap();
            assert_eq!(known.name(), name);
            assert_eq!(known.usage().unwrap().entries, Some(0));
            assert_eq!(known.clear_cache().unwrap(), Some(0));
            assert_eq!(known.stats().unwrap().calls, 0);
            known.clear_being_calculated().unwrap();
        }
        assert_eq!(
            cachier::function(&in_memory_name).unwrap().backend(),
            "memory"
        );
        assert_eq!(
            cachier::function(&named("by_key")).unwrap().backend(),
            "file"
        );
        assert!(cachier::function(&named("nothing")).is_none());
    });
}

#[test]
fn what_was_found_follows_the_first_call() {
    in_folder(|_| {
        cachier::expect([in_memory::handle(), by_key::handle(), by_key::handle()]);
        let (memory, files) = (named("in_memory"), named("by_key"));
        let (memory, files) = (
            cachier::function(&memory).unwrap(),
            cachier::function(&files).unwrap(),
        );
        let _ = (in_memory(1), by_key(1), by_key(2));
        assert_eq!(memory.usage().unwrap().entries, Some(1));
        assert_eq!(files.usage().unwrap().entries, Some(2));
        assert_eq!(files.stats().unwrap().misses, 2);
        assert_eq!(memory.clear_cache().unwrap(), Some(1));
        assert_eq!(files.clear_cache().unwrap(), Some(2));
    });
}

#[tokio::test]
async fn entries_of_other_processes_are_reached() {
    in_folder_async(async |_| {
        let _ = (in_files(1), by_key(1), near(1).await, Shop.lookup(1).await);
        in_another_process(|| {
            cachier::expect([
                in_files::handle(),
                near::handle(),
                by_key::handle(),
                Shop::lookup_cache().handle(),
            ]);
            for name in [
                named("in_files"),
                named("near"),
                named("by_key"),
                LOOKUP.to_owned(),
            ] {
                let known = cachier::function(&name).unwrap();
                assert_eq!(known.usage().unwrap().entries, Some(1), "{name}");
                assert_eq!(known.clear_cache().unwrap(), Some(1), "{name}");
            }
        });
        assert_eq!(Shop::lookup_cache().peek(&Shop, 1).await.unwrap(), None);
    })
    .await;
}

#[test]
fn a_generic_functions_stored_usage_is_unknown() {
    in_folder(|_| {
        cachier::expect([generic::handle(), generic_in_memory::handle()]);
        let known = cachier::function(&named("generic")).unwrap();
        assert_eq!(
            (known.usage().unwrap().entries, known.clear_cache().unwrap()),
            (None, None)
        );
        let known = cachier::function(&named("generic_in_memory")).unwrap();
        assert_eq!(known.clear_cache().unwrap(), Some(0));
        let _ = (generic(1_u8), generic_in_memory("a"));
        assert_eq!(known.usage().unwrap().entries, Some(1));
        assert_eq!(known.clear_cache().unwrap(), Some(1));
    });
}
