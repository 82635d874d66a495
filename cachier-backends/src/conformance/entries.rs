//! Loading, storing, removing and clearing.

use std::sync::Arc;

use super::subject::Subject;
use super::support::{entry, key_of, moment, succeeded};
use crate::backend::{StoreReply, StoreRequest};
use crate::key::{Key, KeyHash, Scope, Version};

pub(super) async fn absent_entries_are_none(subject: &Subject) {
    assert_eq!(subject.bytes(&subject.key(1)).await, None);
    assert!(!succeeded(subject.backend.remove(&subject.key(1)).await));
    let cleared = succeeded(subject.backend.clear(&subject.scope("function")).await);
    assert!(cleared.is_none_or(|count| count == 0));
}

pub(super) async fn entries_come_back_as_they_were(subject: &Subject) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let values = [&[], &[0][..], &every_byte, &every_byte.repeat(1000)];
    for (number, value) in values.into_iter().enumerate() {
        let key = subject.key(number as u8);
        subject.store(&key, &entry(value)).await;
        assert_eq!(subject.bytes(&key).await, Some(entry(value)));
        let elsewhere = succeeded(subject.other.load(&key).await);
        assert_eq!(elsewhere.map(|loaded| loaded.bytes), Some(entry(value)));
    }
}

pub(super) async fn large_entries_come_back_or_are_refused(subject: &Subject) {
    let large = entry(&vec![7; 16 << 20]);
    let key = subject.key(1);
    let request = StoreRequest::new(&large, moment(0));
    let there = match subject.try_store(request, &key).await {
        StoreReply::Stored { .. } => Some(large),
        StoreReply::TooLarge => None,
        reply @ StoreReply::Superseded => panic!("{reply:?} without a lease"),
    };
    assert!(subject.bytes(&key).await == there, "not what was stored");
}

pub(super) async fn a_store_replaces_the_entry(subject: &Subject) {
    let key = subject.key(1);
    for value in [b"one".as_slice(), b"another", b"3"] {
        subject.store(&key, &entry(value)).await;
        assert_eq!(subject.bytes(&key).await, Some(entry(value)));
    }
}

pub(super) async fn a_version_is_that_of_one_entry(subject: &Subject) {
    let key = subject.key(1);
    subject.store(&key, &entry(b"one")).await;
    let first = subject.version(&key).await;
    let elsewhere = succeeded(subject.other.load(&key).await);
    assert_eq!(first, subject.version(&key).await);
    assert_eq!(first, elsewhere.map(|loaded| loaded.version));

    subject.store(&key, &entry(b"two")).await;
    assert_ne!(first, subject.version(&key).await);
}

pub(super) async fn keys_do_not_meet(subject: &Subject) {
    let scope = subject.scope("function");
    let key = |version, hash| Key::new(Arc::clone(&scope), version, KeyHash::from_bytes(hash));
    let mut almost = [1; 32];
    almost[31] = 2;
    let keys = [
        key(Version::Number(1), [1; 32]),
        key(Version::Number(1), [2; 32]),
        key(Version::Number(1), almost),
        key(Version::Number(2), [1; 32]),
        key(Version::Code(1), [1; 32]),
        key(Version::Unversioned, [1; 32]),
        key_of(&subject.scope("function2"), 1),
    ];
    are_told_apart(subject, &keys).await;
}

pub(super) async fn names_of_every_kind_are_told_apart(subject: &Subject) {
    let long = "long".repeat(100);
    let functions = [
        "",
        ".",
        "..",
        "../x",
        "/",
        "a/b",
        "a",
        "A",
        "a::b",
        "a%3A%3Ab",
        "a b",
        "a\0b",
        "~",
        "con",
        "con.x",
        "é",
        "e\u{301}",
        "日本語",
        "🦀",
        "<a::B<T> as C>::d",
        "{tag}",
        "a*",
        "$a",
        "a.",
        "'; --",
        "\\",
        ".ledger",
        &long,
    ];
    let same_start = format!("{long}x");
    let mut keys: Vec<Key> = functions
        .into_iter()
        .chain([same_start.as_str()])
        .map(|function| key_of(&subject.scope(function), 1))
        .collect();
    for suffix in ["/function", "..", "🦀"] {
        let namespace = format!("{}{suffix}", subject.namespace);
        let scope = Arc::new(Scope::new(namespace, "function"));
        keys.push(key_of(&scope, 1));
    }
    are_told_apart(subject, &keys).await;
    for key in &keys {
        succeeded(subject.backend.clear(key.scope()).await);
    }
}

pub(super) async fn remove_says_whether_there_was_an_entry(subject: &Subject) {
    let (key, neighbour) = (subject.key(1), subject.key(2));
    subject.store(&key, &entry(b"one")).await;
    subject.store(&neighbour, &entry(b"two")).await;
    assert!(succeeded(subject.other.remove(&key).await));
    assert_eq!(subject.bytes(&key).await, None);
    assert!(!succeeded(subject.backend.remove(&key).await));
    assert_eq!(subject.bytes(&neighbour).await, Some(entry(b"two")));
}

pub(super) async fn clear_removes_one_function_in_all_versions(subject: &Subject) {
    let (scope, neighbour) = (subject.scope("function"), subject.scope("function_two"));
    for version in [Version::Unversioned, Version::Number(1), Version::Code(9)] {
        for hash in [[1; 32], [2; 32], [129; 32]] {
            let key = Key::new(Arc::clone(&scope), version, KeyHash::from_bytes(hash));
            subject.store(&key, &entry(b"x")).await;
        }
    }
    subject.store(&key_of(&neighbour, 1), &entry(b"y")).await;

    let cleared = succeeded(subject.backend.clear(&scope).await);
    assert!(cleared.is_none_or(|count| count == 9), "{cleared:?}");
    assert_eq!(subject.bytes(&key_of(&scope, 1)).await, None);
    let kept = subject.bytes(&key_of(&neighbour, 1)).await;
    assert_eq!(kept, Some(entry(b"y")));
}

pub(super) async fn the_store_is_ready(subject: &Subject) {
    succeeded(subject.backend.check().await);
    assert!(!subject.backend.kind().is_empty());
    assert!(!subject.backend.store_name().is_empty());
}

/// Stores another entry under each key, and checks that each key has its own.
async fn are_told_apart(subject: &Subject, keys: &[Key]) {
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(subject.bytes(key).await, None, "{key}");
        subject.store(key, &entry(&[number as u8])).await;
    }
    for (number, key) in keys.iter().enumerate() {
        let own = Some(entry(&[number as u8]));
        assert_eq!(subject.bytes(key).await, own, "{key}");
    }
}
