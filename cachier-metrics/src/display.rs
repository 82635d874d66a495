//! Figures as a table for people.

use std::fmt;
use std::time::Duration;

use crate::distribution::{Distribution, Unit};
use crate::stats::Stats;

impl fmt::Display for Stats {
    /// Leaves out zero counts and empty distributions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<24}{:>12}  in {}",
            "calls",
            self.calls,
            Time(self.covers)
        )?;
        for (name, count) in self.counts() {
            if count > 0 {
                writeln!(f, "{name:<24}{count:>12}")?;
            }
        }
        write_figure(f, "hit rate", self.hit_rate().map(Percent))?;
        write_figure(f, "served rate", self.served_rate().map(Percent))?;
        write_figure(f, "time saved", self.time_saved.map(Time))?;
        write_figure(f, "entries", self.entries)?;
        write_figure(f, "size", self.size_bytes.map(Bytes))?;
        self.write_distributions(f)
    }
}

impl Stats {
    fn counts(&self) -> [(&'static str, u64); 16] {
        [
            ("  hit", self.hits),
            ("  stale", self.stale),
            ("  coalesced", self.coalesced),
            ("  miss", self.misses),
            ("  bypass", self.bypassed),
            ("  unavailable", self.unavailable),
            ("abandoned", self.abandoned),
            ("stale hits", self.stale_hits),
            ("recalculations", self.recalculations),
            ("  failed", self.recalculation_failures),
            ("refreshes suppressed", self.refreshes_suppressed),
            ("wait timeouts", self.wait_timeouts),
            ("leases lost", self.leases_lost),
            ("size limit rejections", self.size_limit_rejections),
            ("removals", self.removals),
            ("backend errors", self.backend_errors),
        ]
    }

    fn write_distributions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<14}{:>10}{:>9}{:>9}{:>9}{:>9}{:>9}",
            "", "count", "mean", "p50", "p90", "p99", "max"
        )?;
        let durations = [
            ("latency", &self.latency),
            ("hit latency", &self.hit_latency),
            ("compute", &self.compute),
            ("wait", &self.wait),
            ("load", &self.load),
            ("store", &self.store),
            ("remove", &self.remove),
        ];
        for (name, distribution) in durations {
            write_distribution(f, name, distribution, Time)?;
        }
        write_distribution(f, "entry size", &self.entry_size, Bytes)
    }
}

fn write_figure(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    figure: Option<impl fmt::Display>,
) -> fmt::Result {
    match figure {
        Some(figure) => writeln!(f, "{name:<24}{figure:>12}"),
        None => Ok(()),
    }
}

fn write_distribution<T: Unit, D: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    distribution: &Distribution<T>,
    show: fn(T) -> D,
) -> fmt::Result {
    let Some(count) = distribution.count() else {
        return Ok(());
    };
    write!(f, "{name:<14}{count:>10}")?;
    let quantiles = [distribution.p50(), distribution.p90(), distribution.p99()];
    let figures = [distribution.mean()]
        .into_iter()
        .chain(quantiles)
        .chain([distribution.max()]);
    for figure in figures.flatten() {
        write!(f, "{:>9}", show(figure))?;
    }
    writeln!(f)
}

/// A share.
pub(crate) struct Percent(pub(crate) f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.1} %", self.0 * 100.0))
    }
}

/// A duration with three significant digits.
pub(crate) struct Time(pub(crate) Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        f.pad(&match seconds {
            0 if self.0.subsec_nanos() < 1000 => format!("{}ns", self.0.subsec_nanos()),
            0 if self.0.subsec_nanos() < 1_000_000 => {
                three_digits(self.0.as_secs_f64() * 1e6, "µs")
            }
            0 => three_digits(self.0.as_secs_f64() * 1e3, "ms"),
            1..60 => three_digits(self.0.as_secs_f64(), "s"),
            60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
            3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
            _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
        })
    }
}

/// A size with three significant digits.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        f.pad(&match self.0.checked_ilog2().unwrap_or(0) {
            0..10 => format!("{}B", self.0),
            10..20 => three_digits(bytes / 1024.0, "KB"),
            20..30 => three_digits(bytes / 1024.0_f64.powi(2), "MB"),
            _ => three_digits(bytes / 1024.0_f64.powi(3), "GB"),
        })
    }
}

fn three_digits(number: f64, unit: &str) -> String {
    let decimals = if number < 10.0 {
        2
    } else {
        usize::from(number < 100.0)
    };
    format!("{number:.decimals$}{unit}")
}
