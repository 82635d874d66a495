//! Parameters of the program that turn on what attributes leave to it.

use std::time::Duration;

use cachier::testing::Clock;
use cachier::{CallOptions, GlobalParams, Outcome, Tier, cachier, set_global_params};
use cachier_tests::gate::Counter;
use cachier_tests::sandbox::{in_folder, in_folder_async};
use cachier_tests::{count, count_async, double};

const HOUR: Duration = Duration::from_secs(3600);

/// Parameters beside the folder of the test.
fn set(change: impl FnOnce(GlobalParams) -> GlobalParams) {
    set_global_params(change(cachier::global_params()));
}

macro_rules! left_to_the_parameters {
    ($($name:ident: ($($argument:tt)*);)*) => {$(
        #[test]
        fn $name() {
            count!(RUNS, $($argument)*, stale_after = "1h", next_time = auto);

            fn stale() -> (u64, Outcome) {
                Clock::advance(2 * HOUR);
                let call = count::call_detailed(CallOptions::new(), 1);
                cachier::flush();
                (call.value, call.outcome)
            }

            in_folder(|_| {
                count(1);
                assert_eq!(stale(), (2, Outcome::Miss));
                set(|params| params.next_time(true));
                assert_eq!(stale(), (2, Outcome::Stale));
                assert_eq!(stale(), (3, Outcome::Stale));
                set(|params| params.next_time(false));
                assert_eq!(stale(), (5, Outcome::Miss));
            });
        }
    )*};
}

left_to_the_parameters! {
    next_time_is_left_to_parameters_in_memory: (backend = "memory");
    next_time_is_left_to_parameters_on_files: (backend = "file");
    next_time_is_left_to_parameters_near: (backend = "file", near_cache = 10);
}

#[tokio::test]
async fn next_time_is_left_to_parameters_in_tasks() {
    count_async!(
        RUNS,
        backend = "memory",
        stale_after = "1h",
        next_time = auto
    );

    in_folder_async(async |_| {
        count(1).await;
        set(|params| params.next_time(true));
        Clock::advance(2 * HOUR);
        let call = count::call_detailed(CallOptions::new(), 1).await;
        assert_eq!((call.value, call.outcome), (1, Outcome::Stale));
        cachier::flush_async().await;
        assert_eq!(count(1).await, 2);
    })
    .await;
}

#[test]
fn an_attribute_outranks_the_parameter_next_time() {
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "memory", stale_after = "1h", next_time = false)]
    fn never(_key: u8) -> u64 {
        RUNS.next()
    }

    #[cachier(backend = "memory", stale_after = "1h")]
    fn left_out(_key: u8) -> u64 {
        RUNS.next()
    }

    #[cachier(backend = "memory", stale_after = "1h", next_time)]
    fn always(_key: u8) -> u64 {
        RUNS.next()
    }

    in_folder(|_| {
        let outcomes = || {
            let options = CallOptions::new;
            [
                never::call_detailed(options(), 1).outcome,
                left_out::call_detailed(options(), 1).outcome,
                always::call_detailed(options(), 1).outcome,
            ]
        };
        outcomes();
        for next_time in [true, false] {
            set(|params| params.next_time(next_time));
            Clock::advance(2 * HOUR);
            let expected = [Outcome::Miss, Outcome::Miss, Outcome::Stale];
            assert_eq!(outcomes(), expected, "{next_time}");
            cachier::flush();
        }
    });
}

#[test]
fn parameters_have_stale_values_stand_in() {
    #[cachier(backend = "memory", stale_after = "1h", retry_after = "0s")]
    fn fails(key: u8) -> Result<u8, String> {
        static RUNS: Counter = Counter::new();
        match RUNS.next() {
            1 => Ok(key),
            _ => Err("down".to_owned()),
        }
    }

    in_folder(|_| {
        assert_eq!(fails(1), Ok(1));
        Clock::advance(2 * HOUR);
        assert!(fails(1).is_err());
        set(|params| params.stale_on_error(2 * HOUR));
        assert_eq!(fails(1), Ok(1));
        Clock::advance(2 * HOUR);
        assert!(fails(1).is_err());
    });
}

#[test]
fn parameters_bound_the_age_of_near_values() {
    double!(backend = "file", near_cache = 10);

    in_folder(|_| {
        let tier = || double::call_detailed(CallOptions::new(), 1).tier;
        tier();
        assert_eq!(tier(), Some(Tier::Near));
        Clock::advance(Duration::from_secs(31));
        assert_eq!(tier(), Some(Tier::Backend));
        set(|params| params.near_stale_after(HOUR));
        tier();
        Clock::advance(Duration::from_secs(31));
        assert_eq!(tier(), Some(Tier::Near));
        set(|params| params.near_stale_after(Duration::from_secs(10)));
        assert_eq!(tier(), Some(Tier::Backend));
        Clock::advance(Duration::from_secs(11));
        assert_eq!(tier(), Some(Tier::Backend));
    });
}
