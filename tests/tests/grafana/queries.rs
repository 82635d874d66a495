//! Queries on the figures of the chosen functions. Pure.

pub(crate) const LOOKUPS: &str = "outcome=~\"hit|stale|coalesced|miss\"";
pub(crate) const HITS: &str = "outcome=\"hit\"";
pub(crate) const SERVED: &str = "outcome=~\"hit|stale|coalesced\"";

/// The chosen functions.
pub(crate) const SELECTED: &str =
    "service=~\"$service\", backend=~\"$backend\", function=~\"$function\"";

/// A gauge of each chosen function.
pub(crate) fn chosen(metric: &str) -> String {
    format!("cachier_{metric}{{{SELECTED}}}")
}

/// How fast a counter rises, by these labels.
pub(crate) fn rate(metric: &str, matching: &str, by: &str) -> String {
    let comma = if matching.is_empty() { "" } else { ", " };
    let by = grouped(by);
    format!("sum{by}(rate(cachier_{metric}{{{SELECTED}{comma}{matching}}}[$window]))")
}

/// The calls that match, as a share of others.
pub(crate) fn share(part: &str, of: &str, by: &str) -> String {
    format!(
        "{} / {}",
        rate("calls_total", part, by),
        rate("calls_total", of, by)
    )
}

/// A gauge, added up.
pub(crate) fn now(metric: &str, by: &str) -> String {
    let by = grouped(by);
    format!("sum{by}({})", chosen(metric))
}

/// What the backend holds: the same in each instance that shares it.
pub(crate) fn held(metric: &str, by: &str) -> String {
    let by = grouped(by);
    format!("max{by}(cachier_{metric}{{{SELECTED}, tier=\"backend\"}})")
}

/// What the near tiers of all instances hold.
pub(crate) fn in_near_tiers() -> String {
    format!("sum(cachier_entries{{{SELECTED}, tier=\"near\"}})")
}

pub(crate) fn quantile(quantile: f64, metric: &str, by: &str) -> String {
    let with_bounds = match by {
        "" => "le".to_owned(),
        by => format!("{by}, le"),
    };
    native_or_classic(
        &format!("histogram_quantile({quantile}, {})", rate(metric, "", by)),
        &format!(
            "histogram_quantile({quantile}, {})",
            rate(&format!("{metric}_bucket"), "", &with_bounds)
        ),
    )
}

/// Of native histograms where Prometheus has them, else of classic ones.
pub(crate) fn native_or_classic(native: &str, classic: &str) -> String {
    format!("{native} or {classic}")
}

pub(crate) fn exported(metric: &str) -> String {
    format!("sum by (exporter) (rate(cachier_{metric}{{service=~\"$service\"}}[$window]))")
}

pub(crate) fn grouped(by: &str) -> String {
    match by {
        "" => String::new(),
        by => format!(" by ({by}) "),
    }
}
