//! Problems that a person should know of.

use std::env;
use std::ffi::OsStr;
#[cfg(unix)]
use std::fs::File;
#[cfg(not(unix))]
use std::io;
use std::io::{Write as _, stderr};
#[cfg(unix)]
use std::os::fd::AsFd as _;

use once_cell::race::OnceBox;

use crate::append_list::AppendList;

/// Reports a problem; once per cause.
type WarningHandler = fn(cause: &str, problem: &str);

/// The most lines that are written without a handler, as many as cachier writes.
const MAX_LINES: usize = 20;

static WARNING_HANDLER: OnceBox<WarningHandler> = OnceBox::new();

/// Sets what reports problems; the default is standard error. The first call counts.
#[doc(hidden)]
pub fn set_warning_handler(handler: WarningHandler) {
    WARNING_HANDLER.get_or_init(|| Box::new(handler));
}

/// Warns of a problem; without a handler, of the first one of each cause, as cachier does.
pub(crate) fn warn(cause: &str, problem: &str) {
    static WRITTEN: AppendList<String> = AppendList::new();
    match WARNING_HANDLER.get() {
        Some(handler) => handler(cause, problem),
        None if is_on(env::var_os("CACHIER_QUIET").as_deref()) => {}
        None if may_write(&WRITTEN, cause) => write(&format!("cachier: {problem}\n")),
        None => {}
    }
}

/// Whether a variable is set to something that means yes.
fn is_on(value: Option<&OsStr>) -> bool {
    let value = value.and_then(OsStr::to_str).unwrap_or_default().trim();
    let on = ["1", "true", "yes", "on"];
    on.iter().any(|on| value.eq_ignore_ascii_case(on))
}

/// Whether a line may be written of the cause; counts it.
fn may_write(written: &AppendList<String>, cause: &str) -> bool {
    let is_known = written.iter().any(|known| known == cause);
    let may = !is_known && written.iter().count() < MAX_LINES;
    if may {
        written.add(cause.to_owned(), String::eq);
    }
    may
}

/// Failures are ignored: the stream may be closed.
fn write(line: &str) {
    // Bypasses the lock of `Stderr`: a child forked while another thread holds it would wait forever.
    #[cfg(unix)]
    let stream = stderr().as_fd().try_clone_to_owned().map(File::from);
    #[cfg(not(unix))]
    let stream = Ok::<_, io::Error>(stderr());
    let _ = stream.and_then(|mut stream| stream.write_all(line.as_bytes()));
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_cause_is_written_once_while_lines_last() {
        let written = AppendList::new();
        let causes = ["a failed export", "a failed push", "a failed export"];
        assert_eq!(
            causes.map(|cause| may_write(&written, cause)),
            [true, true, false]
        );
        let more = (0..100).filter(|cause| may_write(&written, &cause.to_string()));
        assert_eq!(more.count(), MAX_LINES - 2);
    }

    #[test]
    fn quiet_is_spelt_as_elsewhere() {
        for (value, quiet) in [("1", true), (" Yes", true), ("0", false), ("maybe", false)] {
            assert_eq!(is_on(Some(OsStr::new(value))), quiet, "{value}");
        }
        assert!(!is_on(None));
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
