//! All kinds of results.

use std::borrow::Cow;
use std::hash::Hash;
use std::rc::Rc;
use std::sync::Arc;
use std::{fmt, io};

use cachier::cachier;
use cachier_tests::sandbox::{in_folder, in_folder_async};

#[cachier(backend = "memory")]
fn fallible(n: u8) -> io::Result<u8> {
    n.checked_add(1)
        .ok_or_else(|| io::Error::other("too large"))
}

type Outcome<T> = Result<T, NotClone>;

#[derive(Debug, PartialEq)]
struct NotClone;

#[cachier(backend = "memory")]
fn aliased(n: u8) -> Outcome<String> {
    if n == 0 {
        Err(NotClone)
    } else {
        Ok(n.to_string())
    }
}

#[test]
fn only_what_is_ok_is_cached() {
    in_folder(|_| {
        assert_eq!(fallible(1).unwrap(), 2);
        assert!(fallible(255).is_err());
        assert_eq!(fallible::peek(1).unwrap(), Some(2));
        assert_eq!(fallible::usage().unwrap().entries, Some(1));
        assert_eq!(aliased(0), Err(NotClone));
        assert_eq!(aliased(3), Ok("3".to_owned()));
        assert_eq!(aliased::peek(3).unwrap().as_deref(), Some("3"));
        aliased::precache_value(0, "zero".to_owned()).unwrap();
        assert_eq!(aliased(0), Ok("zero".to_owned()));
    });
}

#[cachier(backend = "memory")]
fn optional(n: u8) -> Option<u8> {
    n.checked_sub(1)
}

#[cachier(backend = "memory", allow_none)]
fn optional_with_none(n: u8) -> Option<u8> {
    n.checked_sub(1)
}

#[cachier(backend = "file", allow_none)]
fn optional_in_files(n: u8) -> Option<u8> {
    n.checked_sub(1)
}

#[test]
fn none_is_cached_only_with_allow_none() {
    in_folder(|_| {
        assert_eq!((optional(0), optional(1)), (None, Some(0)));
        assert_eq!(optional::usage().unwrap().entries, Some(1));
        optional::precache_value(0, 7).unwrap();
        assert_eq!(optional(0), Some(7));
        assert_eq!(
            (optional_with_none(0), optional_with_none(1)),
            (None, Some(0))
        );
        assert_eq!(optional_with_none::peek(0).unwrap(), Some(None));
        assert_eq!(optional_with_none::usage().unwrap().entries, Some(2));
        optional_with_none::precache_value(1, None).unwrap();
        assert_eq!(optional_with_none(1), None);
        assert_eq!(
            (optional_in_files(0), optional_in_files(1)),
            (None, Some(0))
        );
        assert_eq!(optional_in_files::peek(0).unwrap(), Some(None));
    });
}

type Fallible<T> = Result<T, NotClone>;

type Perhaps = Option<Found>;

#[derive(Clone, Debug, PartialEq)]
struct Found(u8);

#[cachier(backend = "memory", key = |n| n)]
fn aliased_with_key(n: u8) -> fmt::Result {
    if n == 0 { Err(fmt::Error) } else { Ok(()) }
}

#[cachier(backend = "memory")]
fn aliased_and_generic<T: Into<u64> + Clone + Hash + Eq + Send + Sync + 'static>(
    n: T,
) -> Fallible<u64> {
    Ok(n.into())
}

struct Shelf;

impl Shelf {
    #[cachier(backend = "memory", skip(self))]
    fn fallible(&self, n: u8) -> Fallible<Found> {
        n.checked_sub(1).map(Found).ok_or(NotClone)
    }

    #[cachier(backend = "memory", skip(self))]
    async fn optional(&self, n: u8) -> Perhaps {
        n.checked_sub(1).map(Found)
    }

    #[cachier(backend = "memory", skip(self), allow_none)]
    fn optional_with_none(&self, n: u8) -> Perhaps {
        n.checked_sub(1).map(Found)
    }
}

struct Pair<T>(T, T);

impl<Item: Clone + Send + Sync + 'static> Pair<Item> {
    #[cachier(backend = "memory", skip(self), companion = false)]
    fn first(&self) -> Fallible<Item> {
        Ok(self.0.clone())
    }

    #[cachier(backend = "memory", skip(self))]
    fn both(&self) -> Vec<Item> {
        vec![self.0.clone(), self.1.clone()]
    }

    #[cachier(backend = "memory", skip(self))]
    fn number(&self) -> Fallible<u8> {
        Ok(2)
    }
}

