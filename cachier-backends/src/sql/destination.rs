//! Where connections lead.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Which file a connection has open; of a server nothing needs to be known.
pub(super) type Mark = Option<(u64, u64)>;

/// Where new connections lead. A file that was removed goes on for those that have it open, and nobody else sees what they
/// store.
pub(super) struct Destination {
    look: Option<Box<dyn Fn() -> Mark + Send + Sync>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    mark: Mark,
    at: Option<Instant>,
}

/// How long a look is good for.
const GOOD_FOR: Duration = Duration::from_secs(1);

impl Destination {
    /// A server, which is known by its address.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(super) fn server() -> Self {
        let (look, seen) = (None, Mutex::default());
        Self { look, seen }
    }

    /// A file, which is known by what `look` finds.
    #[cfg(feature = "sqlite")]
    pub(super) fn file(look: impl Fn() -> Mark + Send + Sync + 'static) -> Self {
        Self {
            look: Some(Box::new(look)),
            seen: Mutex::default(),
        }
    }

    /// What was there when it was last looked.
    pub(super) fn mark(&self) -> Mark {
        match self.look {
            Some(_) => self.seen().mark,
            None => None,
        }
    }

    /// Looks what is there, unless that was done a moment ago; whether it is something else.
    pub(super) fn has_changed(&self, now: Instant) -> bool {
        let is_due = |seen: &Seen| {
            let since = seen.at.map(|at| now.saturating_duration_since(at));
            since.is_none_or(|since| since >= GOOD_FOR)
        };
        self.look.is_some() && is_due(&self.seen()) && self.look(now)
    }

    /// Looks what is there; whether it is something else.
    pub(super) fn look(&self, now: Instant) -> bool {
        let Some(look) = &self.look else {
            return false;
        };
        let found = Seen {
            mark: look(),
            at: Some(now),
        };
        let mark = found.mark;
        std::mem::replace(&mut *self.seen(), found).mark != mark
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
