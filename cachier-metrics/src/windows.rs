//! Old snapshots, kept so that any window up to a day can be read as a difference. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::snapshot::Snapshot;

/// Cumulative snapshots, dense for the last half minute and sparser for older times.
///
/// A snapshot has level `n` if a multiple of 2^n seconds lies between it and the one before. It is kept for 32 · 2^n
/// seconds. So a window of up to a day begins at most a fifteenth of its length, or a second, too early.
pub(crate) struct Windows {
    /// The first state, for windows that reach back further than the others.
    start: State,
    recent: VecDeque<State>,
}

/// A cumulative snapshot, and its time in nanoseconds.
pub(crate) struct State {
    pub(crate) at: u64,
    pub(crate) snapshot: Arc<Snapshot>,
    level: u32,
}

const SECOND: u64 = 1_000_000_000;
const STATES_PER_LEVEL: u64 = 32;
/// Snapshots of this level are kept for 36 hours, the longest needed.
const TOP_LEVEL: u32 = 12;

impl Windows {
    /// Begins at time `at`, with the state of then.
    pub(crate) fn starting(at: u64, snapshot: Arc<Snapshot>) -> Self {
        Self {
            start: State {
                at,
                snapshot,
                level: TOP_LEVEL,
            },
            recent: VecDeque::new(),
        }
    }

    /// Keeps the current state, unless there is one of the same second.
    pub(crate) fn push(&mut self, at: u64, snapshot: &Arc<Snapshot>) {
        let newest = self.recent.back().unwrap_or(&self.start).at;
        let (second, before) = (at / SECOND, newest / SECOND);
        if second <= before {
            return;
        }
        let level = (second ^ before).ilog2().min(TOP_LEVEL);
        self.recent.push_back(State {
            at,
            snapshot: Arc::clone(snapshot),
            level,
        });
        self.recent
            .retain(|states| second - states.at / SECOND < STATES_PER_LEVEL << states.level);
    }

    /// The latest state no later than `at`, or else the first one.
    pub(crate) fn before(&self, at: u64) -> &State {
        let older = self.recent.partition_point(|states| states.at <= at);
        older
            .checked_sub(1)
            .and_then(|place| self.recent.get(place))
            .unwrap_or(&self.start)
    }

    /// The first state.
    pub(crate) fn start(&self) -> &State {
        &self.start
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;

    /// Windows ticked in steps of `step(i)` nanoseconds until `end` seconds.
    fn ticked(end: u64, step: impl Fn(u64) -> u64) -> (Windows, u64) {
        let state = Arc::<Snapshot>::default();
        let mut windows = Windows::starting(0, Arc::clone(&state));
        let (mut now, mut ticks) = (0, 0);
        while now < end * SECOND {
            now += step(ticks);
            ticks += 1;
            windows.push(now, &state);
        }
        (windows, now)
    }

    fn too_early(windows: &Windows, now: u64, window: u64) -> f64 {
        let begin = windows.before(now - window * SECOND).at;
        (now - begin) as f64 / SECOND as f64 - window as f64
    }

    #[test]
    fn windows_begin_at_most_a_fifteenth_too_early() {
        let (windows, now) = ticked(2 * DAY, |_| SECOND);
        for window in (1..=60).chain([90, 600, HOUR, 2 * HOUR, 5 * HOUR, DAY / 2, DAY]) {
            let error = too_early(&windows, now, window);
            let limit = 1.0 + window as f64 / 15.0;
            assert!(
                (0.0..=limit).contains(&error),
                "{window} s: {error} s too early"
            );
        }
    }

    #[test]
    fn more_days_need_no_more_room() {
        let (two_days, _) = ticked(2 * DAY, |_| SECOND);
        let (long, _) = ticked(3 * DAY, |_| SECOND);
        let (two_days, long) = (two_days.recent.len(), long.recent.len());
        assert!(two_days < 300, "{two_days} are kept");
        assert!(long <= two_days + 32, "{long} are kept");
    }

    #[test]
    fn a_second_is_kept_once() {
        let state = Arc::<Snapshot>::default();
        let mut windows = Windows::starting(0, Arc::clone(&state));
        for at in [SECOND, SECOND + 1, 2 * SECOND - 1] {
            windows.push(at, &state);
        }
        assert_eq!(windows.recent.len(), 1);
        assert_eq!(windows.before(u64::MAX).at, SECOND);
    }

    #[test]
    fn a_window_longer_than_everything_covers_everything() {
        let (windows, now) = ticked(10, |_| SECOND);
        assert_eq!(windows.before(0).at, windows.start().at);
        assert_eq!(now, 10 * SECOND);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Even a ticker that lags, or wakes at odd seconds, keeps the windows complete.
        #[test]
        fn uneven_ticks_widen_windows_by_one_tick(
            steps in prop::collection::vec(1..4_u64, 1..20),
            window in 1..2 * HOUR,
        ) {
            let longest = 3.0;
            let (windows, now) = ticked(3 * HOUR, |tick| {
                steps[tick as usize % steps.len()] * SECOND
            });
            let limit = 1.0 + longest + (window as f64 + longest) / 15.0;
            let error = too_early(&windows, now, window);
            prop_assert!((0.0..=limit).contains(&error), "{error} s too early");
        }
    }
}
