//! Generic functions: one cache per instantiation.

use std::fmt::Display;
use std::hash::Hash;
use std::str::FromStr;

use cachier::{CallOptions, ErrorKind, Outcome, cachier};
use cachier_tests::sandbox::{in_folder, in_folder_async};

#[cachier(backend = "memory", enable_metrics)]
fn parsed<T>(text: &str) -> Option<T>
where
    T: FromStr + Clone + Send + Sync + 'static,
{
    text.parse().ok()
}

#[test]
fn a_type_that_no_argument_tells() {
    in_folder(|_| {
        assert_eq!(parsed::<u8>("7"), Some(7));
        assert_eq!(parsed::<u8>("7"), Some(7));
        assert_eq!(parsed::<String>("7").as_deref(), Some("7"));
        assert_eq!(parsed::peek::<u8>("7").unwrap(), Some(7));
        assert_eq!(parsed::peek::<u16>("7").unwrap(), None);
        let stats = parsed::metrics().stats();
        assert_eq!((stats.hits, stats.misses), (1, 2));
        assert_eq!(parsed::clear_cache().unwrap(), Some(2));
    });
}

#[cachier(backend = "file", next_time, stale_after = "0s")]
fn repeated<T: Display + Clone + Send + serde::Serialize + 'static, const N: usize>(
    value: &T,
) -> Vec<String> {
    vec![value.to_string(); N]
}

#[test]
fn constants_tell_instantiations_apart() {
    in_folder(|_| {
        assert_eq!(repeated::<_, 2>(&1), ["1", "1"]);
        assert_eq!(repeated::<_, 3>(&1).len(), 3);
        assert_eq!(repeated::<_, 2>(&1).len(), 2);
        assert_eq!(
            repeated::peek::<_, 2>(&1).unwrap().map(|list| list.len()),
            Some(2)
        );
        cachier::flush();
    });
}

#[cachier(backend = "memory")]
fn length(text: impl AsRef<str> + Hash + Eq + Clone + Send + Sync + 'static) -> usize {
    text.as_ref().len()
}

#[test]
fn an_argument_of_some_type() {
    in_folder(|_| {
        assert_eq!(length("ab"), 2);
        assert_eq!(length("abc".to_owned()), 3);
        assert_eq!(length::peek("ab").unwrap(), Some(2));
        assert_eq!(length::peek("ab".to_owned()).unwrap(), None);
    });
}

#[cachier(backend = "memory", key = |items| items.len())]
fn total<'a, T>(items: &'a [T]) -> u64
where
    T: Copy + Into<u64>,
    &'a [T]: Sized,
{
    items.iter().map(|item| (*item).into()).sum()
}

#[test]
fn a_where_clause_with_lifetimes() {
    in_folder(|_| {
        assert_eq!(total(&[1_u8, 2]), 3);
        assert_eq!(total(&[9_u8, 9]), 3);
        assert_eq!(total(&[9_u16, 9]), 18);
    });
}

#[cachier(backend = "memory", next_time, stale_after = "0s")]
async fn joined<T: Display + Clone + Hash + Eq + Send + Sync + 'static>(
    one: &[T],
    other: Option<&T>,
) -> String {
    tokio::task::yield_now().await;
    let mut joined: String = one.iter().map(ToString::to_string).collect();
    if let Some(other) = other {
        joined += &other.to_string();
    }
    joined
}

#[tokio::test]
async fn an_async_generic_function_in_the_background() {
    in_folder_async(async |_| {
        assert_eq!(joined(&[1, 2], Some(&3)).await, "123");
        assert_eq!(joined(&[1, 2], Some(&3)).await, "123");
        cachier::flush_async().await;
        assert_eq!(joined::peek(&["a"], None).await.unwrap(), None);
    })
    .await;
}

#[cachier(backend = "memory", skip(function))]
fn applied<F: Fn(u64) -> u64>(function: F, number: u64) -> u64 {
    function(number)
}

#[test]
fn types_that_share_their_name_share_no_entries() {
    let (one, ten) = (|number| number + 1, |number| number + 10);
    in_folder(|_| {
        assert_eq!((applied(one, 1), applied(one, 1)), (2, 2));
        assert_eq!(applied(ten, 1), 11);
        for (function, value) in [(one as fn(u64) -> u64, 3), (ten, 12)] {
            assert_eq!(applied(function, 2), value, "a type of another name");
            assert!(applied::invalidate(function, 2).unwrap());
        }
        let call = applied::call_detailed(CallOptions::new(), one, 1);
        assert_eq!((call.value, call.outcome), (2, Outcome::Bypass));
        assert_eq!(call.backend_error.unwrap().kind(), ErrorKind::Identity);
        let error = applied::precache_value(ten, 1, 5).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Identity);
    });
    in_folder(|_| {
        assert_eq!((applied(ten, 1), applied(one, 1)), (11, 2));
    });
}
