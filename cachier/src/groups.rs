//! The figures of groups of functions.

use cachier_metrics::{NamePattern, Snapshot, Stats, StatsTable};

use crate::cached_function::metrics_of;

/// The figures since the beginning of all functions whose names match a pattern, added up; `*` stands for any text. Ratios
/// and quantiles are those of the sum. Functions without `enable_metrics` have no figures.
///
/// ```
/// # mod billing {
/// # use cachier::cachier;
/// # #[cachier(backend = "memory", name = "billing::net", enable_metrics)]
/// # pub fn net(gross: u64) -> u64 {
/// #     gross * 4 / 5
/// # }
/// # #[cachier(backend = "memory", name = "billing::gross", enable_metrics)]
/// # pub fn gross(net: u64) -> u64 {
/// #     net * 5 / 4
/// # }
/// # }
/// billing::net(100);
/// billing::gross(80);
/// billing::gross(80);
/// let stats = cachier::stats_of("billing::*");
/// assert_eq!((stats.calls, stats.hits), (3, 1));
/// println!("{stats}"); // a table for people
/// ```
#[must_use]
pub fn stats_of(pattern: &str) -> Stats {
    let pattern = NamePattern::new(pattern);
    let metrics = metrics_of(|name| pattern.matches(name));
    let sum: Snapshot = metrics.iter().map(|metrics| metrics.snapshot()).sum();
    Stats::from(&sum)
}

/// The same for each function by itself, those of one name together.
///
/// ```
/// # use cachier::cachier;
/// # #[cachier(backend = "memory", name = "tax::rate", enable_metrics)]
/// # fn rate(country: &str) -> usize {
/// #     country.len()
/// # }
/// rate("Norway");
/// let table = cachier::stats_by_function("tax::*");
/// assert_eq!(table.get("tax::rate").map(|stats| stats.misses), Some(1));
/// println!("{table}"); // a row for each function
/// ```
#[must_use]
pub fn stats_by_function(pattern: &str) -> StatsTable {
    let pattern = NamePattern::new(pattern);
    let metrics = metrics_of(|name| pattern.matches(name));
    let rows = metrics.iter();
    rows.map(|metrics| (metrics.name(), metrics.snapshot()))
        .collect()
}

/// The figures of all functions, by the name of their backend.
///
/// ```
/// # use cachier::cachier;
/// # #[cachier(backend = "memory", enable_metrics)]
/// # fn square(n: u64) -> u64 {
/// #     n * n
/// # }
/// square(4);
/// let table = cachier::stats_by_backend();
/// assert!(table.get("memory").is_some_and(|stats| stats.calls > 0));
/// println!("{table}"); // a row for each backend
/// ```
#[must_use]
pub fn stats_by_backend() -> StatsTable {
    let metrics = metrics_of(|_| true);
    let rows = metrics.iter();
    rows.map(|metrics| (metrics.backend(), metrics.snapshot()))
        .collect()
}
