//! The values that each argument accepts, and the message and span of each error.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::arguments::NAMES;
use super::values::Switch;
use super::*;
use crate::diagnostics::Errors;

fn read(source: &str) -> (Arguments, Vec<(String, String)>) {
    let mut errors = Errors::default();
    let written = crate::parse::arguments(source.parse().unwrap(), &mut errors);
    let arguments = Arguments::new(&written, &mut errors);
    (arguments, errors.described())
}

fn accepted(source: &str) -> Arguments {
    let (arguments, errors) = read(source);
    assert!(errors.is_empty(), "{source}: {errors:?}");
    arguments
}

#[track_caller]
fn refused(source: &str, message: &str, place: &str) {
    let (_, errors) = read(source);
    assert_eq!(errors, [(message.to_owned(), place.to_owned())], "{source}");
}

#[test]
fn every_argument_is_accepted() {
    const SOURCE: &str = "backend = \"redis\", stale_after = \"10m\", jitter = \"10%\", refresh_after = \"80%\", next_time, \
         max_stale = \"1d\", stale_on_error = \"1h\", retry_after = \"5s\", wait_for_calc_timeout = \"5s\", \
         allow_none, cache_if = |value| *value > 0, entry_size_limit = \"10KB\", verify = false, \
         cleanup_stale = true, cleanup_interval = \"1d\", capacity = 10, capacity_bytes = 1 << 20, near_cache = 10_000, \
         near_stale_after = \"30s\", cache_dir = \"/tmp\", key = |a, b: &u8| (a, *b), skip(c, self), version = none, \
         name = \"users\", policy = \"sessions\", enable_metrics = true, metrics_sampling_rate = 0.1, \
         operation_timeout = \"250ms\", on_backend_error = \"propagate\", in_impl, companion = other, crate = crate::cache";
    accepted(SOURCE);
    for name in NAMES {
        assert!(SOURCE.contains(name), "{name}");
    }
}

#[test]
fn values_are_refreshed_after_a_time_or_share() {
    let after = |source| accepted(source).refresh_after.unwrap().value;
    let is_known = |source| matches!(after(source), RefreshAfter::Age(Time::Known(_)));
    assert!(is_known("refresh_after = \"8m\""));
    assert!(matches!(
        after("refresh_after = \"80%\""),
        RefreshAfter::Share(800_000)
    ));
    assert!(matches!(
        after("refresh_after = early"),
        RefreshAfter::Early
    ));
    assert!(matches!(after("refresh_after = auto"), RefreshAfter::Auto));
    let never = after("refresh_after = false");
    assert!(matches!(never, RefreshAfter::Never));
    let computed = after("refresh_after = EARLY");
    assert!(matches!(computed, RefreshAfter::Age(Time::Computed(_))));
    let message = "`refresh_after` expects a duration with its unit, a share of `stale_after`, `early`, `auto` or \
                   `false`, for example `refresh_after = \"80%\"`";
    refused("refresh_after", message, "refresh_after");
    refused("refresh_after = 0.8", message, "0.8");
    refused("refresh_after = true", message, "true");
    refused("refresh_after = \"early\"", message, "\"early\"");
    refused("refresh_after = |age| age", message, "|age| age");
    let message = "unknown time `earl`, did you mean `early`?";
    refused("refresh_after = earl", message, "earl");
}

#[test]
fn flags_stand_alone_or_take_a_bool() {
    let flag = |source| accepted(source).verify.unwrap().value.0;
    assert!(flag("verify"));
    assert!(flag("verify = true"));
    assert!(!flag("verify = false"));
    let message = "`verify` stands alone or takes `true` or `false`, for example `verify = true`";
    refused("verify = \"yes\"", message, "\"yes\"");
    refused("verify = auto", message, "auto");
    refused("verify(true)", message, "(true)");
}

#[test]
fn switches_may_be_left_to_the_parameters() {
    let is = |source, expected| accepted(source).next_time.unwrap().value == expected;
    assert!(is("next_time", Switch::On));
    assert!(is("next_time = true", Switch::On));
    assert!(is("next_time = false", Switch::Never));
    assert!(is("next_time = auto", Switch::Auto));
    let message = "`next_time` stands alone or takes `true`, `false` or `auto`, for example `next_time = true`";
    refused("next_time = \"yes\"", message, "\"yes\"");
    refused("next_time = never", message, "never");
    refused("next_time(auto)", message, "(auto)");
}

