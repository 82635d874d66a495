//! Reading what all instances have published.

use std::future::poll_fn;
use std::task::Poll;

use cachier_backends::{BoxFuture, Error, ErrorKind, Operation};
use cachier_metrics::{Cluster, Form, InstanceId};

use super::metrics_store::{MetricsStore, Slot};
use crate::timer::Timer;

/// The most concurrent requests; calls have the rest of the store's connections.
const MAX_LOADS: usize = 4;

impl MetricsStore {
    /// Adds what all instances have published to what was read before, so that late publications are ignored.
    pub(super) async fn read_into(&self, cluster: &mut Cluster) -> Result<(), Error> {
        let ledger = self.ledger().await?;
        let members: Vec<_> = ledger.members.iter().copied().collect();
        cluster.forget_unreadable();
        // Cannot fail: it was read just now.
        let _ = cluster.add_ledger(&ledger.write());
        cluster.keep_members();
        for some in members.chunks(MAX_LOADS / 2) {
            let slots = some.iter().flat_map(|instance| slots_of(*instance));
            let loads =
                slots.map(|slot| Box::pin(self.load(slot)) as BoxFuture<'_, Option<Vec<u8>>>);
            for loaded in all(loads.collect()).await {
                let now = Timer::system().now();
                // An unreadable publication is counted.
                let _ = match loaded {
                    Ok(None) => Ok(()),
                    Ok(Some(bytes)) => cluster.add(&bytes, now),
                    Err(error) if is_of_entry(&error) => cluster.add(&[], now),
                    Err(error) => return Err(error),
                };
            }
        }
        Ok(())
    }
}

/// The slots of an instance's figures.
pub(super) fn slots_of(instance: InstanceId) -> [Slot; 2] {
    [Form::Full, Form::Change].map(|form| Slot::Figures(instance, form))
}

pub(super) fn timed_out() -> Error {
    let message = "the figures of all instances could not be read in time";
    Error::new(ErrorKind::Timeout, Operation::Load, message)
}

/// Whether the entry is at fault, not the store.
fn is_of_entry(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Codec)
}

/// The outputs of all futures, which run at the same time.
async fn all<T>(mut futures: Vec<BoxFuture<'_, T>>) -> Vec<Result<T, Error>> {
    let mut outputs: Vec<_> = futures.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut is_pending = false;
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(ready) => *output = Some(ready),
                    Poll::Pending => is_pending = true,
                }
            }
        }
        match is_pending {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
