//! Settings of a program or its environment for all functions.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use cachier::testing::{Clock, isolated};
use cachier::{
    CallOptions, ErrorKind, GlobalParams, Outcome, cachier, global_params, set_global_params,
};
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::process::{Process, part, say};
use cachier_tests::sandbox::in_folder;
use cachier_tests::{count, double, identity};

const HOUR: Duration = Duration::from_secs(3600);

mod billing {
    use super::*;

    #[cachier(backend = "memory", enable_metrics)]
    pub(super) fn invoice(number: u64) -> u64 {
        number
    }
}

mod shipping {
    use super::*;

    #[cachier(backend = "memory", enable_metrics)]
    pub(super) fn label(number: u64) -> u64 {
        number
    }
}

/// The outcomes of two consecutive calls of each.
fn outcomes() -> [Outcome; 4] {
    let options = CallOptions::new;
    [
        billing::invoice::call_detailed(options(), 1).outcome,
        billing::invoice::call_detailed(options(), 1).outcome,
        shipping::label::call_detailed(options(), 1).outcome,
        shipping::label::call_detailed(options(), 1).outcome,
    ]
}

#[test]
fn all_caches_can_be_switched_off_and_on() {
    use Outcome::{Bypass, Hit, Miss};
    isolated(|| {
        cachier::disable_caching();
        assert_eq!(outcomes(), [Bypass; 4]);
        assert_eq!(billing::invoice::metrics().stats().bypassed, 2);
        cachier::enable_caching();
        assert_eq!(outcomes(), [Miss, Hit, Miss, Hit]);
        cachier::disable_caching();
        // The ordinary call as well, which first looks in memory.
        billing::invoice(1);
        assert_eq!(billing::invoice::metrics().stats().bypassed, 3);
    });
}

#[test]
fn whether_caching_is_on_can_be_asked() {
    let is_enabled = |name: &str| {
        let known = cachier::functions().into_iter();
        let mut known = known.filter(|known| known.name().ends_with(name));
        known.next().unwrap().is_enabled()
    };
    isolated(|| {
        assert!(cachier::is_caching_enabled());
        outcomes();
        cachier::disable("*::billing::*");
        assert!(cachier::is_caching_enabled(), "but for some functions");
        assert!(!is_enabled("::invoice") && is_enabled("::label"));
        cachier::disable_caching();
        assert!(!cachier::is_caching_enabled() && !is_enabled("::label"));
        cachier::enable_caching();
        assert!(cachier::is_caching_enabled() && is_enabled("::invoice"));
    });
}

#[test]
fn some_caches_can_be_switched_off_by_name() {
    use Outcome::{Bypass, Hit, Miss};
    isolated(|| {
        cachier::disable("*::billing::*");
        assert_eq!(outcomes(), [Bypass, Bypass, Miss, Hit]);
        cachier::enable_caching();
        assert_eq!(outcomes(), [Miss, Hit, Hit, Hit]);
        cachier::disable("*::shipping::label");
        assert_eq!(outcomes(), [Hit, Hit, Bypass, Bypass]);
    });
}

#[test]
fn the_environment_can_switch_caches_off() {
    if part().is_some() {
        return say(format!(
            "{:?} {}",
            outcomes(),
            cachier::is_caching_enabled()
        ));
    }
    let said = |disabled: &str| {
        let test = "switches::the_environment_can_switch_caches_off";
        let process = Process::start(test, "call", |command| {
            command.env("CACHIER_DISABLED", disabled);
        });
        process.last_line()
    };
    assert_eq!(said("1"), "[Bypass, Bypass, Bypass, Bypass] false");
    assert_eq!(
        said("*::billing::*,*::nobody"),
        "[Bypass, Bypass, Miss, Hit] true"
    );
    assert_eq!(said("0"), "[Miss, Hit, Miss, Hit] true");
}

/// The backend and the outcome of a call.
#[cachier]
fn stored(number: u64) -> u64 {
    number
}

#[test]
fn the_environment_tells_apart_namespaces_secrets_and_backends() {
    if part().is_some() {
        let call = stored::call_detailed(CallOptions::new(), 1);
        let error = call.backend_error.map(|error| error.kind());
        return say(format!("{} {error:?}", call.outcome));
    }
    let folder = tempfile::tempdir().unwrap();
    let said = |variables: &[(&str, &str)]| {
        let test = "switches::the_environment_tells_apart_namespaces_secrets_and_backends";
        let process = Process::start(test, "call", |command| {
            let variables = variables.iter().copied();
            command
                .env("CACHIER_CACHE_DIR", folder.path())
                .envs(variables);
        });
        process.last_line()
    };
    for variables in [
        [("CACHIER_NAMESPACE", "staging")],
        [("CACHIER_NAMESPACE", "production")],
        [("CACHIER_KEY_SECRET", "one")],
        [("CACHIER_KEY_SECRET", "another")],
    ] {
        assert_eq!(said(&variables), "miss None", "{variables:?}");
        assert_eq!(said(&variables), "hit None", "{variables:?}");
    }
    let unknown = [("CACHIER_BACKEND", "nobody")];
    assert_eq!(said(&unknown), "unavailable Some(NotRegistered)");
}