#[test]
fn durations_are_literals_or_expressions() {
    let time = |source| accepted(source).max_stale.unwrap().value;
    assert!(
        matches!(time("max_stale = \"1h30m\""), Time::Known(d) if d == Duration::from_secs(5400))
    );
    assert!(matches!(
        time("max_stale = Duration::from_secs(3)"),
        Time::Computed(_)
    ));
    let message = "`max_stale` expects a duration with its unit, for example `max_stale = \"10m\"`";
    refused("max_stale = 10", message, "10");
    refused("max_stale", message, "max_stale");
    refused("max_stale = |value| 3", message, "|value| 3");
    refused("max_stale(\"3d\")", message, "(\"3d\")");
    refused(
        "max_stale = \"3 days\"",
        "not a duration: unknown unit ` days`; write whole numbers with the units d, h, m, s, ms, such as \"90s\" or \"1h30m\"",
        "\"3 days\"",
    );
}

#[test]
fn an_age_may_be_of_each_value() {
    let age = |source| accepted(source).stale_after.unwrap().value;
    assert!(matches!(
        age("stale_after = \"1h30m\""),
        Age::OfAll(Time::Known(_))
    ));
    assert!(matches!(
        age("stale_after = own_age"),
        Age::OfAll(Time::Computed(_))
    ));
    assert!(matches!(
        age("stale_after = |value| value.age"),
        Age::OfEach(_)
    ));
    let message = "`stale_after` expects a duration with its unit, or a closure from the value to a duration, for example `stale_after = \"10m\"`";
    assert!(matches!(age("stale_after = (|value| 3)"), Age::OfEach(_)));
    assert!(matches!(age("stale_after = *AGE"), Age::OfAll(_)));
    refused("stale_after = 10", message, "10");
    refused("stale_after = -5", message, "-5");
    refused("stale_after = 60 * (5 + 5)", message, "60 * (5 + 5)");
    refused("stale_after", message, "stale_after");
    refused("stale_after = || 3", message, "|| 3");
    refused(
        "stale_after = async |value| 3",
        "`stale_after` cannot be async",
        "async",
    );
}

#[test]
fn shares_are_percentages_or_expressions() {
    let share = |source| accepted(source).jitter.unwrap().value;
    assert!(matches!(
        share("jitter = \"2.5%\""),
        Percentage::Known(25_000)
    ));
    assert!(matches!(share("jitter = SPREAD"), Percentage::Computed(_)));
    let message = "`jitter` expects a percentage in quotes, of at most \"100%\", or a constant of type `Share`, for example `jitter = \"10%\"`";
    refused("jitter = 0.1", message, "0.1");
    refused("jitter = 10 * (1 + 1)", message, "10 * (1 + 1)");
    refused("jitter = -1", message, "-1");
    refused("jitter", message, "jitter");
    refused(
        "jitter = \"10\"",
        "not a share: it does not end in `%`; write a percentage, such as \"10%\" or \"2.5%\"",
        "\"10\"",
    );
}

#[test]
fn sizes_and_counts_are_numbers_or_expressions() {
    let arguments = accepted(
        "entry_size_limit = \"10KB\", capacity_bytes = LIMIT * 2, capacity = 3, near_cache = N",
    );
    assert!(matches!(
        arguments.entry_size_limit.unwrap().value.0,
        Amount::Known(10_240)
    ));
    assert!(matches!(
        arguments.capacity_bytes.unwrap().value.0,
        Amount::Computed(_)
    ));
    assert!(matches!(
        arguments.capacity.unwrap().value.0,
        Amount::Known(3)
    ));
    assert!(matches!(
        arguments.near_cache.unwrap().value.0,
        Amount::Computed(_)
    ));
    refused(
        "entry_size_limit = \"10kb\"",
        "not a size: unknown unit `kb`; write a whole number with B, KB, MB, GB or TB, such as \"10KB\"",
        "\"10kb\"",
    );
    refused(
        "entry_size_limit = 1.5",
        "`entry_size_limit` expects a size, for example `entry_size_limit = \"10MB\"`",
        "1.5",
    );
    let message = "`capacity` expects a number of entries, for example `capacity = 10_000`";
    refused("capacity = \"10KB\"", message, "\"10KB\"");
    refused("capacity = -1", message, "-1");
    refused("capacity", message, "capacity");
    refused(
        "capacity = 99999999999999999999",
        "`capacity` is too large: the limit is 2^64 - 1",
        "99999999999999999999",
    );
}

