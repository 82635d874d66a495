//! The panels of one function. Pure.

use crate::panel::*;
use crate::queries::*;

/// What comes of the calls of a function.
pub(crate) fn outcomes() -> Vec<Panel> {
    vec![
        lines(
            "Calls",
            "Calls per second by what came of them.",
            Kind::Stacked,
            PER_SECOND,
            vec![
                query("{{outcome}}", rate("calls_total", "", "outcome")),
                query(
                    "abandoned: {{reason}}",
                    rate("calls_abandoned_total", "", "reason"),
                ),
            ],
        ),
        lines(
            "Hit rate",
            "Over the window; over the last minute, hour and day as the program has them, each instance for itself; and in the near tier.",
            Kind::Lines,
            SHARE,
            vec![
                query("hits", share(HITS, LOOKUPS, "")),
                query("served without computing", share(SERVED, LOOKUPS, "")),
                query("hits in {{window}}: {{instance}}", chosen("hit_ratio")),
                query("served in {{window}}: {{instance}}", chosen("served_ratio")),
                query(
                    "near tier",
                    format!(
                        "{} / {}",
                        rate("near_lookups_total", "result=\"hit\"", ""),
                        rate("near_lookups_total", "", ""),
                    ),
                ),
            ],
        ),
        lines(
            "Computations",
            "Runs of the function's body per second, by why it was run.",
            Kind::Stacked,
            PER_SECOND,
            vec![query(
                "{{reason}}",
                rate("recalculations_total", "", "reason"),
            )],
        ),
    ]
}

/// How long calls take, and what is saved.
pub(crate) fn times() -> Vec<Panel> {
    vec![
        lines(
            "Duration of calls",
            "By outcome: half of the calls, and 99 of 100, took no longer.",
            Kind::Lines,
            SECONDS,
            half_and_most(
                ["{{outcome}}, 50 %", "{{outcome}}, 99 %"],
                "call_duration_seconds",
                "outcome",
            )
            .into(),
        ),
        lines(
            "Duration of computations and waits",
            "Of the body, and of waiting for another's computation.",
            Kind::Lines,
            SECONDS,
            half_and_most(
                ["computation, 50 %", "computation, 99 %"],
                "compute_duration_seconds",
                "",
            )
            .into_iter()
            .chain([query(
                "wait ({{scope}}), 99 %",
                quantile(0.99, "wait_duration_seconds", "scope"),
            )])
            .collect(),
        ),
        lines(
            "Operations of the backend",
            "99 of 100 operations took no longer.",
            Kind::Lines,
            SECONDS,
            vec![query(
                "{{operation}}",
                quantile(0.99, "backend_operation_duration_seconds", "operation"),
            )],
        ),
        lines(
            "Time saved and spent per hour",
            "Saved by hits, estimated; spent in computations.",
            Kind::Lines,
            SECONDS,
            vec![
                query(
                    "saved",
                    format!("3600 * {}", rate("time_saved_seconds_total", "", "")),
                ),
                // Of whichever histograms there are.
                query(
                    "spent",
                    format!(
                        "3600 * ({})",
                        native_or_classic(
                            &format!(
                                "histogram_sum({})",
                                rate("compute_duration_seconds", "", "")
                            ),
                            &rate("compute_duration_seconds_sum", "", ""),
                        ),
                    ),
                ),
            ],
        ),
        lines(
            "Under way now",
            "Calls, computations, and calls that wait for another's computation.",
            Kind::Lines,
            COUNT,
            vec![
                query("calls", now("inflight_calls", "")),
                query("computations", now("inflight_computations", "")),
                query("waiting", now("waiting_calls", "")),
            ],
        ),
        lines(
            "Oldest computation",
            "How long the oldest computation has been running.",
            Kind::Lines,
            SECONDS,
            vec![query(
                "{{instance}}",
                format!(
                    "max by (instance) ({})",
                    chosen("oldest_computation_age_seconds")
                ),
            )],
        ),
    ]
}

