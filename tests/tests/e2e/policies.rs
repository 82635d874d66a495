//! `policy`: what attributes leave out comes from parameters with a name.

use std::time::Duration;

use cachier::testing::{Clock, isolated};
use cachier::{
    CallOptions, ErrorKind, GlobalParams, Outcome, RefreshAfter, cachier, check, expect,
    global_params, register_policy, set_global_params,
};
use cachier_tests::sandbox::{in_folder, in_folder_async};
use cachier_tests::{count, count_async, double};

const HOUR: Duration = Duration::from_secs(3600);

fn hours(hours: u32) -> GlobalParams {
    GlobalParams::new().stale_after(hours * HOUR)
}

macro_rules! follows {
    ($($name:ident: ($($argument:tt)*);)*) => {$(
        #[test]
        fn $name() {
            count!(RUNS, $($argument)*, policy = "sessions");

            in_folder(|_| {
                let after = |passed| {
                    Clock::advance(passed);
                    count(1)
                };
                set_global_params(global_params().stale_after(HOUR));
                // Nobody has registered it: the program's parameters count.
                assert_eq!((count(1), after(2 * HOUR)), (1, 2));
                register_policy("sessions", hours(10));
                assert_eq!((after(2 * HOUR), after(9 * HOUR)), (2, 3));
                // From the next call on.
                register_policy("sessions", hours(3));
                assert_eq!((after(2 * HOUR), after(2 * HOUR)), (3, 4));
                register_policy("others", hours(99));
                assert_eq!(after(4 * HOUR), 5);
            });
        }
    )*};
}

follows! {
    a_policy_counts_in_memory: (backend = "memory");
    a_policy_counts_on_files: (backend = "file");
    a_policy_counts_near: (backend = "file", near_cache = 10, near_stale_after = "9d");
}

#[test]
fn the_attribute_outranks_the_policy() {
    count!(
        RUNS,
        backend = "memory",
        policy = "long",
        stale_after = "1h"
    );

    isolated(|| {
        register_policy("long", hours(10));
        count(1);
        Clock::advance(2 * HOUR);
        assert_eq!(count(1), 2);
    });
}

#[tokio::test]
async fn a_policy_switches_what_is_compiled_in() {
    count_async!(
        RUNS,
        backend = "memory",
        policy = "served",
        next_time = auto,
        refresh_after = auto
    );

    in_folder_async(async |_| {
        let call = async || {
            let call = count::call_detailed(CallOptions::new(), 1).await;
            cachier::flush_async().await;
            (call.value, call.outcome)
        };
        // The program's are not asked.
        set_global_params(global_params().next_time(true));
        register_policy("served", hours(1));
        call().await;
        Clock::advance(2 * HOUR);
        assert_eq!(call().await, (2, Outcome::Miss));
        register_policy("served", hours(1).next_time(true));
        Clock::advance(2 * HOUR);
        assert_eq!(call().await, (2, Outcome::Stale));
        assert_eq!(call().await, (3, Outcome::Hit));
        register_policy(
            "served",
            hours(1).refresh_after(RefreshAfter::from(HOUR / 2)),
        );
        Clock::advance(HOUR / 2);
        assert_eq!(call().await, (3, Outcome::Hit));
        assert_eq!(call().await, (4, Outcome::Hit));
    })
    .await;
}

#[test]
fn places_stay_the_programs() {
    double!(backend = "file", policy = "elsewhere");

    in_folder(|folder| {
        register_policy("elsewhere", hours(1).namespace("another"));
        double(1);
        assert_eq!(double::cache_dir(), folder);
        register_policy("elsewhere", global_params());
        let call = double::call_detailed(CallOptions::new(), 1);
        assert_eq!(call.outcome, Outcome::Hit, "in the same namespace");
    });
}

/// What a check says of policies, each a line.
fn told() -> Vec<String> {
    let policies = check().into_iter().filter(|health| health.name == "policy");
    let lines = policies.map(|health| {
        let error = health
            .error
            .expect("a policy is listed for its error alone");
        assert_eq!(error.kind(), ErrorKind::NotRegistered);
        format!("{}: {error}", health.store)
    });
    lines.collect()
}

#[test]
fn a_check_tells_what_cannot_be_followed() {
    double!(backend = "memory", policy = "fast");

    isolated(|| {
        assert_eq!(told(), [""; 0]);
        expect([double::handle()]);
        let [missing] = &told()[..] else {
            panic!("{:?}", told())
        };
        assert!(missing.starts_with("fast: ") && missing.contains("register_policy(\"fast\", ..)"));
        double(1);
        assert_eq!(told().len(), 1, "once for each function");

        register_policy("fast", hours(1).next_time(true));
        let [next_time] = &told()[..] else {
            panic!("{:?}", told())
        };
        assert!(next_time.contains("`next_time = auto`"), "{next_time}");
        register_policy("fast", hours(1).refresh_after(RefreshAfter::Early));
        let [refresh_after] = &told()[..] else {
            panic!("{:?}", told())
        };
        assert!(
            refresh_after.contains("`refresh_after = auto`"),
            "{refresh_after}"
        );
        register_policy("fast", hours(1));
        assert_eq!(told(), [""; 0]);
    });
}

#[test]
fn nothing_is_wrong_with_what_is_compiled_in() {
    #[cachier(backend = "memory", policy = "full", next_time = auto, refresh_after = early)]
    fn full(n: u64) -> u64 {
        n
    }

    #[cachier(
        backend = "memory",
        policy = "full",
        next_time = false,
        refresh_after = false
    )]
    fn plain(n: u64) -> u64 {
        n
    }

    isolated(|| {
        expect([full::handle(), plain::handle()]);
        register_policy(
            "full",
            hours(1).next_time(true).refresh_after(RefreshAfter::Early),
        );
        assert_eq!(told(), [""; 0]);
    });
}
