//! Problems that a person should know of.

use std::io::{self, Write};

use once_cell::race::OnceBox;

/// Reports a problem; once per cause.
type WarningHandler = fn(cause: &str, problem: &str);

static WARNING_HANDLER: OnceBox<WarningHandler> = OnceBox::new();

/// Sets what reports problems; the default is standard error. The first call counts.
#[doc(hidden)]
pub fn set_warning_handler(handler: WarningHandler) {
    WARNING_HANDLER.get_or_init(|| Box::new(handler));
}

pub(crate) fn warn(cause: &str, problem: &str) {
    match WARNING_HANDLER.get() {
        Some(handler) => handler(cause, problem),
        // A failed write is ignored: the stream may be closed.
        None => drop(writeln!(io::stderr(), "cachier: {problem}")),
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn problems_go_to_the_handler_once_set() {
        static WARNED: AtomicU64 = AtomicU64::new(0);
        warn("nobody", "on standard error");
        set_warning_handler(|_, problem| {
            WARNED.fetch_add(problem.len() as u64, Ordering::Relaxed);
        });
        warn("somebody", "here");
        assert_eq!(WARNED.load(Ordering::Relaxed), 4);
    }
}
