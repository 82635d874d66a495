//! One function in the figures of several instances. Pure.

use cachier_metrics::{ClusterFigures, Histogram, Label, Labelled, Snapshot};

use crate::detail::{Detail, power_of_two};

/// Bucket bounds are powers of 2^(2^-4).
const SCHEMA: i32 = 4;

impl Detail {
    /// The sum of all instances on all backends. Their recent past is unknown.
    pub(crate) fn of_instances(all: &ClusterFigures, function: &str) -> Self {
        let functions = all.figures.functions.iter();
        let functions = functions.filter(|((name, _), _)| name == function);
        let snapshot: Snapshot = functions.map(|(_, figures)| &figures.snapshot).sum();
        let mut detail = Self::default();
        for durations in snapshot.call_duration.values() {
            detail.add_durations(durations);
        }
        detail.add_counts(&snapshot);
        detail
    }

    fn add_durations(&mut self, durations: &Histogram) {
        for bucket in &durations.buckets {
            let power = power_of_two(bucket.index, SCHEMA);
            *self.durations.entry(power).or_default() += bucket.count;
        }
    }

    fn add_counts(&mut self, all: &Snapshot) {
        self.add_labelled("calls", &all.calls);
        self.add_labelled("calls abandoned", &all.abandoned);
        self.add_labelled("stale hits", &all.stale_hits);
        self.add_labelled("recalculations", &all.recalculations);
        self.add_labelled("removals", &all.removals);
        self.add_labelled("near lookups", &all.near_lookups);
        for (operation, kinds) in all.backend_errors.iter() {
            let name = format!("backend errors operation={}", operation.label());
            self.add_labelled(&name, kinds);
        }
        for (place, results) in all.recalculation_failures.iter() {
            let name = format!("recalculation failures where={}", place.label());
            self.add_labelled(&name, results);
        }
        for (name, count) in [
            ("refreshes suppressed", all.refreshes_suppressed),
            ("wait timeouts", all.wait_timeouts),
            ("size limit rejections", all.size_limit_rejections),
        ] {
            self.add_count(name.to_owned(), count);
        }
    }

    fn add_labelled<L: Label>(&mut self, name: &str, counts: &Labelled<L, u64>) {
        for (label, count) in counts.iter() {
            self.add_count(format!("{name} {}={}", L::KEY, label.label()), *count);
        }
    }

    /// Skips counts of zero.
    fn add_count(&mut self, name: String, count: u64) {
        if count > 0 {
            self.counts.insert(name, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use cachier_metrics::{ErrorLabel, FunctionFigures, Operation, Outcome};

    use super::*;

    #[test]
    fn counts_of_all_backends_are_together() {
        let mut all = ClusterFigures::default();
        for (function, backend, hits) in [("f", "file", 3), ("f", "redis", 4), ("g", "file", 9)] {
            let mut figures = FunctionFigures::default();
            figures.snapshot.calls[Outcome::Hit] = hits;
            figures.snapshot.backend_errors[Operation::Load][ErrorLabel::Timeout] = 1;
            all.figures.add(function, backend, &figures);
        }
        let detail = Detail::of_instances(&all, "f");
        let counts: Vec<_> = detail
            .counts
            .iter()
            .map(|(name, count)| (&**name, *count))
            .collect();
        assert_eq!(
            counts,
            [
                ("backend errors operation=load kind=timeout", 2),
                ("calls outcome=hit", 7)
            ]
        );
    }
}
