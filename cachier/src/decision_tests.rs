use cachier_backends::entry::Jitter;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn rules(stale_after: Option<Duration>) -> Rules {
    Rules {
        stale_after,
        ..Rules::default()
    }
}

fn served_stale(age: Duration) -> Action {
    Action::ServeAndRefresh(Freshness::Stale, age)
}

fn decide_plainly(stored: Stored, claim_state: ClaimState, rules: &Rules) -> Action {
    decide(stored, None, claim_state, rules, None, Intent::Use)
}

#[test]
fn stored_state_and_claim_decide() {
    use ClaimState::{NotShared, Other, Own, Reentrant, Unclaimed, WaitedTooLong};
    let fresh = Stored::Aged(HOUR);
    let stale = Stored::Aged(HOUR * 3);
    let rules = rules(Some(HOUR * 2));
    let table = [
        (fresh, Unclaimed, Action::Serve(HOUR)),
        (fresh, Own, Action::Serve(HOUR)),
        (fresh, Other, Action::Serve(HOUR)),
        (stale, Unclaimed, Action::Claim),
        (stale, Own, Action::Compute(Reason::Stale)),
        (stale, Other, Action::Wait),
        (
            stale,
            WaitedTooLong,
            Action::ComputeUnshared(Reason::WaitTimeout),
        ),
        (stale, Reentrant, Action::ComputeUnshared(Reason::Reentrant)),
        (
            stale,
            NotShared,
            Action::ComputeUnshared(Reason::Uncacheable),
        ),
        (Stored::Unseen, Own, Action::Compute(Reason::Absent)),
        (Stored::Absent, Unclaimed, Action::Claim),
        (Stored::Absent, Own, Action::Compute(Reason::Absent)),
        (Stored::Absent, Other, Action::Wait),
        (Stored::Unknown, Unclaimed, Action::Claim),
        (Stored::Unknown, Own, Action::Compute(Reason::Unavailable)),
        (Stored::Unknown, Other, Action::Wait),
    ];
    for (stored, claim_state, action) in table {
        assert_eq!(
            decide_plainly(stored, claim_state, &rules),
            action,
            "{stored:?} {claim_state:?}"
        );
    }
}

#[test]
fn an_overwriting_call_always_computes() {
    let rules = rules(None);
    let decide = |stored, claim_state| {
        let (backoff, intent) = (Some(Backoff::Failed), Intent::Overwrite);
        decide(stored, backoff, claim_state, &rules, None, intent)
    };
    for (stored, reason) in [
        (Stored::Absent, Reason::Overwrite),
        (Stored::Unseen, Reason::Overwrite),
        (Stored::Aged(HOUR), Reason::Overwrite),
        // The store has failed, and nothing will be overwritten.
        (Stored::Unknown, Reason::Unavailable),
    ] {
        assert_eq!(decide(stored, ClaimState::Unclaimed), Action::TakeOver);
        assert_eq!(decide(stored, ClaimState::Own), Action::Compute(reason));
    }
}

#[test]
fn a_max_age_of_zero_never_waits() {
    let decide = |stored, claim_state| {
        let max_age = Some(Duration::ZERO);
        decide(
            stored,
            None,
            claim_state,
            &rules(None),
            max_age,
            Intent::Use,
        )
    };
    let new = Stored::Aged(Duration::ZERO);
    assert_eq!(decide(new, ClaimState::Unclaimed), Action::Claim);
    assert_eq!(decide(new, ClaimState::Own), Action::Compute(Reason::Stale));
    assert_eq!(
        decide(new, ClaimState::Other),
        Action::ComputeUnshared(Reason::Stale)
    );
    assert_eq!(
        decide(Stored::Absent, ClaimState::Other),
        Action::ComputeUnshared(Reason::Absent)
    );
}

#[test]
fn a_shared_value_is_taken_unless_too_old() {
    use Freshness::{Fresh, Stale};
    use Sharing::{ComputeUnshared, LookAgain, Take};
    let second = Duration::from_secs(1);
    let plain = rules(Some(HOUR));
    let lenient = Rules {
        max_stale: Some(HOUR * 2),
        on_stale: OnStale::ServeAndRefresh,
        ..plain.clone()
    };
    let never = rules(Some(Duration::ZERO));
    // age, waited, rules, max_age
    let table = [
        (HOUR, second, &plain, None, Take(Fresh)),
        (HOUR + second, second, &plain, None, LookAgain),
        (HOUR * 2, HOUR * 3, &plain, None, ComputeUnshared),
        (HOUR * 2, second, &lenient, None, Take(Stale)),
        (HOUR * 2 + second, second, &lenient, None, LookAgain),
        (HOUR * 2, second, &lenient, Some(HOUR), LookAgain),
        (second, HOUR, &plain, Some(second / 2), ComputeUnshared),
        (second, HOUR, &never, None, Take(Fresh)),
        (second, HOUR, &plain, Some(Duration::ZERO), Take(Fresh)),
    ];
    for (age, waited, rules, max_age, sharing) in table {
        let shared = share(age, waited, rules, max_age);
        assert_eq!(shared, sharing, "{age:?} {waited:?} {max_age:?}");
    }
}

