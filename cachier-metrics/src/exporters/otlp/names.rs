//! Names and units as OpenTelemetry has them: parts between dots, neither a unit nor `total` in a name.

use crate::exporters::family::{MetricFamily, MetricUnit};

/// `cachier.call.duration`.
pub(super) fn name(family: &MetricFamily<'_>) -> String {
    let name = family.name.replace('_', ".");
    match family.prefix {
        "" => name,
        prefix => format!("{prefix}.{name}"),
    }
}

/// In the notation of UCUM: what is counted stands in braces.
pub(super) fn unit(family: &MetricFamily<'_>) -> &'static str {
    match family.unit {
        MetricUnit::Seconds => "s",
        MetricUnit::Bytes => "By",
        MetricUnit::None => {
            let counted = COUNTED.iter().find(|(name, _)| *name == family.name);
            counted.map_or(RATIO, |(_, unit)| unit)
        }
    }
}

/// Shares, and whether something is so.
const RATIO: &str = "1";

/// The units of metrics without a base unit.
const COUNTED: [(&str, &str); 25] = [
    ("calls", "{call}"),
    ("lifetime_calls", "{call}"),
    ("calls_abandoned", "{call}"),
    ("inflight_calls", "{call}"),
    ("waiting_calls", "{call}"),
    ("stale_hits", "{lookup}"),
    ("near_lookups", "{lookup}"),
    ("recalculations", "{computation}"),
    ("recalculation_failures", "{computation}"),
    ("inflight_computations", "{computation}"),
    ("refreshes_suppressed", "{refresh}"),
    ("wait_timeouts", "{wait}"),
    ("leases_lost", "{lease}"),
    ("background_tasks", "{task}"),
    ("size_limit_rejections", "{value}"),
    ("removals", "{entry}"),
    ("entries", "{entry}"),
    ("capacity_entries", "{entry}"),
    ("backend_errors", "{error}"),
    ("backend_round_trips", "{request}"),
    ("pool_connections", "{connection}"),
    ("export_failures", "{push}"),
    ("export_dropped", "{point}"),
    ("export_requests", "{request}"),
    ("export_folded_functions", "{function}"),
];

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::exporters::family::MetricKind;

    fn family<'a>(name: &'static str, unit: MetricUnit, prefix: &'a str) -> MetricFamily<'a> {
        MetricFamily {
            name,
            unit,
            kind: MetricKind::Counter,
            help: "",
            samples: Vec::new(),
            buckets: &[],
            prefix,
        }
    }

    #[test]
    fn names_have_dots_and_no_units() {
        let duration = family("call_duration", MetricUnit::Seconds, "cachier");
        let named = (name(&duration), unit(&duration));
        assert_eq!(named, ("cachier.call.duration".to_owned(), "s"));
        let rejected = family("rejected", MetricUnit::Bytes, "");
        let named = (name(&rejected), unit(&rejected));
        assert_eq!(named, ("rejected".to_owned(), "By"));
        let calls = family("calls", MetricUnit::None, "shop_cache");
        let named = (name(&calls), unit(&calls));
        assert_eq!(named, ("shop_cache.calls".to_owned(), "{call}"));
        assert_eq!(unit(&family("hit_ratio", MetricUnit::None, "")), "1");
    }
}
