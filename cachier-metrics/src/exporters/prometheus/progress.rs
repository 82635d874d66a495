//! The progress of connections, and which of them is closed when there are too many. Pure: time is passed in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How far a connection has come.
#[derive(Clone, Debug)]
pub(super) struct Progress(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Whether its request has arrived.
    has_asked: AtomicBool,
    /// When it last got further, in nanoseconds.
    last: AtomicU64,
}

impl Progress {
    /// That of a connection which has just been accepted.
    pub(super) fn new(now: Duration) -> Self {
        Self(Arc::new(Shared {
            has_asked: AtomicBool::new(false),
            last: AtomicU64::new(nanos(now)),
        }))
    }

    /// Its request has arrived.
    pub(super) fn asked(&self, now: Duration) {
        self.0.has_asked.store(true, Relaxed);
        self.advanced(now);
    }

    /// Its client has taken a part of the response.
    pub(super) fn advanced(&self, now: Duration) {
        self.0.last.store(nanos(now), Relaxed);
    }

    /// Since when it has stood still.
    pub(super) fn last(&self) -> Duration {
        Duration::from_nanos(self.0.last.load(Relaxed))
    }

    fn has_asked(&self) -> bool {
        self.0.has_asked.load(Relaxed)
    }
}

/// The one of these connections that makes room: of those without a request the oldest, unless others hold more than half of
/// the places; of these the one that has stood still the longest. So neither kind takes all places from a client that asks
/// and reads.
pub(super) fn to_close<'a>(
    connections: impl ExactSizeIterator<Item = &'a Progress> + Clone,
) -> Option<usize> {
    let asked = connections.clone().filter(|open| open.has_asked()).count();
    let have_asked = asked > connections.len() / 2;
    let of_kind = connections
        .enumerate()
        .filter(|(_, open)| open.has_asked() == have_asked);
    let stillest = of_kind.min_by_key(|(_, open)| open.last());
    stillest.map(|(number, _)| number)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_stand_still_make_room() {
        let open: Vec<_> = (0..4).map(Duration::from_secs).map(Progress::new).collect();
        let closed = || to_close(open.iter());
        assert_eq!(to_close([].iter()), None);
        assert_eq!(closed(), Some(0), "the oldest");
        open[0].asked(Duration::from_secs(4));
        open[1].asked(Duration::from_secs(5));
        assert_eq!(closed(), Some(2), "the oldest without a request");
        open[2].asked(Duration::from_secs(6));
        assert_eq!(closed(), Some(0), "the oldest with a request");
        open[0].advanced(Duration::from_secs(7));
        assert_eq!(closed(), Some(1), "the one that does not read");
    }
}
