//! A custom backend: `cargo run --release --bin own_backend`.
//!
//! It keeps entries in a map, where a real one would use the client of some store. `cargo test -p cachier-examples
//! --bin own_backend` runs the conformance suite on it. Optional parts (leases between processes, clean-up, a bound)
//! are left to their defaults.
#![expect(clippy::print_stdout, reason = "a program that tells what it does")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cachier::{Backend, CallOptions, Error, Usage, cachier};
use cachier_backends::conformance::{PROPERTIES, Property, Subject};
use cachier_backends::{
    BoxFuture, Capabilities, Capability, EntryVersion, Key, Loaded, Scope, StoreReply, StoreRequest,
};
use futures_lite::future::block_on;

/// Keeps entries in memory; clones share them, like two connections to one store.
#[derive(Clone, Default)]
struct MapBackend {
    entries: Arc<Mutex<Entries>>,
}

/// By the text of the key; bytes are kept as they are.
type Entries = BTreeMap<String, (Key, Vec<u8>)>;

impl MapBackend {
    fn with<T>(&self, use_entries: impl FnOnce(&mut Entries) -> T) -> T {
        use_entries(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The entry sizes of all versions of a function.
    fn sizes(&self, scope: &Arc<Scope>) -> Vec<usize> {
        self.with(|entries| {
            let of_scope = entries.values().filter(|(key, _)| key.scope() == scope);
            of_scope.map(|(_, bytes)| bytes.len()).collect()
        })
    }
}

impl Backend for MapBackend {
    fn kind(&self) -> &str {
        "map"
    }

    fn store_name(&self) -> String {
        "the memory of this process".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE.with(Capability::Usage)
    }

    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        Box::pin(async move {
            let bytes = self.with(|entries| Some(entries.get(&key.to_string())?.1.clone()));
            Ok(bytes.map(|bytes| {
                let version = EntryVersion::of_content(&bytes);
                Loaded::new(bytes, version)
            }))
        })
    }

    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        Box::pin(async move {
            let entry = (key.clone(), request.entry.to_vec());
            self.with(|entries| entries.insert(key.to_string(), entry));
            Ok(StoreReply::Stored { evicted: 0 })
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool> {
        Box::pin(async move { Ok(self.with(|entries| entries.remove(&key.to_string()).is_some())) })
    }

    fn clear<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
        Box::pin(async move {
            let removed = self.sizes(scope).len();
            self.with(|entries| entries.retain(|_, (key, _)| key.scope() != scope));
            Ok(Some(removed as u64))
        })
    }

    fn usage<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Usage> {
        Box::pin(async move {
            let sizes = self.sizes(scope);
            let (entries, bytes) = (sizes.len(), sizes.iter().sum::<usize>());
            Ok(Usage::new(Some(entries as u64), Some(bytes as u64)))
        })
    }
}

/// Uses the backend that the program registers as `map`.
#[cachier(backend = registered("map"), version = 1, enable_metrics)]
fn anagram(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

fn main() -> Result<(), Error> {
    let backend = MapBackend::default();
    cachier::register_backend("map", backend.clone())?;
    for word in ["listen", "silent", "listen"] {
        let call = anagram::call_detailed(CallOptions::new(), word);
        println!("{word}: {} ({call})", call.value);
    }
    println!("\nheld: {:?}", anagram::usage()?);
    backend.with(|entries| entries.keys().for_each(|key| println!("  {key}")));
    println!("ready: {}\n", cachier::check()[0]);

    for (_, property) in PROPERTIES {
        try_one(*property);
    }
    println!(
        "the conformance suite tried {} properties and found no fault",
        PROPERTIES.len()
    );
    Ok(())
}

/// Runs one property of the conformance suite on a new store.
fn try_one(property: Property) {
    let store = MapBackend::default();
    let subject = Subject::new(|| Arc::new(store.clone()));
    block_on(property(&subject));
}

#[cfg(test)]
mod tests {
    cachier_backends::conformance_tests!(super::try_one);
}