#[test]
fn an_unstorable_result_removes_the_entry() {
    let decide_result = |stored| decide_result(ResultKind::Unstorable, stored, &rules(None), None);
    assert_eq!(decide_result(Stored::Aged(HOUR)), ResultAction::Remove);
    assert_eq!(decide_result(Stored::Unseen), ResultAction::Remove);
    assert_eq!(decide_result(Stored::Absent), ResultAction::Share);
    assert_eq!(decide_result(Stored::Unknown), ResultAction::Share);
}

#[test]
fn max_stale_bounds_what_next_time_serves() {
    let rules = Rules {
        stale_after: Some(HOUR),
        max_stale: Some(HOUR * 2),
        on_stale: OnStale::ServeAndRefresh,
        ..Rules::default()
    };
    let decide = |age| decide_plainly(Stored::Aged(age), ClaimState::Unclaimed, &rules);
    assert_eq!(decide(HOUR), Action::Serve(HOUR));
    assert_eq!(decide(HOUR * 2), served_stale(HOUR * 2));
    assert_eq!(decide(HOUR * 2 + Duration::from_nanos(1)), Action::Claim);
}

#[test]
fn next_time_respects_max_age() {
    let rules = Rules {
        stale_after: Some(HOUR),
        on_stale: OnStale::ServeAndRefresh,
        ..Rules::default()
    };
    let decide = |max_age| {
        decide(
            Stored::Aged(HOUR * 2),
            None,
            ClaimState::Unclaimed,
            &rules,
            Some(max_age),
            Intent::Use,
        )
    };
    assert_eq!(decide(HOUR * 3), served_stale(HOUR * 2));
    assert_eq!(decide(HOUR), Action::Claim);
}

#[test]
fn results_are_stored_shared_or_replaced() {
    use ResultAction::{ServeStale, Share, Store};
    use ResultKind::{Failed, Storable, Unstorable};
    let stale = Stored::Aged(HOUR * 3);
    let patient = Rules {
        stale_after: Some(HOUR * 2),
        stale_on_error: Some(HOUR),
        ..Rules::default()
    };
    let impatient = Rules {
        max_stale: Some(HOUR),
        ..patient.clone()
    };
    let plain = rules(patient.stale_after);
    let ageless = Rules {
        stale_after: None,
        stale_on_error: Some(HOUR * 3),
        ..Rules::default()
    };
    let table = [
        (Storable, stale, &patient, Store),
        (Unstorable, stale, &patient, ResultAction::Remove),
        (Failed, stale, &patient, ServeStale),
        (Failed, stale, &impatient, Share),
        (Failed, stale, &plain, Share),
        (Failed, stale, &ageless, ServeStale),
        (Failed, Stored::Aged(HOUR * 4), &patient, Share),
        (Failed, Stored::Absent, &patient, Share),
        (Failed, Stored::Unknown, &patient, Share),
    ];
    for (kind, stored, rules, action) in table {
        assert_eq!(
            decide_result(kind, stored, rules, None),
            action,
            "{kind:?} {stored:?} {rules:?}"
        );
    }
}

#[test]
fn fallbacks_respect_max_age() {
    let rules = Rules {
        stale_after: Some(HOUR),
        stale_on_error: Some(HOUR),
        ..Rules::default()
    };
    let half = HOUR / 2;
    let table = [
        (half, None, ResultAction::ServeStale),
        (half, Some(HOUR), ResultAction::ServeStale),
        (half, Some(half), ResultAction::ServeStale),
        (half, Some(Duration::from_secs(60)), ResultAction::Share),
        (half, Some(Duration::ZERO), ResultAction::Share),
        (Duration::ZERO, Some(Duration::ZERO), ResultAction::Share),
        (HOUR * 3, Some(HOUR * 4), ResultAction::Share),
    ];
    for (age, max_age, action) in table {
        let completion = decide_result(ResultKind::Failed, Stored::Aged(age), &rules, max_age);
        assert_eq!(completion, action, "{age:?} {max_age:?}");
    }
}

