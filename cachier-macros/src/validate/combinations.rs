//! Arguments that need or exclude each other.
//!
//! Rejects combinations that cannot make sense. Allowed are arguments without effect that may get one by a change
//! elsewhere (`next_time` or `refresh_after = early` without `stale_after`, `retry_after` without `stale_on_error`, or
//! `cleanup_interval` without `cleanup_stale`, which the global params may add; `operation_timeout` or `version` with the
//! memory backend).

use proc_macro2::Span;

use crate::diagnostics::Errors;
use crate::model::{Age, Argument, Arguments, Backend, BuiltIn, RefreshAfter, Time, is_off, is_on};
use crate::parse::MAX_SHARE;

/// The argument's span if present, the condition of the error, and its message.
type Rule = (Option<Span>, bool, &'static str);

pub(super) fn check(arguments: &Arguments, errors: &mut Errors) {
    for (given, wrong, message) in rules(arguments) {
        if let (Some(span), true) = (given, wrong) {
            errors.at(span, message);
        }
    }
}

/// The table of combinations.
fn rules(arguments: &Arguments) -> [Rule; 10] {
    let a = arguments;
    let backend = Chosen::of(a);
    [
        (
            span_of(&a.skip),
            a.key.is_some(),
            "`skip` and `key` exclude each other: `key` already leaves out what it does not name",
        ),
        (
            span_of(&a.sampling_rate),
            !is_on(&a.enable_metrics),
            "`sampling_rate` has nothing to sample without `enable_metrics`",
        ),
        (
            span_of(&a.refresh_after),
            refreshes_at_once(a),
            "`refresh_after` of nothing recomputes the value at each hit; give an age or a share",
        ),
        (
            span_of(&a.refresh_after),
            refreshes_never(a),
            "`refresh_after` has no effect from `stale_after` on, where the value is stale; give less than that",
        ),
        (
            span_of(&a.cleanup_interval),
            is_off(&a.cleanup_stale),
            "`cleanup_interval` has no effect with `cleanup_stale = false`",
        ),
        (
            span_of(&a.near_cache),
            backend == Chosen::BuiltIn(BuiltIn::Memory),
            "`near_cache` stands in front of a persistent backend; with `memory`, write `capacity` instead",
        ),
        (
            span_of(&a.near_stale_after),
            a.near_cache.is_none(),
            "`near_stale_after` has no effect without `near_cache`",
        ),
        (
            span_of(&a.cache_dir),
            !matches!(backend, Chosen::Default | Chosen::BuiltIn(BuiltIn::File)),
            "`cache_dir` is the folder of the file backend; write `backend = \"file\"`, or leave it out",
        ),
        (
            span_of(&a.capacity),
            backend != Chosen::BuiltIn(BuiltIn::Memory),
            "`capacity` bounds the memory backend; write `backend = \"memory\"`, or `near_cache` for a bounded tier in front \
             of another backend",
        ),
        (
            span_of(&a.capacity_bytes),
            !matches!(
                backend,
                Chosen::Default | Chosen::BuiltIn(BuiltIn::Memory | BuiltIn::File)
            ),
            "`capacity_bytes` bounds the memory and the file backend; this backend is bounded where it is set up",
        ),
    ]
}

fn refreshes_at_once(arguments: &Arguments) -> bool {
    match value(&arguments.refresh_after) {
        Some(RefreshAfter::Age(Time::Known(age))) => age.is_zero(),
        Some(RefreshAfter::Share(millionths)) => *millionths == 0,
        _ => false,
    }
}

fn refreshes_never(arguments: &Arguments) -> bool {
    match (
        value(&arguments.refresh_after),
        value(&arguments.stale_after),
    ) {
        (Some(RefreshAfter::Age(Time::Known(age))), Some(Age::OfAll(Time::Known(limit)))) => {
            age >= limit
        }
        (Some(RefreshAfter::Share(millionths)), _) => *millionths == MAX_SHARE,
        _ => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chosen {
    Default,
    BuiltIn(BuiltIn),
    Registered,
}

impl Chosen {
    fn of(arguments: &Arguments) -> Self {
        match arguments.backend.as_ref().map(|backend| &backend.value) {
            None => Self::Default,
            Some(Backend::BuiltIn(backend)) => Self::BuiltIn(*backend),
            Some(Backend::Registered(_)) => Self::Registered,
        }
    }
}

fn value<T>(argument: &Option<Argument<T>>) -> Option<&T> {
    argument.as_ref().map(|argument| &argument.value)
}

fn span_of<T>(argument: &Option<Argument<T>>) -> Option<Span> {
    argument.as_ref().map(Argument::span)
}
