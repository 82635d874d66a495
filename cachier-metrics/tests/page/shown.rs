//! Figures as the page is to show them, from what the program says: written anew, so that the page's own code is checked.

use serde_json::Value;

const UNKNOWN: &str = "–";

/// What the page shows of a function.
type Shown = fn(&Value) -> String;

/// The columns of the list with figures, and what each shows of a function.
pub(super) const COLUMNS: [(&str, Shown); 15] = [
    ("Verdict", |of| {
        match number(of, "/counted/backend_errors") {
            Some(0.0) => "works".to_owned(),
            _ => "errors of its store".to_owned(),
        }
    }),
    ("Backend", |of| of["backend"].as_str().unwrap().to_owned()),
    ("Calls per second", |of| rate(calls(of, &OUTCOMES), of)),
    ("Hit rate", |of| share(of, &["hit"])),
    ("Served", |of| share(of, &["hit", "stale", "coalesced"])),
    ("Hit p50", |of| {
        duration(number(of, "/counted/call_duration/hit/p50"))
    }),
    ("Hit p99", |of| {
        duration(number(of, "/counted/call_duration/hit/p99"))
    }),
    ("Miss p50", |of| {
        duration(number(of, "/counted/call_duration/miss/p50"))
    }),
    ("Computing p50", |of| {
        duration(number(of, "/counted/compute_duration/p50"))
    }),
    ("Saved per hour", |of| {
        let saved = number(of, "/counted/time_saved_seconds");
        duration(saved.map(|saved| saved * 3600.0 / seconds(of)))
    }),
    ("Entries", |of| count(number(of, "/held/entries"))),
    ("Size", |of| bytes(number(of, "/held/size_bytes"))),
    ("Errors", |of| count(number(of, "/counted/backend_errors"))),
    ("Running", |of| {
        count(number(of, "/activity/inflight_computations"))
    }),
    ("Waiting", |of| count(number(of, "/activity/waiting_calls"))),
];

pub(super) const OUTCOMES: [&str; 6] =
    ["hit", "stale", "coalesced", "miss", "bypass", "unavailable"];

fn number(of: &Value, path: &str) -> Option<f64> {
    of.pointer(path).and_then(Value::as_f64)
}

fn seconds(of: &Value) -> f64 {
    number(of, "/counted/seconds").unwrap()
}

fn calls(of: &Value, outcomes: &[&str]) -> f64 {
    let calls = outcomes
        .iter()
        .map(|outcome| format!("/counted/calls/{outcome}"));
    calls.map(|path| number(of, &path).unwrap()).sum()
}

fn rate(calls: f64, of: &Value) -> String {
    format!("{}/s", digits(calls / seconds(of)))
}

/// A point of a series, as its table has it.
pub(super) fn calls_of_point(point: &Value) -> Option<String> {
    let of = point
        .is_object()
        .then(|| serde_json::json!({ "counted": point }))?;
    Some(rate(calls(&of, &OUTCOMES), &of))
}

fn share(of: &Value, outcomes: &[&str]) -> String {
    let lookups = calls(of, &["hit", "stale", "coalesced", "miss"]);
    percent(calls(of, outcomes) / lookups)
}

/// Halves are rounded up.
pub(super) fn percent(share: f64) -> String {
    match share > 0.999 && share < 1.0 {
        true => format!("{:.2} %", (10_000.0 * share).round() / 100.0),
        false => format!("{:.1} %", (1000.0 * share).round() / 10.0),
    }
}

pub(super) fn count(number: Option<f64>) -> String {
    known(number, |number| scaled(number, 1000.0, &["", "k", "M"]))
}

fn bytes(number: Option<f64>) -> String {
    known(number, |number| {
        scaled(number, 1024.0, &[" B", " KB", " MB"])
    })
}

fn duration(seconds: Option<f64>) -> String {
    known(seconds, |seconds| match seconds {
        0.0 => "0 s".to_owned(),
        s if s < 1.0 => scaled(s * 1e9, 1000.0, &[" ns", " µs", " ms"]),
        s if s < 120.0 => format!("{} s", digits(s)),
        s if s < 7200.0 => format!("{} min", digits(s / 60.0)),
        s => format!("{} h", digits(s / 3600.0)),
    })
}

fn known(figure: Option<f64>, text: impl Fn(f64) -> String) -> String {
    figure.map_or(UNKNOWN.to_owned(), text)
}

fn scaled(mut number: f64, step: f64, units: &[&str]) -> String {
    let mut units = units.iter();
    let mut unit = units.next();
    while number >= step && units.len() > 0 {
        number /= step;
        unit = units.next();
    }
    format!("{}{}", digits(number), unit.unwrap())
}

/// Three digits, at most.
fn digits(number: f64) -> String {
    match number {
        0.0 => "0".to_owned(),
        n if n >= 100.0 => n.round().to_string(),
        n => {
            let precision = if n < 0.01 { 0 } else { 2 };
            // Halves are rounded up.
            let rounded = format!("{:.precision$e}", n * (1.0 + f64::EPSILON));
            rounded.parse::<f64>().unwrap().to_string()
        }
    }
}
