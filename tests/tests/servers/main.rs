//! Cached functions on real servers: the same behaviour, one computation across processes, and no call blocked by a
//! broken store.
#![allow(clippy::unwrap_used)]

mod ages;
mod at_once;
mod calls;
mod cluster;
mod cost;
mod crowd;
mod deep;
mod entries;
mod expected;
mod faults;
#[cfg(unix)]
mod forked_near;
#[cfg(unix)]
mod forked_waits;
mod forks;
mod forks_in_tasks;
mod gated;
mod gone;
mod hung;
mod late_removals;
mod late_stores;
mod lost;
mod near;
mod observed;
mod overtaken;
mod pauses;
mod processes;
mod published;
mod recovery;
mod rights;
mod room;
mod runbook;
#[cfg(target_os = "linux")]
mod scarcity;
mod secrets;
mod stale;
mod store;
mod teardown;
mod unreached;
mod unstorable;
mod verify;

/// Defines a module of tests per store; a test is a function of a `Subject`. With `if guard:` before them, only subjects
/// that the guard lets pass are tried.
macro_rules! on_stores {
    ([$($module:ident: $store:ident),*] $tests:tt) => {
        $($crate::on_stores!(@ $module $store $tests);)*
    };
    (@ $module:ident $store:ident {if $guard:ident: $($test:ident)*}) => {
        mod $module {
            $(
                #[test]
                fn $test() {
                    let path = concat!(module_path!(), "::", stringify!($test));
                    $crate::store::Store::$store.run(path, |subject| {
                        if super::$guard(subject) {
                            super::$test(subject);
                        }
                    });
                }
            )*
        }
    };
    (@ $module:ident $store:ident {$($test:ident)*}) => {
        mod $module {
            $(
                #[test]
                fn $test() {
                    let path = concat!(module_path!(), "::", stringify!($test));
                    $crate::store::Store::$store.run(path, super::$test);
                }
            )*
        }
    };
}
use on_stores;

/// The same on every store.
macro_rules! on_every_store {
    ($($tests:tt)*) => {
        $crate::on_every_server! { $($tests)* }
        $crate::on_stores!([file: File, sqlite: Sqlite, s3: S3, moto: Moto] {$($tests)*});
    };
}
use on_every_store;

/// The same on every server but those for S3.
macro_rules! on_every_server {
    ($($tests:tt)*) => {
        $crate::on_stores!([redis: Redis, postgres: Postgres, mariadb: MariaDb, mongo: Mongo] {$($tests)*});
    };
}
use on_every_server;
