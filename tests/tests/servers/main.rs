//! Cached functions on real servers: the same behaviour, one computation across processes, and no call blocked by a
//! broken store.
#![allow(clippy::unwrap_used)]

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
mod forks;
mod gone;
mod hung;
mod lost;
mod near;
mod overtaken;
mod processes;
mod recovery;
mod rights;
mod room;
mod secrets;
mod spied;
mod store;
mod teardown;
mod verify;

/// Defines a module of tests per store; a test is a function of a `Store`.
macro_rules! on_every_store {
    ($($test:ident)*) => {
        $crate::on_every_store!(@ file: File, [$($test)*]);
        $crate::on_every_store!(@ redis: Redis, [$($test)*]);
        $crate::on_every_store!(@ sqlite: Sqlite, [$($test)*]);
        $crate::on_every_store!(@ postgres: Postgres, [$($test)*]);
        $crate::on_every_store!(@ mariadb: MariaDb, [$($test)*]);
        $crate::on_every_store!(@ mongo: Mongo, [$($test)*]);
        $crate::on_every_store!(@ s3: S3, [$($test)*]);
        $crate::on_every_store!(@ moto: Moto, [$($test)*]);
    };
    (@ $module:ident: $store:ident, [$($test:ident)*]) => {
        mod $module {
            $(
                #[test]
                fn $test() {
                    $crate::store::Store::$store.run(concat!(module_path!(), "::", stringify!($test)), super::$test);
                }
            )*
        }
    };
}
use on_every_store;

/// The same per server.
macro_rules! on_every_server {
    ($($test:ident)*) => {
        $crate::on_every_store!(@ redis: Redis, [$($test)*]);
        $crate::on_every_store!(@ postgres: Postgres, [$($test)*]);
        $crate::on_every_store!(@ mariadb: MariaDb, [$($test)*]);
        $crate::on_every_store!(@ mongo: Mongo, [$($test)*]);
    };
}
use on_every_server;
