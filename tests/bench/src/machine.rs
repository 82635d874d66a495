//! A description of the machine.

use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use cachier_metrics::Clock;

/// The machine, in one line.
pub fn describe() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cpus} × {}, {}", processor(), compiler())
}

/// The load average of the last minute, if known.
pub fn load() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// The compiler, with its version.
pub fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let words = text.unwrap_or_default();
    words.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(": ")?.1.to_owned())
    };
    match (value("model name"), value("cpu family"), value("model\t")) {
        (Some(name), Some(family), Some(model)) => {
            format!("{name} (family {family}, model {model})")
        }
        _ => std::env::consts::ARCH.to_owned(),
    }
}

/// The time that the metrics' clock takes for the two readings of a timed hit, in nanoseconds. It uses the processor's
/// counter once the first function with metrics has been called for a while.
pub fn two_readings() -> f64 {
    let clock = Clock::system();
    lowest(|| clock.now().abs_diff(clock.now()))
}

/// Explains a machine's ratios: the costs of a locked instruction and of reading a clock, in nanoseconds.
pub fn primitives() -> [(&'static str, f64); 3] {
    let shared = AtomicU64::new(0);
    let lock = || shared.compare_exchange(1, 2, Ordering::Acquire, Ordering::Relaxed);
    let unlock = || shared.compare_exchange(2, 1, Ordering::Release, Ordering::Relaxed);
    [
        (
            "locked instruction",
            lowest(|| shared.swap(1, Ordering::SeqCst)),
        ),
        ("lock and unlock", lowest(|| (lock(), unlock()))),
        ("`Instant::now`", lowest(Instant::now)),
    ]
}

fn lowest<R>(work: impl Fn() -> R) -> f64 {
    const REPETITIONS: u32 = 10_000;
    let run = |_| {
        let started = Instant::now();
        for _ in 0..REPETITIONS {
            black_box(work());
        }
        started.elapsed().as_nanos() as f64 / f64::from(REPETITIONS)
    };
    (0..50).map(run).fold(f64::INFINITY, f64::min)
}
