//! Problems that a person should know of.

use std::io::{self, Write};

use once_cell::race::OnceBox;

use crate::append_list::AppendList;

/// Reports a problem; once per cause.
type WarningHandler = fn(cause: &str, problem: &str);

static WARNING_HANDLER: OnceBox<WarningHandler> = OnceBox::new();

/// Sets what reports problems; the default is standard error. The first call counts.
#[doc(hidden)]
pub fn set_warning_handler(handler: WarningHandler) {
    WARNING_HANDLER.get_or_init(|| Box::new(handler));
}

/// Warns of a problem; without a handler, of the first one of each cause.
pub(crate) fn warn(cause: &str, problem: &str) {
    match WARNING_HANDLER.get() {
        Some(handler) => handler(cause, problem),
        None if !is_new(cause) => {}
        // A failed write is ignored: the stream may be closed.
        None => drop(writeln!(io::stderr(), "cachier: {problem}")),
    }
}

/// Whether it is the first time that this cause is asked about.
fn is_new(cause: &str) -> bool {
    static KNOWN: AppendList<String> = AppendList::new();
    let is_known = KNOWN.iter().any(|known| known == cause);
    KNOWN.add(cause.to_owned(), String::eq);
    !is_known
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_cause_is_new_once() {
        let causes = ["a failed export", "a failed push", "a failed export"];
        assert_eq!(causes.map(is_new), [true, true, false]);
    }

    #[test]
    fn problems_go_to_the_handler_once_set() {
        static WARNED: AtomicU64 = AtomicU64::new(0);
        warn("nobody", "on standard error");
        warn("nobody", "once");
        set_warning_handler(|_, problem| {
            WARNED.fetch_add(problem.len() as u64, Ordering::Relaxed);
        });
        warn("somebody", "here");
        assert_eq!(WARNED.load(Ordering::Relaxed), 4);
    }
}