/// What the cache holds.
pub(crate) fn contents() -> Vec<Panel> {
    let bound = |metric: &str| format!("max({})", chosen(metric));
    vec![
        lines(
            "Entries",
            "A shared store counts once; near tiers of all instances together. Bounds are those of one instance.",
            Kind::Lines,
            COUNT,
            vec![
                query("in the backend", held("entries", "")),
                query("in near tiers", in_near_tiers()),
                query("bound", bound("capacity_entries")),
            ],
        ),
        lines(
            "Size",
            "A shared store counts once. The bound is that of one instance.",
            Kind::Lines,
            BYTES,
            vec![
                query("in the backend", held("size_bytes", "")),
                query("bound", bound("capacity_bytes")),
            ],
        ),
        lines(
            "Removed entries",
            "Per second, by cause.",
            Kind::Stacked,
            PER_SECOND,
            vec![query("{{cause}}", rate("removals_total", "", "cause"))],
        ),
        lines(
            "Size of values",
            "Serialized size of the values that were stored.",
            Kind::Lines,
            BYTES,
            half_and_most(["50 %", "99 %"], "entry_size_bytes", "").into(),
        ),
        lines(
            "Age of values",
            "Age of the values that timed calls were given.",
            Kind::Lines,
            SECONDS,
            half_and_most(["50 %", "99 %"], "entry_age_seconds", "").into(),
        ),
        lines(
            "Values too large to be stored",
            "Values per second, and bytes of such values per second.",
            Kind::Lines,
            COUNT,
            vec![
                query("values", rate("size_limit_rejections_total", "", "")),
                query("bytes", rate("rejected_bytes_total", "", "")),
            ],
        ),
    ]
}

/// What goes wrong in a function and its backend.
pub(crate) fn failures() -> Vec<Panel> {
    vec![
        lines(
            "Errors of the backend",
            "Per second, by operation and kind. Any is worth a look, damaged entries (corrupt) most.",
            Kind::Stacked,
            PER_SECOND,
            vec![query(
                "{{operation}}: {{kind}}",
                rate("backend_errors_total", "", "operation, kind"),
            )],
        ),
        lines(
            "Failed computations",
            "Per second; errors and panics of the function, cancelled runs, and values not stored, as their lease had gone.",
            Kind::Stacked,
            PER_SECOND,
            vec![
                query(
                    "{{result}}, {{where}}",
                    rate("recalculation_failures_total", "", "result, where"),
                ),
                query("lease lost", rate("leases_lost_total", "", "")),
            ],
        ),
        lines(
            "Stale values",
            "Lookups that met a stale value, attempts left out after one that failed, and waits that ended by their timeout, per second.",
            Kind::Lines,
            PER_SECOND,
            vec![
                query(
                    "stale, served: {{served}}",
                    rate("stale_hits_total", "", "served"),
                ),
                query(
                    "refreshes left out",
                    rate("refreshes_suppressed_total", "", ""),
                ),
                query("timeouts of waits", rate("wait_timeouts_total", "", "")),
            ],
        ),
        Panel {
            title: "Timed calls",
            about: "Durations, ages and time saved come of this share of the calls. All counts are exact.",
            kind: Kind::Number,
            unit: SHARE,
            queries: vec![query("", format!("min({})", chosen("sampling_ratio")))],
        },
        Panel {
            title: "Counting since",
            about: "When the oldest instance began.",
            kind: Kind::Number,
            unit: "dateTimeFromNow",
            queries: vec![query(
                "",
                format!("1000 * min({})", chosen("start_time_seconds")),
            )],
        },
    ]
}

/// How long, large or old half of them are at most, and 99 of 100.
fn half_and_most(legends: [&'static str; 2], metric: &str, by: &str) -> [Query; 2] {
    let [half, most] = legends;
    [
        query(half, quantile(0.5, metric, by)),
        query(most, quantile(0.99, metric, by)),
    ]
}
