//! The body of a response, piece by piece, so that it shows how far the client has come.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::progress::Progress;

/// A body in memory. A piece is asked for when those before it are on their way.
#[derive(Debug)]
pub(super) struct Chunks {
    left: Bytes,
    progress: Progress,
    /// The beginning of the time of all progress.
    origin: Instant,
}

const CHUNK_BYTES: usize = 64 << 10;

impl Chunks {
    pub(super) fn new(body: Bytes, progress: Progress, origin: Instant) -> Self {
        Self {
            left: body,
            progress,
            origin,
        }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.left.len().min(CHUNK_BYTES);
        if length == 0 {
            return Poll::Ready(None);
        }
        self.progress.advanced(self.origin.elapsed());
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::task::{Waker, ready};
    use std::time::Duration;

    use super::*;

    #[test]
    fn pieces_make_up_the_body() {
        let body = Bytes::from(vec![b'x'; CHUNK_BYTES + 1]);
        let mut chunks = Chunks::new(body, Progress::new(Duration::ZERO), Instant::now());
        let mut context = Context::from_waker(Waker::noop());
        let mut next = || {
            let length = chunks.size_hint().exact().unwrap();
            let frame = ready!(Pin::new(&mut chunks).poll_frame(&mut context));
            let piece = frame.map(|frame| frame.unwrap().into_data().unwrap().len());
            Poll::Ready((length, piece, chunks.is_end_stream()))
        };
        let all = CHUNK_BYTES as u64 + 1;
        assert_eq!(next(), Poll::Ready((all, Some(CHUNK_BYTES), false)));
        assert_eq!(next(), Poll::Ready((1, Some(1), true)));
        assert_eq!(next(), Poll::Ready((0, None, true)));
    }
}