#[tokio::test]
async fn aliases_are_seen_through_in_erased_calls() {
    in_folder_async(async |_| {
        assert_eq!(
            (aliased_with_key(0), aliased_with_key(1)),
            (Err(fmt::Error), Ok(()))
        );
        assert_eq!(aliased_with_key::usage().unwrap().entries, Some(1));
        assert_eq!(aliased_and_generic(3_u8), Ok(3));
        assert_eq!(aliased_and_generic::peek(3_u8).unwrap(), Some(3));
        assert_eq!(
            (Shelf.fallible(0), Shelf.fallible(1)),
            (Err(NotClone), Ok(Found(0)))
        );
        assert_eq!(
            Shelf::fallible_cache().peek(&Shelf, 1).unwrap(),
            Some(Found(0))
        );
        assert_eq!(Shelf::fallible_cache().usage().unwrap().entries, Some(1));
        assert_eq!(Shelf.optional(1).await, Some(Found(0)));
        let cache = Shelf::optional_cache();
        cache.precache_value(&Shelf, 0, Found(7)).await.unwrap();
        assert_eq!(Shelf.optional(0).await, Some(Found(7)));
        assert_eq!(Shelf.optional_with_none(0), None);
        let peeked = Shelf::optional_with_none_cache().peek(&Shelf, 0);
        assert_eq!(peeked.unwrap(), Some(None));
        let pair = Pair(1_u8, 2);
        assert_eq!(
            (pair.first(), pair.both(), pair.number()),
            (Ok(1), vec![1, 2], Ok(2))
        );
        let number = Pair::<u8>::number_cache().peek(&pair);
        assert_eq!(number.unwrap(), Some(2));
    })
    .await;
}

#[cachier(backend = "memory")]
fn nested(n: u8) -> Result<Option<Vec<u8>>, String> {
    Ok(n.checked_sub(1).map(|n| vec![n]))
}

#[cachier(backend = "memory")]
fn statics(n: u8) -> (&'static str, Cow<'static, str>) {
    if n == 0 {
        ("none", Cow::Borrowed("0"))
    } else {
        ("some", Cow::Owned(n.to_string()))
    }
}

#[cachier(backend = "memory")]
fn shared(n: usize) -> Arc<dyn Fn(&str) -> usize + Send + Sync> {
    Arc::new(move |text| text.len() + n)
}

#[cachier(backend = "memory")]
fn pointer(n: usize) -> fn(&str) -> &str {
    if n == 0 { str::trim } else { str::trim_start }
}

#[test]
fn values_of_any_type() {
    in_folder(|_| {
        assert_eq!(nested(1), Ok(Some(vec![0])));
        assert_eq!(nested::peek(1).unwrap(), Some(Some(vec![0])));
        assert_eq!(statics(0), statics(0));
        assert_eq!(shared(1)("ab"), 3);
        assert!(Arc::ptr_eq(&shared(1), &shared(1)));
        assert_eq!(pointer(0)(" a "), "a");
    });
}

type Sendable = Box<dyn std::error::Error + Send + Sync>;

#[cachier(backend = "memory")]
async fn sendable(n: u64) -> Result<u64, Sendable> {
    tokio::task::yield_now().await;
    n.checked_sub(1).ok_or_else(|| "too small".into())
}

#[cachier(backend = "file")]
async fn at_home(n: u64) -> Result<u64, Box<dyn std::error::Error>> {
    let n = Rc::new(n);
    tokio::task::yield_now().await;
    n.checked_sub(1).ok_or_else(|| "too small".into())
}

#[cachier(backend = "file", stale_after = "0s", next_time)]
async fn sendable_later(n: u64) -> Result<u64, Sendable> {
    sendable(n).await
}

struct AtHome;

impl AtHome {
    #[cachier(backend = "memory", skip(self))]
    async fn sendable(&self, n: u64) -> Result<u64, Sendable> {
        sendable_later(n).await
    }

    #[cachier(backend = "memory", skip(self), companion = false)]
    async fn method(&self, n: u64) -> Result<u64, Box<dyn std::error::Error>> {
        at_home(n).await
    }
}

#[tokio::test]
async fn futures_are_send_if_function_and_result_are() {
    fn sent<F: Future + Send>(future: F) -> F {
        future
    }

    in_folder_async(async |_| {
        assert_eq!(sent(sendable(3)).await.unwrap(), 2);
        assert!(sent(sendable(0)).await.is_err());
        assert_eq!(sent(sendable::peek(3)).await.unwrap(), Some(2));
        assert_eq!(sent(AtHome.sendable(3)).await.unwrap(), 2);
        assert_eq!(sent(sendable_later(3)).await.unwrap(), 2);
        cachier::flush_async().await;
        assert_eq!(AtHome.method(3).await.unwrap(), 2);
        assert!(AtHome.method(0).await.is_err());
        assert_eq!(at_home::peek(3).await.unwrap(), Some(2));
    })
    .await;
}
