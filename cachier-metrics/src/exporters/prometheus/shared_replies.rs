//! Replies that clients share while there are many: separate replies would keep the last client waiting.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hyper::Response;
use hyper::body::Bytes;

/// The last replies, by what was asked.
#[derive(Debug)]
pub(super) struct SharedReplies<Q> {
    last: Mutex<Vec<Shared<Q>>>,
}

#[derive(Debug)]
struct Shared<Q> {
    asked: Q,
    until: Instant,
    reply: Response<Bytes>,
}

/// A reply is shared for this many times as long as it took to make. So figures that are made quickly stay current, and no
/// kind of them takes more than a tenth of the time.
const AGE_FACTOR: u32 = 10;
/// The most that are kept: a client may ask for something else each time.
const MAX_KEPT: usize = 8;

impl<Q> Default for SharedReplies<Q> {
    fn default() -> Self {
        Self {
            last: Mutex::default(),
        }
    }
}

impl<Q: PartialEq> SharedReplies<Q> {
    /// The last reply to this request, or the result of `make`.
    pub(super) fn get(
        &self,
        asked: Q,
        make: impl FnOnce(&Q) -> Response<Bytes>,
    ) -> Response<Bytes> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        last.retain(|shared| began < shared.until);
        if let Some(shared) = last.iter().find(|shared| shared.asked == asked) {
            return shared.reply.clone();
        }
        let reply = make(&asked);
        let made = Instant::now();
        let until = made + AGE_FACTOR * (made - began);
        keep(&mut last, asked, until, reply.clone());
        reply
    }
}

fn keep<Q>(last: &mut Vec<Shared<Q>>, asked: Q, until: Instant, reply: Response<Bytes>) {
    if last.len() == MAX_KEPT {
        last.remove(0);
    }
    last.push(Shared {
        asked,
        until,
        reply,
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;

    #[test]
    fn few_replies_are_shared_while_they_hold() {
        let replies = SharedReplies::default();
        let body = |asked: usize| {
            let made = |_: &usize| Response::new(Bytes::from("made"));
            replies.get(asked, made).into_body()
        };
        let kept = |asked: usize, until: Instant| {
            let reply = Response::new(Bytes::from("kept"));
            keep(&mut replies.last.lock().unwrap(), asked, until, reply);
        };
        let (now, hour) = (Instant::now(), Duration::from_secs(3600));
        kept(1, now + hour);
        kept(2, now);
        assert_eq!([1, 2].map(&body), ["kept", "made"]);
        (3..3 + MAX_KEPT).for_each(|other| kept(other, now + hour));
        assert_eq!(body(3), "kept");
        assert_eq!(body(1), "made");
    }
}
