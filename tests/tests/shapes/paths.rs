//! Arguments that serde partly refuses: paths that are not UTF-8, and times before 1970.
#![allow(clippy::ptr_arg, clippy::boxed_local)]

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cachier::{CallOptions, ErrorKind, Outcome, cachier};
use cachier_tests::sandbox::{in_folder, in_folder_async};

use crate::with_database;

/// A path that is not valid text.
fn odd(name: u8) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&[b'a', b'/', name]))
}

/// Two paths that look alike as lossy text, each requested twice.
fn twice() -> impl Iterator<Item = (&'static Path, Outcome)> {
    let path = |bytes: &'static [u8]| Path::new(OsStr::from_bytes(bytes));
    let both = [path(b"a/\xff"), path(b"a/\xfe")];
    both.into_iter()
        .flat_map(|path| [(path, Outcome::Miss), (path, Outcome::Hit)])
}

/// Functions of something containing a path, on each kind of backend: two paths are two keys, and the second call with
/// each is a hit.
macro_rules! two_keys {
    ($($name:ident: $type:ty, |$path:ident| $make:expr;)*) => {$(
        mod $name {
            #![allow(clippy::needless_pass_by_value, dead_code)]
            use super::*;

            #[cachier(backend = "memory")]
            fn in_memory(_number: u8, _value: $type) -> u8 { 1 }
            #[cachier(backend = "file")]
            fn in_files(_number: u8, _value: $type) -> u8 { 1 }
            #[cachier(backend = registered("database"))]
            fn in_a_database(_number: u8, _value: $type) -> u8 { 1 }
            #[cachier(backend = "file", near_cache = 10)]
            fn in_front_of_files(_number: u8, _value: $type) -> u8 { 1 }
            #[cachier(backend = "file")]
            async fn asynchronously(_number: u8, _value: $type) -> u8 { 1 }

            #[test]
            fn is_told_apart() {
                in_folder(|folder| {
                    with_database(folder);
                    for ($path, expected) in twice() {
                        let options = CallOptions::new;
                        let calls = [
                            in_memory::call_detailed(options(), 1, $make),
                            in_files::call_detailed(options(), 1, $make),
                            in_a_database::call_detailed(options(), 1, $make),
                            in_front_of_files::call_detailed(options(), 1, $make),
                        ];
                        for call in calls {
                            assert_eq!(call.outcome, expected, "{call}");
                        }
                    }
                });
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(in_folder_async(async |_| {
                    for ($path, expected) in twice() {
                        let call = asynchronously::call_detailed(CallOptions::new(), 1, $make).await;
                        assert_eq!(call.outcome, expected, "{call}");
                    }
                }));
            }
        }
    )*};
}

two_keys! {
    path: &Path, |path| path;
    path_buf: PathBuf, |path| path.to_owned();
    path_buf_by_reference: &PathBuf, |path| &path.to_owned();
    os_str: &OsStr, |path| path.as_os_str();
    os_string: OsString, |path| path.as_os_str().to_owned();
    optional_path: Option<&Path>, |path| Some(path);
    optional_path_buf: Option<PathBuf>, |path| Some(path.to_owned());
    optional_path_buf_by_reference: Option<&PathBuf>, |path| Some(&path.to_owned());
    nested_options: Option<Option<PathBuf>>, |path| Some(Some(path.to_owned()));
    list: Vec<PathBuf>, |path| vec![path.to_owned()];
    slice: &[PathBuf], |path| &[path.to_owned()];
    array: [PathBuf; 2], |path| [path.to_owned(), PathBuf::new()];
    pair: (PathBuf, u8), |path| (path.to_owned(), 1);
    pair_with_text: (String, PathBuf), |path| ("x".to_owned(), path.to_owned());
    triple: (u8, Option<OsString>, bool), |path| (1, Some(path.as_os_str().to_owned()), true);
    shared: Arc<Path>, |path| Arc::from(path);
    boxed: Box<Path>, |path| Box::from(path);
    cow: Cow<'static, Path>, |path| Cow::Borrowed(path);
    sorted_set: BTreeSet<PathBuf>, |path| BTreeSet::from([path.to_owned()]);
    distant_times: (SystemTime, PathBuf), |path| (SystemTime::UNIX_EPOCH - Duration::from_secs(1), path.to_owned());
}

