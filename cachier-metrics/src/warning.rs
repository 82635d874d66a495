//! What a person should know.

use std::io::{self, Write};

use once_cell::race::OnceBox;

/// Tells a problem, given its cause, of which it is told once.
type Tell = fn(cause: &str, problem: &str);

static TELL: OnceBox<Tell> = OnceBox::new();

/// Has `tell` tell problems, which go to standard error else.
#[doc(hidden)]
pub fn tell_problems_by(tell: Tell) {
    TELL.get_or_init(|| Box::new(tell));
}

pub(crate) fn warn(cause: &str, problem: &str) {
    match TELL.get() {
        Some(tell) => tell(cause, problem),
        // A failed write is ignored: the stream may be closed.
        None => drop(writeln!(io::stderr(), "cachier: {problem}")),
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn who_asks_to_be_told_is_told() {
        static TOLD: AtomicU64 = AtomicU64::new(0);
        warn("nobody", "on standard error");
        tell_problems_by(|_, problem| {
            TOLD.fetch_add(problem.len() as u64, Ordering::Relaxed);
        });
        warn("somebody", "here");
        assert_eq!(TOLD.load(Ordering::Relaxed), 4);
    }
}
