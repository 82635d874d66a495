//! Blocking a thread on a future, even while the thread ends.

use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use parking::Parker;

thread_local! {
    /// The thread's parker, cached between calls. Gone while destructors of other thread-locals run; other crates' executors
    /// panic there, which aborts the process.
    static CACHED: Cell<Option<(Parker, Waker)>> = const { Cell::new(None) };
}

/// Blocks the thread until the future is ready.
pub fn block_on<F: Future>(future: F) -> F::Output {
    // In a task that has used up its share of a poll, tokio wakes nobody before the task has yielded, which it does not do here.
    #[cfg(feature = "tokio")]
    let future = tokio::task::unconstrained(future);
    let mut future = pin!(future);
    let cached = CACHED.try_with(Cell::take).ok().flatten();
    let (parker, waker) = cached.unwrap_or_else(|| {
        let (parker, unparker) = parking::pair();
        (parker, Waker::from(unparker))
    });
    let mut cx = Context::from_waker(&waker);
    let output = loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => break output,
            Poll::Pending => parker.park(),
        }
    };
    let _ = CACHED.try_with(|cached| cached.set(Some((parker, waker))));
    output
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::RefCell;
    use std::sync::mpsc::{Sender, channel};
    use std::thread;

    use futures_lite::future::yield_now;

    use super::*;

    #[test]
    fn block_on_can_be_nested() {
        assert_eq!(block_on(async { block_on(async { 6 }) * 7 }), 42);
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn blocking_in_a_task_never_waits_for_it() {
        use std::time::Duration;

        let (sender, receiver) = channel();
        thread::spawn(move || {
            let free = tokio::sync::Semaphore::new(1);
            let acquire = async || drop(free.acquire().await);
            let task = async { (0..1_000).for_each(|_| block_on(acquire())) };
            tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
                .block_on(task);
            sender.send(())
        });
        assert_eq!(receiver.recv_timeout(Duration::from_secs(60)), Ok(()));
    }

    struct BlockOnDrop(Sender<u32>);

    impl Drop for BlockOnDrop {
        fn drop(&mut self) {
            let answer = block_on(async {
                yield_now().await;
                42
            });
            let _ = self.0.send(answer);
        }
    }

    thread_local! {
        static LAST: RefCell<Option<BlockOnDrop>> = const { RefCell::new(None) };
    }

    #[test]
    fn block_on_works_during_thread_teardown() {
        let (sender, receiver) = channel();
        let thread = thread::spawn(|| {
            // Dropped after thread-locals that are first used later.
            LAST.set(Some(BlockOnDrop(sender)));
            block_on(async {});
        });
        assert_eq!(receiver.recv(), Ok(42));
        assert!(thread.join().is_ok());
    }
}
