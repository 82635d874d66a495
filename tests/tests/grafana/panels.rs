//! What the dashboard shows: rows of panels. Pure.

use crate::function::{contents, failures, outcomes, times};
use crate::panel::*;
use crate::queries::*;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row {
            title: "Program",
            repeated_by: None,
            panels: program(),
        },
        Row {
            title: "$function",
            repeated_by: Some("function"),
            panels: [outcomes(), times(), contents(), failures()]
                .into_iter()
                .flatten()
                .collect(),
        },
        Row {
            title: "Stores",
            repeated_by: None,
            panels: stores(),
        },
    ]
}

/// The chosen functions together.
fn program() -> Vec<Panel> {
    let one = |title, about, unit, expression| Panel {
        title,
        about,
        kind: Kind::Number,
        unit,
        queries: vec![query("", expression)],
    };
    vec![
        one(
            "Calls",
            "Finished calls per second.",
            PER_SECOND,
            rate("calls_total", "", ""),
        ),
        one(
            "Hit rate",
            "Hits as a share of the lookups in the window.",
            SHARE,
            share(HITS, LOOKUPS, ""),
        ),
        one(
            "Served without computing",
            "Lookups answered with a stored value, fresh or stale, or with that of a computation of another caller.",
            SHARE,
            share(SERVED, LOOKUPS, ""),
        ),
        one(
            "Without their cache",
            "Calls whose backend failed, so that the function was run without it. More than 1 % is an alert.",
            SHARE,
            share("outcome=\"unavailable\"", "", ""),
        ),
        one(
            "Time saved per hour",
            "What hits have saved in computations, estimated from the timed ones.",
            SECONDS,
            format!("3600 * {}", rate("time_saved_seconds_total", "", "")),
        ),
        one(
            "Waiting now",
            "Calls that wait for another's computation.",
            COUNT,
            now("waiting_calls", ""),
        ),
        table(),
        lines(
            "Calls by outcome",
            "Calls per second by what came of them.",
            Kind::Stacked,
            PER_SECOND,
            vec![query("{{outcome}}", rate("calls_total", "", "outcome"))],
        ),
        lines(
            "Hit rate by function",
            "",
            Kind::Lines,
            SHARE,
            vec![query("{{function}}", share(HITS, LOOKUPS, "function"))],
        ),
        lines(
            "Slowest calls by function",
            "99 of 100 calls took no longer.",
            Kind::Lines,
            SECONDS,
            vec![query(
                "{{function}}",
                quantile(0.99, "call_duration_seconds", "function"),
            )],
        ),
        lines(
            "Versions",
            "Instances by the version of cachier.",
            Kind::Lines,
            COUNT,
            vec![query(
                "{{version}}",
                "count by (version) (cachier_build_info{service=~\"$service\"})".to_owned(),
            )],
        ),
        lines(
            "Background tasks",
            "Refreshes, stores and clean-ups under way or in line. Many for long: stores or functions are too slow for them.",
            Kind::Lines,
            COUNT,
            vec![query(
                "",
                "sum(cachier_background_tasks{service=~\"$service\"})".to_owned(),
            )],
        ),
        lines(
            "Export",
            "Exports that failed, and figures lost on their way, per second.",
            Kind::Lines,
            COUNT,
            vec![
                query("failures: {{exporter}}", exported("export_failures_total")),
                query("dropped: {{exporter}}", exported("export_dropped_total")),
            ],
        ),
        lines(
            "Functions without series of their own",
            "Functions past the budget of series, which share the name (other).",
            Kind::Lines,
            COUNT,
            vec![query(
                "{{exporter}}",
                "sum by (exporter) (cachier_export_folded_functions{service=~\"$service\"})"
                    .to_owned(),
            )],
        ),
    ]
}

/// The functions, one a line.
fn table() -> Panel {
    let by = "function, backend";
    let column = |legend, unit, expression| Query {
        legend,
        expression,
        unit: Some(unit),
    };
    Panel {
        title: "Functions",
        about: "Whether each cache is worth having.",
        kind: Kind::Table,
        unit: COUNT,
        queries: vec![
            column("Calls per second", PER_SECOND, rate("calls_total", "", by)),
            column("Hit rate", SHARE, share(HITS, LOOKUPS, by)),
            column(
                "Call, 99 %",
                SECONDS,
                quantile(0.99, "call_duration_seconds", by),
            ),
            column(
                "Computation, median",
                SECONDS,
                quantile(0.5, "compute_duration_seconds", by),
            ),
            column(
                "Time saved per hour",
                SECONDS,
                format!("3600 * {}", rate("time_saved_seconds_total", "", by)),
            ),
            column("Entries", COUNT, held("entries", by)),
            column("Size", BYTES, held("size_bytes", by)),
            column(
                "Errors per second",
                PER_SECOND,
                rate("backend_errors_total", "", by),
            ),
        ],
    }
}

fn stores() -> Vec<Panel> {
    let of_stores = "service=~\"$service\", backend=~\"$backend\"";
    vec![
        lines(
            "Breakers",
            "1 while the breaker answers for the store, which failed several times in a row.",
            Kind::Lines,
            COUNT,
            vec![query(
                "{{backend}} {{store}}: {{instance}}",
                format!("cachier_breaker_open{{{of_stores}}}"),
            )],
        ),
        lines(
            "Requests",
            "Sent to the store per second.",
            Kind::Stacked,
            PER_SECOND,
            vec![query(
                "{{backend}} {{store}}: {{operation}}",
                format!(
                    "sum by (backend, store, operation) (rate(cachier_backend_round_trips_total{{{of_stores}}}[$window]))"
                ),
            )],
        ),
        lines(
            "Connections",
            "Of all instances.",
            Kind::Lines,
            COUNT,
            vec![query(
                "{{backend}} {{store}}: {{state}}",
                format!("sum by (backend, store, state) (cachier_pool_connections{{{of_stores}}})"),
            )],
        ),
        lines(
            "Waiting for a connection",
            "99 of 100 waits took no longer.",
            Kind::Lines,
            SECONDS,
            vec![query(
                "{{backend}} {{store}}",
                native_or_classic(
                    &format!(
                        "histogram_quantile(0.99, sum by (backend, store) (rate(cachier_pool_wait_duration_seconds{{{of_stores}}}[$window])))"
                    ),
                    &format!(
                        "histogram_quantile(0.99, sum by (backend, store, le) (rate(cachier_pool_wait_duration_seconds_bucket{{{of_stores}}}[$window])))"
                    ),
                ),
            )],
        ),
    ]
}