#[test]
fn a_rate_is_auto_or_a_share() {
    let rate = |source| accepted(source).sampling_rate.unwrap().value;
    assert!(matches!(rate("sampling_rate = 0.1"), Rate::Known(0.1)));
    assert!(matches!(rate("sampling_rate = 0"), Rate::Known(0.0)));
    assert!(matches!(
        rate("metrics_sampling_rate = 1"),
        Rate::Known(1.0)
    ));
    assert!(matches!(rate("sampling_rate = auto"), Rate::Auto));
    assert!(matches!(rate("sampling_rate = RATE"), Rate::Computed(_)));
    let message = "`sampling_rate` expects `auto` or a share between 0 and 1, for example `sampling_rate = 0.1`";
    refused("sampling_rate = 1.1", message, "1.1");
    refused("sampling_rate = 10", message, "10");
    refused("sampling_rate = -0.5", message, "-0.5");
    refused("sampling_rate = \"10%\"", message, "\"10%\"");
}

#[test]
fn backends_are_known_names_or_registered_ones() {
    let backend = |source| accepted(source).backend.unwrap().value;
    assert!(matches!(
        backend("backend = \"memory\""),
        Backend::BuiltIn(BuiltIn::Memory)
    ));
    assert!(matches!(
        backend("backend = \"s3\""),
        Backend::BuiltIn(BuiltIn::S3)
    ));
    assert!(matches!(
        backend("backend = registered(\"sessions\")"),
        Backend::Registered(_)
    ));
    let message = "`backend` expects \"memory\", \"file\", \"redis\", \"sql\", \"mongo\", \"s3\" or `registered(\"name\")`, \
                   for example `backend = \"memory\"`";
    refused(
        "backend = \"rediss\"",
        "unknown value \"rediss\" of `backend`, did you mean `redis`?",
        "\"rediss\"",
    );
    refused(
        "backend = \"cassandra\"",
        &format!("unknown value \"cassandra\" of `backend`; {message}"),
        "\"cassandra\"",
    );
    refused("backend = memory", message, "memory");
    refused("backend = registered(\"\")", message, "registered(\"\")");
    refused("backend = registered(name)", message, "registered(name)");
    refused("backend = lookup(\"a\")", message, "lookup(\"a\")");
    refused("backend", message, "backend");
}

#[test]
fn on_backend_error_is_one_of_two_words() {
    let reaction = accepted("on_backend_error = \"propagate\"")
        .on_backend_error
        .unwrap()
        .value;
    assert_eq!(reaction, OnBackendError::Propagate);
    refused(
        "on_backend_error = \"propogate\"",
        "unknown value \"propogate\" of `on_backend_error`, did you mean `propagate`?",
        "\"propogate\"",
    );
}

#[test]
fn a_version_is_auto_none_or_a_number() {
    let version = |source| accepted(source).version.unwrap().value;
    assert!(matches!(version("version = auto"), Version::Auto));
    assert!(matches!(version("version = none"), Version::None));
    assert!(matches!(version("version = 2"), Version::Fixed(2)));
    let message = "`version` expects `auto`, `none` or a number, for example `version = 2`";
    refused(
        "version = nome",
        "unknown version `nome`, did you mean `none`?",
        "nome",
    );
    refused(
        "version = V2",
        &format!("unknown version `V2`; {message}"),
        "V2",
    );
    refused("version = \"2\"", message, "\"2\"");
    refused(
        "version = 18446744073709551616",
        "`version` is too large: the limit is 2^64 - 1",
        "18446744073709551616",
    );
}