#[test]
fn a_backoff_only_affects_stale_values() {
    use Backoff::{Failed, Held};
    let age = HOUR * 2;
    let next_time = Rules {
        on_stale: OnStale::ServeAndRefresh,
        ..rules(Some(HOUR))
    };
    let on_error = Rules {
        stale_on_error: Some(HOUR),
        ..rules(Some(HOUR))
    };
    let impatient = Rules {
        max_stale: Some(HOUR),
        ..on_error.clone()
    };
    let served = |backoff| Action::ServeStale(age, backoff);
    // pause, rules, max_age
    let table = [
        (None, &next_time, None, served_stale(age)),
        (Some(Failed), &next_time, None, served(Failed)),
        (Some(Held), &next_time, None, served(Held)),
        (Some(Failed), &next_time, Some(HOUR * 3), served(Failed)),
        (Some(Failed), &next_time, Some(HOUR), Action::Claim),
        (None, &on_error, None, Action::Claim),
        (Some(Failed), &on_error, None, served(Failed)),
        (Some(Held), &on_error, None, Action::Claim),
        (Some(Failed), &on_error, Some(Duration::ZERO), Action::Claim),
        (Some(Failed), &impatient, None, Action::Claim),
        (Some(Failed), &rules(Some(HOUR)), None, Action::Claim),
        (Some(Failed), &rules(None), None, Action::Serve(age)),
    ];
    for (backoff, rules, max_age, action) in table {
        let claim_state = ClaimState::Unclaimed;
        let decided = decide(
            Stored::Aged(age),
            backoff,
            claim_state,
            rules,
            max_age,
            Intent::Use,
        );
        assert_eq!(decided, action, "{backoff:?} {rules:?} {max_age:?}");
    }
}

#[test]
fn a_backoff_waits_for_nobody() {
    use ClaimState::{NotShared, Other, Own, Reentrant, Unclaimed, WaitedTooLong};
    let rules = Rules {
        stale_on_error: Some(HOUR),
        ..rules(Some(HOUR))
    };
    for claim_state in [Unclaimed, Own, Other, WaitedTooLong, Reentrant, NotShared] {
        let backoff = Some(Backoff::Failed);
        let decide = |stored| decide(stored, backoff, claim_state, &rules, None, Intent::Use);
        let served = Action::ServeStale(HOUR * 2, Backoff::Failed);
        assert_eq!(decide(Stored::Aged(HOUR * 2)), served, "{claim_state:?}");
        for stored in [
            Stored::Aged(HOUR * 3),
            Stored::Absent,
            Stored::Unseen,
            Stored::Unknown,
        ] {
            let decided = decide(stored);
            assert!(
                !matches!(decided, Action::ServeStale(..)),
                "{stored:?} {claim_state:?}"
            );
        }
    }
}

#[test]
fn only_functions_that_serve_stale_back_off() {
    let second = Duration::from_secs(1);
    let pausing = Rules {
        retry_after: second,
        ..Rules::default()
    };
    let next_time = Rules {
        on_stale: OnStale::ServeAndRefresh,
        ..pausing.clone()
    };
    let on_error = Rules {
        stale_on_error: Some(HOUR),
        ..pausing.clone()
    };
    let never = Rules {
        retry_after: Duration::ZERO,
        ..on_error.clone()
    };
    assert_eq!(backoff_after_failure(&pausing), None);
    assert_eq!(backoff_after_failure(&next_time), Some(second));
    assert_eq!(backoff_after_failure(&on_error), Some(second));
    assert_eq!(backoff_after_failure(&never), None);
}

#[test]
fn a_values_own_limit_replaces_its_functions() {
    let hours = |hours: u32| Some(HOUR * hours);
    let own = |hours: u32| Some(AgeLimit::Of(HOUR * hours));
    let quarter = 1 << 30;
    // stale_after, own limit, its bound, jitter; the limit of the value
    let table = [
        (None, None, None, 0, None),
        (hours(4), None, None, 0, hours(4)),
        (hours(4), own(2), None, 0, hours(2)),
        (hours(4), own(9), None, 0, hours(9)),
        (hours(4), Some(AgeLimit::Never), None, 0, None),
        (hours(4), Some(AgeLimit::Never), hours(8), 0, hours(8)),
        (None, own(9), hours(8), 0, hours(8)),
        (hours(0), own(2), hours(8), 0, hours(2)),
        // The bound is that of own limits alone.
        (hours(9), None, hours(8), 0, hours(9)),
        (hours(4), None, None, quarter, hours(3)),
        (hours(4), own(8), None, quarter, hours(6)),
        (None, Some(AgeLimit::Never), hours(8), quarter, hours(6)),
        (None, None, None, quarter, None),
    ];
    for (stale_after, limit, longest_own_limit, jitter, expected) in table {
        let rules = Rules {
            longest_own_limit,
            ..rules(stale_after)
        };
        let jitter = Jitter(jitter);
        let of_value = rules.for_value(Ageing { limit, jitter });
        assert_eq!(
            of_value.stale_after, expected,
            "{rules:?} {limit:?} {jitter:?}"
        );
    }
}

#[test]
fn jitter_only_ever_shortens_a_limit() {
    for limit in [Duration::from_nanos(1), HOUR, Duration::MAX] {
        for jitter in [Jitter(1), Jitter(u32::MAX)] {
            let ageing = Ageing {
                limit: None,
                jitter,
            };
            let shortened = rules(Some(limit)).for_value(ageing).stale_after;
            assert!(shortened <= Some(limit), "{limit:?} {jitter:?}");
        }
    }
}