#[test]
fn global_params_apply_at_call_time() {
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "memory")]
    fn open(_key: u8) -> Option<u64> {
        Some(RUNS.next()).filter(|run| *run > 1)
    }

    #[cachier(backend = "memory", stale_after = "100h", allow_none = false)]
    fn decided(_key: u8) -> Option<u64> {
        Some(RUNS.next()).filter(|run| *run > 5)
    }

    isolated(|| {
        set_global_params(GlobalParams::new().stale_after(HOUR).allow_none(true));
        assert_eq!([open(1), open(1)], [None, None]);
        assert_eq!(RUNS.get(), 1, "`None` is allowed by the program");
        Clock::advance(2 * HOUR);
        assert_eq!(open(1), Some(2));
        Clock::advance(2 * HOUR);
        set_global_params(global_params().stale_after(9 * HOUR));
        assert_eq!(
            open(1),
            Some(2),
            "the new parameter holds for what is stored already"
        );

        for _ in 3..=5 {
            assert_eq!(decided(1), None);
        }
        assert_eq!(decided(1), Some(6));
        Clock::advance(50 * HOUR);
        assert_eq!(decided(1), Some(6), "the attribute outranks the program");
    });
}

#[test]
fn namespaces_do_not_meet() {
    count!(RUNS, backend = "file");

    in_folder(|_| {
        let [staging, production] =
            ["staging", "production"].map(|name| global_params().namespace(name));
        set_global_params(staging.clone());
        assert_eq!(count(1), 1);
        set_global_params(production);
        assert_eq!(count(1), 2);
        assert_eq!(count::clear_cache().unwrap(), Some(1));
        set_global_params(staging);
        assert_eq!(count(1), 1);
    });
}

#[test]
fn the_program_chooses_the_default_backend() {
    double!();

    in_folder(|folder| {
        let map = cachier_tests::backend::MapBackend::default();
        cachier::register_backend("sessions", map.clone()).unwrap();
        double(1);
        assert_eq!((double::cache_dir(), map.asked()), (folder.to_owned(), 0));
        cachier::set_default_backend("sessions").unwrap();
        double(1);
        assert!(map.asked() > 0);
        assert_eq!(cachier::functions()[0].backend(), "sessions");
    });
}

#[test]
fn a_missing_default_backend_is_refused() {
    double!();

    in_folder(|_| {
        cachier::set_default_backend("sql").unwrap();
        cachier::set_default_backend("file").unwrap();
        let error = cachier::set_default_backend("flie").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotRegistered);
        let said = error.to_string();
        let names = [
            "`flie`",
            "`file`, `redis`, `sql`, `mongo`, `s3`",
            "register_backend",
        ];
        assert!(names.iter().all(|name| said.contains(name)), "{said}");
        let error = cachier::set_default_backend("memory").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotRegistered);
        // All is as it was.
        let call = double::call_detailed(CallOptions::new(), 1);
        assert_eq!((call.value, call.outcome), (2, Outcome::Miss));
        let said = error.to_string();
        assert!(
            said.contains("write `backend = \"memory\"` at the functions"),
            "{said}"
        );
        assert!(!said.contains("register_backend"), "{said}");
    });
}

#[test]
fn strict_programs_need_explicit_addresses() {
    identity!(in_sql, backend = "sql");

    identity!(in_redis, backend = "redis");

    identity!(in_mongo, backend = "mongo");

    if part().is_some() {
        let errors = [in_sql::peek(1), in_redis::peek(1), in_mongo::peek(1)];
        for error in errors {
            say(error.map_or_else(|error| error.to_string(), |_| "no error".to_owned()));
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "switches::strict_programs_need_explicit_addresses";
    let strict = Process::start(test, "caller", |command| {
        command.env("CACHIER_STRICT", "1");
        command.env("CACHIER_CACHE_DIR", folder.path());
        for kind in ["SQL", "REDIS", "MONGO"] {
            command.env_remove(format!("CACHIER_{kind}_URL"));
        }
    });
    for kind in ["SQL", "REDIS", "MONGO"] {
        let error = strict.line();
        assert!(
            error.contains(&format!("CACHIER_{kind}_URL is not set")),
            "{error}"
        );
    }
    strict.finish();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_environment_bounds_the_threads_of_background_work() {
    static BODIES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    static TOGETHER: Gate = Gate::new();

    #[cachier(backend = "memory", stale_after = "1h", next_time)]
    fn double(number: u64) -> u64 {
        let thread = format!("{:?}", std::thread::current().id());
        BODIES.lock().unwrap().insert(thread);
        if part().as_deref() == Some("many threads") && BODIES.lock().unwrap().len() > 1 {
            TOGETHER.wait();
        }
        number * 2
    }

    let Some(part) = part() else {
        let test = "switches::the_environment_bounds_the_threads_of_background_work";
        for (part, workers) in [("one thread", "1"), ("many threads", "3")] {
            let process = Process::start(test, part, |command| {
                command.env("CACHIER_MAX_WORKERS", workers);
            });
            assert_eq!(process.last_line(), workers);
        }
        return;
    };
    isolated(|| {
        (0..20).for_each(|number| _ = double(number));
        Clock::advance(2 * HOUR);
        (0..20).for_each(|number| _ = double(number));
        if part == "many threads" {
            TOGETHER.until_arrived(3);
            TOGETHER.open();
        }
        cachier::flush();
        // One of them is the caller's own, which computed first.
        say(BODIES.lock().unwrap().len() - 1);
    });
}
