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

/// The most lines that a process writes.
#[doc(hidden)]
pub const MAX_WARNINGS: usize = 20;

static WARNING_HANDLER: OnceBox<WarningHandler> = OnceBox::new();
/// The causes told while there was no handler.
static TOLD: AppendList<String> = AppendList::new();

/// Sets what reports problems; the default is standard error, unless a subscriber is there. The first call counts.
#[doc(hidden)]
pub fn set_warning_handler(handler: WarningHandler) {
    WARNING_HANDLER.get_or_init(|| Box::new(handler));
}

/// How many causes were told before there was a handler.
#[doc(hidden)]
#[must_use]
pub fn causes_told() -> usize {
    TOLD.iter().count()
}

/// Warns of a problem: of the first one of each cause.
pub(crate) fn warn(cause: &str, problem: &str) {
    match WARNING_HANDLER.get() {
        Some(handler) if !TOLD.iter().any(|told| told == cause) => handler(cause, problem),
        Some(_) => {}
        None => tell(&TOLD, cause, problem),
    }
}

/// Tells of a problem where no handler does.
fn tell(told: &AppendList<String>, cause: &str, problem: &str) {
    if has_subscriber() {
        if is_first(told, cause) {
            tell_subscriber(problem);
        }
    } else if !is_on(env::var_os("CACHIER_QUIET").as_deref()) && is_first(told, cause) {
        write_warning(problem);
    }
}

/// Whether a cause is new, and there is room for it, which is taken.
fn is_first(told: &AppendList<String>, cause: &str) -> bool {
    told.iter().count() < MAX_WARNINGS && told.add(cause.to_owned(), String::eq)
}

/// Whether a `tracing` subscriber is there.
#[doc(hidden)]
#[must_use]
pub fn has_subscriber() -> bool {
    #[cfg(feature = "tracing")]
    let has_subscriber = tracing::dispatcher::get_default(|current| {
        !current.is::<tracing::subscriber::NoSubscriber>()
    });
    #[cfg(not(feature = "tracing"))]
    let has_subscriber = false;
    has_subscriber
}

/// Makes an event of a problem.
#[doc(hidden)]
pub fn tell_subscriber(problem: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "cachier", "{problem}");
    #[cfg(not(feature = "tracing"))]
    let _ = problem;
}

/// Writes a problem on the standard error stream, as a line. Failures are ignored: the stream may be closed.
#[doc(hidden)]
pub fn write_warning(problem: &str) {
    let line = format!("cachier: {problem}\n");
    // Bypasses the lock of `Stderr`: a child forked while another thread holds it would wait forever.
    #[cfg(unix)]
    let stream = stderr().as_fd().try_clone_to_owned().map(File::from);
    #[cfg(not(unix))]
    let stream = Ok::<_, io::Error>(stderr());
    let _ = stream.and_then(|mut stream| stream.write_all(line.as_bytes()));
}

/// Whether a variable is set to something that means yes.
fn is_on(value: Option<&OsStr>) -> bool {
    let value = value.and_then(OsStr::to_str).unwrap_or_default().trim();
    let on = ["1", "true", "yes", "on"];
    on.iter().any(|on| value.eq_ignore_ascii_case(on))
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_cause_is_told_once_while_lines_last() {
        let told = AppendList::new();
        let causes = ["a failed export", "a failed push", "a failed export"];
        assert_eq!(
            causes.map(|cause| is_first(&told, cause)),
            [true, true, false]
        );
        let more = (0..100).filter(|cause| is_first(&told, &cause.to_string()));
        assert_eq!(more.count(), MAX_WARNINGS - 2);
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
        // Other tests warn as well.
        assert!(TOLD.iter().any(|told| told == "nobody") && causes_told() >= 1);
        set_warning_handler(|cause, problem| {
            let is_own = u64::from(cause.ends_with("body"));
            WARNED.fetch_add(is_own * problem.len() as u64, Ordering::Relaxed);
        });
        warn("somebody", "here");
        warn("nobody", "again");
        assert_eq!(WARNED.load(Ordering::Relaxed), 4);
    }

    #[cfg(feature = "tracing")]
    #[test]
    fn a_subscriber_takes_the_place_of_lines() {
        use std::sync::Arc;

        use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

        struct Count(Arc<AtomicU64>);

        impl<S: tracing::Subscriber> Layer<S> for Count {
            fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }

        let events = Arc::new(AtomicU64::new(0));
        let subscriber = tracing_subscriber::registry().with(Count(Arc::clone(&events)));
        let told = AppendList::new();
        tracing::subscriber::with_default(subscriber, || {
            (0..2).for_each(|_| tell(&told, "a failed push", "no collector"));
        });
        assert_eq!(events.load(Ordering::Relaxed), 1);
    }
}
