//! Problems, reported once per cause and process: to a listener, else to a subscriber, else on standard error.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cachier_backends::process::{PerProcess, copied};
use cachier_metrics::{
    MAX_WARNINGS, causes_told, has_subscriber, set_warning_handler, tell_subscriber, write_warning,
};

use crate::environment;

/// Causes beyond these are not reported.
const MAX_CAUSES: usize = 1_000;
/// The longest line, in characters.
const MAX_LENGTH: usize = 1_000;
/// The hex digits of a key.
const HASH_DIGITS: usize = 64;

type Listener = Arc<dyn Fn(&str) + Send + Sync>;

static REPORTED: PerProcess<Mutex<Reported>> = PerProcess::new(|_| Mutex::default());
static LISTENER: PerProcess<Mutex<Option<Listener>>> = PerProcess::new(copied);

/// Passes problems that nobody would see otherwise, such as an unreachable store, to `listener` instead of standard error. A
/// later listener replaces it.
///
/// It gets one line per cause and process, whatever `CACHIER_QUIET` and `tracing` say, without arguments, keys or credentials.
/// Causes already written to standard error are not repeated, nor those of exporters and kept figures that a subscriber was told;
/// others are told when they are met again. It runs within the call that met the problem, or on a thread of cachier's own. It may
/// call cached functions, but must be quick, and must not wait for background work, as [`flush`](crate::flush) does.
///
/// ```
/// cachier::on_problem(|problem| eprintln!("cache trouble: {problem}"));
/// ```
///
/// # Panics
/// Never: a panic of the function is caught.
pub fn on_problem(listener: impl Fn(&str) + Send + Sync + 'static) {
    // An exporter may be built before the first call.
    set_warning_handler(report);
    let listener: Listener = Arc::new(listener);
    let before = locked(&LISTENER).replace(listener);
    // Its `Drop` is the program's code, and must not run under the lock.
    drop(before);
}

/// Reports a problem, unless its cause was reported before.
pub(crate) fn report(cause: &str, problem: &str) {
    if locked(&LISTENER).is_none() && has_subscriber() {
        if locked(&REPORTED).is_first(cause) {
            tell_subscriber(&presentable(problem));
        }
    } else {
        report_traced(cause, problem);
    }
}

/// Reports a problem of which a subscriber has an event already, unless its cause was reported before.
pub(crate) fn report_traced(cause: &str, problem: &str) {
    let listener = locked(&LISTENER).clone();
    if let Some(listener) = listener {
        if locked(&REPORTED).is_first(cause) {
            // A panic must not reach the call.
            let _ = catch_unwind(AssertUnwindSafe(|| listener(&presentable(problem))));
        }
    } else if !has_subscriber()
        && !environment::is_quiet()
        && locked(&REPORTED).may_write(cause, causes_told())
    {
        write_warning(&presentable(problem));
    }
}

/// The reports of this process.
#[derive(Default)]
struct Reported {
    causes: HashSet<String>,
    lines: usize,
}

impl Reported {
    fn is_first(&mut self, cause: &str) -> bool {
        self.causes.len() < MAX_CAUSES
            && !self.causes.contains(cause)
            && self.causes.insert(cause.to_owned())
    }

    /// Whether a line may be written of the cause, beside `others`; counts it. A later listener may hear of those for which
    /// there is no room.
    fn may_write(&mut self, cause: &str, others: usize) -> bool {
        let may = self.lines + others < MAX_WARNINGS && self.is_first(cause);
        self.lines += usize::from(may);
        may
    }
}

/// One line of bounded length, without keys.
fn presentable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for piece in text.split_inclusive(|letter: char| !letter.is_ascii_hexdigit()) {
        let digits = piece.trim_end_matches(|letter: char| !letter.is_ascii_hexdigit());
        if digits.len() >= HASH_DIGITS {
            line.push('…');
            line.push_str(&piece[digits.len()..]);
        } else {
            line.push_str(piece);
        }
    }
    let letters = line.chars().take(MAX_LENGTH);
    letters
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_reported_once_and_lines_bounded() {
        let mut reported = Reported::default();
        assert!(reported.is_first("a") && !reported.is_first("a") && reported.is_first("b"));
        let causes = (0..2 * MAX_CAUSES).filter(|cause| reported.is_first(&cause.to_string()));
        assert_eq!(causes.count(), MAX_CAUSES - 2);
        let mut reported = Reported::default();
        assert!(reported.may_write("0", 2) && !reported.may_write("0", 2));
        let lines = (0..100).filter(|cause| reported.may_write(&cause.to_string(), 2));
        assert_eq!(lines.count(), MAX_WARNINGS - 3);
        assert!(reported.is_first("99"));
    }

    #[test]
    fn a_problem_is_one_bounded_line_without_keys() {
        let key = "0123456789abcdef".repeat(4);
        let text = format!("/cache/{key}.lease: it\nfailed; {} {key}", &key[..40]);
        let shown = format!("/cache/….lease: it failed; {} …", &key[..40]);
        assert_eq!(presentable(&text), shown);
        assert_eq!(presentable(&"ä ".repeat(5_000)).chars().count(), MAX_LENGTH);
    }
}