#[test]
fn names_and_folders_are_not_empty() {
    refused(
        "name = \"\"",
        "`name` expects a string that is not empty, for example `name = \"users\"`",
        "\"\"",
    );
    refused(
        "name = users",
        "`name` expects a string that is not empty, for example `name = \"users\"`",
        "users",
    );
    accepted("cache_dir = std::env::temp_dir()");
    refused(
        "cache_dir = \"\"",
        "`cache_dir` expects a folder, for example `cache_dir = \"/var/cache/app\"`",
        "\"\"",
    );
    refused(
        "cache_dir = 3",
        "`cache_dir` expects a folder, for example `cache_dir = \"/var/cache/app\"`",
        "3",
    );
}

#[test]
fn closures_are_closures() {
    let message = "`key` expects a closure over the arguments that tell calls apart, for example `key = |id, day| (id, day)`";
    refused("key = id", message, "id");
    refused("key = async |id| id", "`key` cannot be async", "async");
    let message = "`cache_if` expects a closure over the value, for example `cache_if = |value| !value.is_empty()`";
    refused("cache_if = is_good", message, "is_good");
    refused("cache_if = |a, b| a > b", message, "|a, b| a > b");
    refused("cache_if", message, "cache_if");
}

#[test]
fn skip_takes_a_list_of_names() {
    let arguments = accepted("skip(self, connection)");
    let skip = arguments.skip.unwrap().value;
    assert!(skip.contains("self") && skip.contains("connection") && !skip.contains("id"));
    let message = "`skip` expects the names of arguments, for example `skip(connection)`";
    refused("skip = connection", message, "connection");
    refused("skip()", message, "()");
    refused("skip(\"a\")", message, "\"a\"");
}

#[test]
fn a_companion_is_a_name_or_false() {
    let companion = |source| accepted(source).companion.unwrap().value;
    assert!(matches!(companion("companion = false"), Companion::Absent));
    assert!(matches!(companion("companion = users"), Companion::Named(name) if name == "users"));
    let message = "`companion` expects another name for the companion, or `false` for none, for example `companion = user_cache`";
    refused("companion = true", message, "true");
    refused("companion = a::b", message, "a::b");
}

#[test]
fn crate_takes_a_path() {
    assert_eq!(
        accepted("crate = ::other::cachier")
            .krate
            .unwrap()
            .value
            .0
            .segments
            .len(),
        2
    );
    refused(
        "crate = \"cachier\"",
        "`crate` expects the path of the runtime crate, for example `crate = ::cachier`",
        "\"cachier\"",
    );
}

#[test]
fn unknown_arguments_are_answered_with_the_nearest_name() {
    refused(
        "stale_affter = \"1d\"",
        "unknown argument `stale_affter`, did you mean `stale_after`?",
        "stale_affter",
    );
    refused(
        "ttl = \"1d\"",
        "unknown argument `ttl`, did you mean `stale_after`?",
        "ttl",
    );
    refused(
        "memory",
        "unknown argument `memory`, did you mean `backend = \"memory\"`?",
        "memory",
    );
    refused(
        "colour = 3",
        "unknown argument `colour`; the page of `cachier::cachier` lists them all",
        "colour",
    );
}

#[test]
fn an_argument_is_given_once() {
    refused(
        "next_time, next_time = false",
        "`next_time` is given twice",
        "next_time",
    );
    refused(
        "sampling_rate = 0.1, metrics_sampling_rate = 0.2",
        "`metrics_sampling_rate` is another name of `sampling_rate`, which is given already",
        "metrics_sampling_rate",
    );
}

#[test]
fn all_errors_come_together() {
    let (arguments, errors) = read("stale_after = 10, colour, capacity = \"x\", next_time");
    assert_eq!(errors.len(), 3);
    assert!(arguments.next_time.is_some());
}

#[test]
fn invisible_groups_around_values_are_ignored() {
    let hidden = proc_macro2::Group::new(proc_macro2::Delimiter::None, "\"10m\"".parse().unwrap());
    let mut errors = Errors::default();
    let written = crate::parse::arguments(quote::quote!(stale_after = #hidden), &mut errors);
    let arguments = Arguments::new(&written, &mut errors);
    assert!(matches!(
        arguments.stale_after.unwrap().value,
        Age::OfAll(Time::Known(_))
    ));
}
