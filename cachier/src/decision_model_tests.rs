use proptest::prelude::*;

use super::*;
use crate::share::Share;

fn durations() -> impl Strategy<Value = Duration> {
    (0_u64..6).prop_map(Duration::from_secs)
}

fn refreshes() -> impl Strategy<Value = RefreshAfter> {
    let percent = |tenths: u8| RefreshAfter::Share(Share::percent(f64::from(tenths) * 10.0));
    prop_oneof![
        durations().prop_map(RefreshAfter::Age),
        (0_u8..=10).prop_map(percent),
        Just(RefreshAfter::Early),
    ]
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let optional = || proptest::option::of(durations());
    let bounds = (optional(), optional(), optional());
    let refresh = (proptest::option::of(refreshes()), durations());
    (bounds, refresh, any::<bool>()).prop_map(
        |((stale_after, max_stale, stale_on_error), (refresh_after, early_lead), next_time)| {
            Rules {
                stale_after,
                max_stale,
                stale_on_error,
                refresh_after,
                early_lead,
                on_stale: if next_time {
                    OnStale::ServeAndRefresh
                } else {
                    OnStale::Recompute
                },
                ..Rules::default()
            }
        },
    )
}

/// The permitted uses of a value, by its age.
struct Model {
    fresh: bool,
    /// It is recomputed in the background if it is fresh.
    due: bool,
    /// It may be served although it is stale.
    servable: bool,
    /// It may be served in place of a failure.
    standing_in: bool,
}

/// The model: for each answer, a list of the ages, in seconds, that it holds for.
fn model(age: u64, rules: &Rules, max_age: Option<Duration>) -> Model {
    let seconds = |bound: Option<Duration>| bound.map_or(u64::MAX, |bound| bound.as_secs());
    let up_to = |bound: u64| (0..=bound.min(20)).contains(&age);
    let within = |bound: u64| bound > 0 && up_to(bound);
    let accepted = within(seconds(max_age)) && up_to(seconds(rules.max_stale));
    let grace = rules.stale_on_error.map(|grace| grace.as_secs());
    let stale_after = rules.stale_after.map_or(0, |bound| bound.as_secs());
    Model {
        fresh: within(seconds(rules.stale_after)) && within(seconds(max_age)),
        due: is_due(age, rules),
        servable: accepted && rules.on_stale == OnStale::ServeAndRefresh,
        standing_in: accepted && grace.is_some_and(|grace| up_to(stale_after + grace)),
    }
}

fn is_due(age: u64, rules: &Rules) -> bool {
    let limit = rules.stale_after.map(|limit| limit.as_secs());
    match rules.refresh_after {
        None => false,
        Some(RefreshAfter::Age(from)) => age >= from.as_secs(),
        Some(RefreshAfter::Share(share)) => {
            let share = u64::from(share.millionths());
            limit.is_some_and(|limit| age * 1_000_000 >= limit * share)
        }
        Some(RefreshAfter::Early) => {
            limit.is_some_and(|limit| age + rules.early_lead.as_secs() >= limit)
        }
    }
}

proptest! {
    #[test]
    fn serving_agrees_with_the_model(
        age in 0_u64..6,
        rules in any_rules(),
        max_age in proptest::option::of(durations()),
    ) {
        let aged = Duration::from_secs(age);
        let action = decide(Stored::Aged(aged), None, ClaimState::Own, &rules, max_age, Intent::Use);
        let model = model(age, &rules, max_age);
        let expected = match (model.fresh, model.servable) {
            (true, _) if model.due => Action::ServeAndRefresh(Freshness::Fresh, aged),
            (true, _) => Action::Serve(aged),
            (false, true) => Action::ServeAndRefresh(Freshness::Stale, aged),
            (false, false) => Action::Compute(Reason::Stale),
        };
        prop_assert_eq!(action, expected);
    }

    #[test]
    fn fallbacks_agree_with_the_model(
        age in 0_u64..16,
        rules in any_rules(),
        max_age in proptest::option::of(durations()),
    ) {
        let stored = Stored::Aged(Duration::from_secs(age));
        let expected = match model(age, &rules, max_age).standing_in {
            true => ResultAction::ServeStale,
            false => ResultAction::Share,
        };
        prop_assert_eq!(decide_result(ResultKind::Failed, stored, &rules, max_age), expected);
    }

    #[test]
    fn no_value_is_served_past_its_bounds(
        age in 0_u64..6,
        rules in any_rules(),
        max_age in proptest::option::of(durations()),
        backoff in proptest::option::of(prop_oneof![Just(Backoff::Failed), Just(Backoff::Held)]),
    ) {
        let age = Duration::from_secs(age);
        let action = decide(Stored::Aged(age), backoff, ClaimState::Unclaimed, &rules, max_age, Intent::Use);
        if let Action::ServeAndRefresh(..) = action {
            prop_assert_eq!(backoff, None);
        }
        match action {
            Action::Serve(served) | Action::ServeAndRefresh(Freshness::Fresh, served) => {
                prop_assert_eq!(served, age);
                prop_assert!(rules.stale_after.is_none_or(|bound| age <= bound));
                prop_assert!(max_age.is_none_or(|bound| age <= bound && !bound.is_zero()));
            }
            Action::ServeAndRefresh(Freshness::Stale, served) => {
                prop_assert_eq!(served, age);
                prop_assert!(rules.max_stale.is_none_or(|bound| age <= bound));
                prop_assert!(max_age.is_none_or(|bound| age <= bound));
            }
            Action::ServeStale(served, served_in) => {
                prop_assert_eq!((served, Some(served_in)), (age, backoff));
                prop_assert!(rules.max_stale.is_none_or(|bound| age <= bound));
                prop_assert!(max_age.is_none_or(|bound| age <= bound && !bound.is_zero()));
            }
            Action::Claim | Action::Compute(Reason::Stale) => {}
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
