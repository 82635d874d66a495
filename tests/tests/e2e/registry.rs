//! Cached functions by name, and duplicate names.

use cachier::testing::isolated;
use std::hash::Hash;

use cachier::{CallOptions, Error, ErrorKind, Outcome, PrometheusExporter, cachier, functions};
use cachier_tests::backend::{Fault, with_map};
use cachier_tests::outcome;
use cachier_tests::sandbox::{in_folder, in_folder_async};
use futures_lite::future::block_on;

#[test]
fn a_called_function_is_reachable_by_name() {
    #[cachier(backend = "memory", name = "square", enable_metrics)]
    fn square(number: u64) -> u64 {
        number * number
    }

    isolated(|| {
        assert!(cachier::function("square").is_none());
        square(4);
        let known = cachier::function("square").unwrap();
        assert_eq!(
            (known.name(), known.backend().as_str()),
            ("square", "memory")
        );
        assert_eq!(known.metrics().unwrap().stats().misses, 1);
        assert_eq!(known.usage().unwrap().entries, Some(1));
        known.clear_being_calculated().unwrap();
        assert_eq!(known.clear_cache().unwrap(), Some(1));
        assert_eq!(square::peek(4).unwrap(), None);
        let names: Vec<_> = cachier::functions()
            .iter()
            .map(|known| known.name())
            .collect();
        assert_eq!(names, ["square"]);
    });
}

trait Twice {
    fn twice(&self) -> u64;
}

impl Twice for u8 {
    #[cachier(backend = "memory", name = "two", companion = false, enable_metrics, key = |self| *self)]
    fn twice(&self) -> u64 {
        2 * u64::from(*self)
    }
}

impl Twice for u16 {
    #[cachier(backend = "memory", name = "two", companion = false, enable_metrics, key = |self| *self)]
    fn twice(&self) -> u64 {
        2 * u64::from(*self)
    }
}

#[test]
fn functions_of_one_name_are_one_for_people() {
    isolated(|| {
        (0..3).for_each(|_| _ = 7_u8.twice());
        (0..5).for_each(|_| _ = 7_u16.twice());
        let names: Vec<_> = functions().iter().map(|known| known.name()).collect();
        assert_eq!(names, ["two"; 2]);
        let known = cachier::function("two").unwrap();
        assert_eq!(known.stats().unwrap().calls, 8);
        assert_eq!(known.usage().unwrap().entries, Some(2));
        assert_eq!(known.clear_cache().unwrap(), Some(2));
        assert_eq!(known.usage().unwrap().entries, Some(0));

        let exporter = PrometheusExporter::builder().port(0).build().unwrap();
        for function in functions() {
            exporter
                .register_function(function.metrics().unwrap())
                .unwrap();
        }
        let text = exporter.render();
        let calls = |outcome| {
            format!(
                "cachier_calls_total{{function=\"two\",backend=\"memory\",outcome=\"{outcome}\"}}"
            )
        };
        assert!(text.contains(&format!("{} 6\n", calls("hit"))), "{text}");
        assert!(text.contains(&format!("{} 2\n", calls("miss"))), "{text}");
    });
}

#[test]
fn an_instantiation_can_be_reached_alone() {
    #[cachier(backend = "memory", name = "sum")]
    fn sum<T: Copy + Into<u64> + Hash + Eq + Send + Sync + 'static>(number: T) -> u64 {
        number.into()
    }

    isolated(|| {
        sum(1_u8);
        sum(1_u16);
        assert_eq!(
            cachier::function("sum").unwrap().usage().unwrap().entries,
            Some(2)
        );
        let alone = cachier::function("sum<u8>").unwrap();
        assert_eq!(alone.name(), "sum");
        assert_eq!(alone.clear_cache().unwrap(), Some(1));
        assert_eq!(
            cachier::function("sum").unwrap().usage().unwrap().entries,
            Some(1)
        );
    });
}

#[tokio::test]
async fn async_access_by_name_does_not_block() {
    #[cachier(backend = "file", name = "cube")]
    async fn cube(number: u64) -> u64 {
        number.pow(3)
    }

    in_folder_async(async |folder| {
        cube(4).await;
        let known = cachier::function("cube").unwrap();
        assert_eq!(known.usage_async().await.unwrap().entries, Some(1));
        known.clear_being_calculated_async().await.unwrap();
        assert_eq!(known.clear_cache_async().await.unwrap(), Some(1));
        assert_eq!(cube::peek(4).await.unwrap(), None);

        let health = cachier::check_async().await;
        assert!(health[0].is_healthy(), "{}", health[0]);
        assert_eq!(health[0].store, folder.display().to_string());
    })
    .await;
}

