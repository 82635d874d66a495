//! Every kind of result.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use cachier::cachier;
use cachier_tests::sandbox::in_folder;

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
