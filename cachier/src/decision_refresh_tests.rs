use super::*;
use crate::random::Random;
use crate::share::Share;

const HOUR: Duration = Duration::from_secs(3600);

fn rules(stale_after: Option<Duration>) -> Rules {
    Rules {
        stale_after,
        ..Rules::default()
    }
}

#[test]
fn hits_due_for_it_refresh_their_values() {
    let minutes = |minutes: u32| HOUR / 60 * minutes;
    let after = |refresh_after| Rules {
        refresh_after: Some(refresh_after),
        early_lead: minutes(20),
        ..rules(Some(HOUR))
    };
    let (of_age, never) = (after(RefreshAfter::Age(minutes(10))), rules(Some(HOUR)));
    let of_share = after(RefreshAfter::Share(Share::percent(75.0)));
    let early = after(RefreshAfter::Early);
    let unlimited = Rules {
        stale_after: None,
        ..of_share.clone()
    };
    let refreshed = |age| Action::ServeAndRefresh(Freshness::Fresh, age);
    // rules, age, backoff, action
    let table = [
        (&never, 60, None, Action::Serve(minutes(60))),
        (&of_age, 9, None, Action::Serve(minutes(9))),
        (&of_age, 10, None, refreshed(minutes(10))),
        (&of_age, 60, None, refreshed(minutes(60))),
        (&of_age, 61, None, Action::Claim),
        (&of_age, 10, Some(Backoff::Held), Action::Serve(minutes(10))),
        (
            &of_age,
            10,
            Some(Backoff::Failed),
            Action::Serve(minutes(10)),
        ),
        (&of_share, 44, None, Action::Serve(minutes(44))),
        (&of_share, 45, None, refreshed(minutes(45))),
        (&early, 39, None, Action::Serve(minutes(39))),
        (&early, 40, None, refreshed(minutes(40))),
        (&unlimited, 600, None, Action::Serve(minutes(600))),
    ];
    for (rules, age, backoff, action) in table {
        let stored = Stored::Aged(minutes(age));
        let decided = decide(
            stored,
            backoff,
            ClaimState::Unclaimed,
            rules,
            None,
            Intent::Use,
        );
        assert_eq!(decided, action, "{rules:?} {age} {backoff:?}");
    }
}

/// XFetch: with a value that took the time `t`, a hit `x·t` before the age limit recomputes with the probability `e^-x`.
#[test]
fn early_refreshes_have_their_probability() {
    const TRIALS: u32 = 100_000;
    const COMPUTE_NANOS: u64 = 1_000_000;
    let random = Random::seeded(1);
    for x in [0.5, 1.0, 2.0, 4.0] {
        let before_limit = Duration::from_nanos((x * COMPUTE_NANOS as f64) as u64);
        let refreshes = |_: &u32| early_lead(COMPUTE_NANOS, random.bits()) >= before_limit;
        let refreshed = (0..TRIALS).filter(refreshes).count() as f64;
        let expected = f64::from(TRIALS) * (-x).exp();
        let deviation = (expected * (1.0 - (-x).exp())).sqrt();
        assert!(
            (refreshed - expected).abs() < 4.0 * deviation,
            "{x}: {refreshed} of {expected}"
        );
    }
    assert_eq!(early_lead(COMPUTE_NANOS, u32::MAX), Duration::ZERO);
}

/// Which hits may be served without a draw, on the fast path and by near tiers, follows from it.
#[test]
fn no_draw_leads_by_more_than_seven_computations() {
    let seven = |nanos: u64| 7 * Duration::from_nanos(nanos);
    for drawn in [0, 1, 1 << 21] {
        assert_eq!(early_lead(1_000, drawn), seven(1_000), "{drawn}");
    }
    assert!(early_lead(1_000, 1 << 23) < seven(1_000));
    assert_eq!(early_lead(u64::MAX, 0), Duration::from_nanos(u64::MAX));

    let early = Rules {
        refresh_after: Some(RefreshAfter::Early),
        ..rules(Some(HOUR))
    };
    let minute = HOUR / 60;
    let until = early.undecided_until(minute.as_nanos() as u64);
    assert_eq!(until, Some(53 * minute - Duration::from_nanos(1)));
    assert_eq!(rules(Some(HOUR)).undecided_until(1), Some(HOUR));
    assert_eq!(rules(None).undecided_until(1), None);
}
