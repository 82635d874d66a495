//! Work on all that a function has on the server, which is spread over its shards.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::task::JoinSet;

use super::link::Link;
use super::names::Shard;
use super::scripts::Script;
use super::{BATCH, Redis, micros};
use crate::backend::BoxFuture;
use crate::error::{Error, Operation};
use crate::key::Scope;

impl Redis {
    /// Runs a script again and again on each shard of a function, until it says that this was all; the sum of the first
    /// numbers that it returns.
    pub(super) fn exhaust(
        &self,
        scope: &Arc<Scope>,
        operation: Operation,
        script: &'static Script,
        before: Option<SystemTime>,
    ) -> BoxFuture<'_, u64> {
        let origin = self.origin.clone();
        let each = self.on_all_shards(scope, operation, move |link, shard| {
            let origin = origin.clone();
            async move {
                let mut total = 0;
                loop {
                    let call = script.call(operation, &shard, &origin, "");
                    let call = match before {
                        Some(moment) => call.arg(micros(moment)),
                        None => call,
                    };
                    let [count, more] = call.arg(BATCH).numbers(&link).await?;
                    total += count;
                    if more == 0 {
                        return Ok(total);
                    }
                }
            }
        });
        Box::pin(async { Ok(each.await?.into_iter().sum()) })
    }

    /// Works on all shards of a function at once.
    pub(super) fn on_all_shards<T, F>(
        &self,
        scope: &Arc<Scope>,
        operation: Operation,
        work: impl Fn(Link, Shard) -> F + Send + 'static,
    ) -> BoxFuture<'_, Vec<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let shards: Vec<_> = Shard::all(scope).collect();
        self.clients.run(operation, move |link| async move {
            let mut tasks = JoinSet::new();
            for shard in shards {
                tasks.spawn(work(link.clone(), shard));
            }
            let mut all = Vec::new();
            while let Some(done) = tasks.join_next().await {
                all.push(done.map_err(|ended| link.fault(operation).with_source(ended))??);
            }
            Ok(all)
        })
    }
}