#[cachier(backend = "file")]
fn sets(_paths: &HashSet<PathBuf>, _numbers: &HashSet<u32>) -> u8 {
    1
}

#[test]
fn sets_of_paths_have_no_order() {
    in_folder(|_| {
        let names = || (0..100u8).map(|name| PathBuf::from(OsStr::from_bytes(&[0xff, name])));
        let numbers = (0..100).collect();
        sets(&names().collect(), &numbers);
        let call = sets::call_detailed(CallOptions::new(), &names().rev().collect(), &numbers);
        assert_eq!(call.outcome, Outcome::Hit);
    });
}

#[cachier(backend = "file")]
fn at(time: SystemTime, _since: Option<SystemTime>) -> bool {
    time < SystemTime::UNIX_EPOCH
}

#[test]
fn times_before_1970_are_keys() {
    in_folder(|_| {
        let away = Duration::new(1_000_000_000, 1);
        let times = [
            SystemTime::UNIX_EPOCH - away,
            SystemTime::UNIX_EPOCH - Duration::from_nanos(1),
            SystemTime::UNIX_EPOCH,
            SystemTime::UNIX_EPOCH + Duration::from_nanos(1),
            SystemTime::UNIX_EPOCH + away,
        ];
        for (time, since) in times
            .iter()
            .flat_map(|time| [(*time, None), (*time, Some(*time))])
        {
            for expected in [Outcome::Miss, Outcome::Hit] {
                let call = at::call_detailed(CallOptions::new(), time, since);
                assert_eq!(call.outcome, expected, "{call}");
            }
        }
    });
}

/// A type whose path only serde sees.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize)]
struct Place {
    path: PathBuf,
}

#[cachier(backend = "file")]
fn read(number: u8, place: &Place, again: u8) -> u8 {
    number + again + place.path.as_os_str().len() as u8
}

#[cachier(backend = "file", near_cache = 10)]
async fn read_later(number: u8, place: Vec<Place>) -> u8 {
    number + place.len() as u8
}

#[test]
fn the_argument_that_cannot_be_serialized_is_named() {
    let place = || Place { path: odd(0xff) };
    in_folder(|_| {
        let call = read::call_detailed(CallOptions::new(), 1, &place(), 2);
        assert_eq!(call.outcome, Outcome::Bypass);
        let error = call.backend_error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Codec);
        let message = error.to_string();
        assert!(
            message.contains("the argument `place` cannot be serialized"),
            "{message}"
        );
        let error = read::invalidate(1, &place(), 2).unwrap_err().to_string();
        assert!(error.contains("`place`"), "{error}");
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(in_folder_async(async |_| {
        let call = read_later::call_detailed(CallOptions::new(), 1, vec![place()]).await;
        let message = call.backend_error.unwrap().to_string();
        assert!(
            message.contains("the argument `place` cannot be serialized"),
            "{message}"
        );
    }));
}

#[cachier(backend = "file", key = |path, number| (path, number))]
fn by_key(path: &Path, number: u8) -> u8 {
    number + path.as_os_str().len() as u8
}

#[test]
fn a_key_may_hold_paths_beside_other_arguments() {
    in_folder(|_| {
        for (path, expected) in twice() {
            let call = by_key::call_detailed(CallOptions::new(), path, 1);
            assert_eq!(call.outcome, expected, "{call}");
        }
    });
}

#[cachier(backend = "file", key = |place| place.clone())]
fn by_place(place: &Place) -> u8 {
    place.path.as_os_str().len() as u8
}

#[test]
fn errors_distinguish_keys_from_arguments() {
    in_folder(|_| {
        let place = Place { path: odd(0xff) };
        let call = by_place::call_detailed(CallOptions::new(), &place);
        assert_eq!(call.outcome, Outcome::Bypass);
        let message = call.backend_error.unwrap().to_string();
        assert!(
            message.contains("what `key = ..` gives cannot be serialized"),
            "{message}"
        );
        assert!(message.contains("let it give"), "{message}");
    });
}