#[test]
fn a_failed_clear_leaves_no_other_entries() {
    #[cachier(backend = registered("map"), name = "quotient")]
    fn quotient<T>(number: T) -> u64
    where
        T: Copy + Into<u64> + Hash + Eq + serde::Serialize + Send + Sync + 'static,
    {
        number.into() / 2
    }

    type Clear = fn() -> Result<Option<u64>, Error>;
    let clears: [Clear; 2] = [
        || cachier::function("quotient").unwrap().clear_cache(),
        || block_on(cachier::function("quotient").unwrap().clear_cache_async()),
    ];
    for clear in clears {
        with_map(|map| {
            assert_eq!((quotient(4_u8), quotient(4_u16)), (2, 2));
            map.set(Fault::FailsOnce(ErrorKind::Denied));
            assert_eq!(clear().unwrap_err().kind(), ErrorKind::Denied);
            let outcomes = [
                quotient::call_detailed(CallOptions::new(), 4_u8).outcome,
                quotient::call_detailed(CallOptions::new(), 4_u16).outcome,
            ];
            // Whichever comes first fails.
            let stays = outcomes.map(|outcome| outcome == Outcome::Hit);
            assert_eq!(u8::from(stays[0]) + u8::from(stays[1]), 1, "{outcomes:?}");
        });
    }
}

macro_rules! async_by_name {
    ($($test:ident: $name:tt, $backend:tt;)*) => {$(
        #[tokio::test]
        async fn $test() {
            #[cachier(backend = $backend, name = $name)]
            async fn sum<T>(number: T) -> u64
            where
                T: Copy + Into<u64> + Hash + Eq + serde::Serialize + Send + Sync + 'static,
            {
                number.into()
            }

            in_folder_async(async |_| {
                assert_eq!((sum(1_u8).await, sum(1_u16).await), (1, 1));
                let known = cachier::function($name).unwrap();
                assert_eq!(known.usage_async().await.unwrap().entries, Some(2));
                known.clear_being_calculated_async().await.unwrap();
                assert_eq!(known.clear_cache_async().await.unwrap(), Some(2));
                assert_eq!(known.usage_async().await.unwrap().entries, Some(0));
            })
            .await;
        }
    )*};
}

async_by_name! {
    async_operations_reach_a_whole_name_in_memory: "sum_in_memory", "memory";
    async_operations_reach_a_whole_name_in_files: "sum_in_files", "file";
}

#[test]
fn a_duplicate_name_bypasses_the_cache() {
    #[cachier(backend = "file", name = "twice", enable_metrics)]
    fn one(number: u64) -> u64 {
        number + 1
    }

    #[cachier(backend = "file", name = "twice", enable_metrics)]
    fn two(number: u64) -> u64 {
        number + 2
    }

    in_folder(|_| {
        assert_eq!(one(1), 2);
        for _ in 0..2 {
            let call = two::call_detailed(CallOptions::new(), 1);
            assert_eq!((call.value, call.outcome), (3, Outcome::Bypass));
            assert_eq!(call.backend_error.unwrap().kind(), ErrorKind::Identity);
        }
        assert_eq!(two(1), 3);
        let stats = two::metrics().stats();
        assert_eq!((stats.bypassed, stats.backend_errors), (3, 1));
        // As an exporter adds them up.
        let of_both = cachier::function("twice").unwrap().stats().unwrap();
        assert_eq!((of_both.calls, of_both.bypassed), (4, 3));
        cachier::disable_caching();
        cachier::enable_caching();
        assert_eq!(two(1), 3, "switching on does not bring it back");
        assert_eq!(outcome!(one(1)), Outcome::Hit);
    });
}

#[test]
fn a_duplicates_companion_spares_the_firsts_entries() {
    #[cachier(backend = "file", name = "thrice")]
    fn one(number: u64) -> u64 {
        number + 1
    }

    #[cachier(backend = "file", name = "thrice")]
    fn two(number: u64) -> u64 {
        number + 2
    }

    in_folder(|_| {
        assert_eq!((one(1), two(1)), (2, 3));
        let kinds = [
            two::peek(1).unwrap_err().kind(),
            two::invalidate(1).unwrap_err().kind(),
            two::precache_value(1, 9).unwrap_err().kind(),
            two::clear_cache().unwrap_err().kind(),
            two::clear_being_calculated().unwrap_err().kind(),
            two::usage().unwrap_err().kind(),
        ];
        assert_eq!(kinds, [ErrorKind::Identity; 6]);
        assert_eq!(one::peek(1).unwrap(), Some(2));
        assert_eq!(one::usage().unwrap().entries, Some(1));
    });
}

#[test]
fn a_duplicates_companion_fails_before_any_call() {
    #[cachier(backend = "file", name = "taken", key = |number| number)]
    fn one(number: u64) -> u64 {
        number + 1
    }

    #[cachier(backend = "file", name = "taken", key = |number| number)]
    fn two(number: u64) -> u64 {
        number + 2
    }

    in_folder(|_| {
        assert_eq!(one(1), 2);
        assert_eq!(two::clear_cache().unwrap_err().kind(), ErrorKind::Identity);
        assert_eq!(one::clear_cache().unwrap(), Some(1));
        assert_eq!(one(1), 2);
        assert_eq!(two(1), 3);
        assert_eq!(two::clear_cache().unwrap_err().kind(), ErrorKind::Identity);
        assert_eq!(one::peek(1).unwrap(), Some(2));
    });
}
