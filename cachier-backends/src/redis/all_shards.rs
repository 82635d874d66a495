//! Operations on all shards of a function.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::task::JoinSet;

use super::link::Link;
use super::names::Shard;
use super::scripts::{self, Call, Script, micros};
use crate::backend::{BoxFuture, Usage};
use crate::error::{Error, Operation};
use crate::key::Scope;
use crate::network::Clients;

/// Entries removed per script call: a few milliseconds of the server's time.
const SCRIPT_BATCH: u64 = 500;

/// All shards of a function, for one operation.
pub(super) struct AllShards<'a> {
    pub(super) clients: &'a Clients<Link>,
    pub(super) origin: &'a str,
    pub(super) scope: &'a Arc<Scope>,
    pub(super) operation: Operation,
}

impl<'a> AllShards<'a> {
    /// Runs a script on every shard.
    pub(super) fn run(&self, script: &'static Script) -> BoxFuture<'a, ()> {
        let each = self.each(script, |on| async move { on.call().number(&on.link).await });
        Box::pin(async { each.await.map(drop) })
    }

    /// Repeats a script on every shard until it reports no more work; sums the first numbers that it returns.
    pub(super) fn exhaust(
        &self,
        script: &'static Script,
        before: Option<SystemTime>,
    ) -> BoxFuture<'a, u64> {
        let each = self.each(script, move |on| async move {
            let mut total = 0;
            loop {
                let call = match before {
                    Some(moment) => on.call().arg(micros(moment)),
                    None => on.call(),
                };
                let [count, more] = call.arg(SCRIPT_BATCH).numbers(&on.link).await?;
                total += count;
                if more == 0 {
                    return Ok(total);
                }
            }
        });
        Box::pin(async { Ok(each.await?.into_iter().sum()) })
    }

    /// Entries and bytes of all shards.
    pub(super) fn usage(&self) -> BoxFuture<'a, Usage> {
        let each = self.each(&scripts::USAGE, |on| async move {
            loop {
                let [entries, bytes, more] = on.call().arg(SCRIPT_BATCH).numbers(&on.link).await?;
                if more == 0 {
                    return Ok((entries, bytes));
                }
            }
        });
        Box::pin(async {
            let each = each.await?;
            Ok(Usage {
                entries: Some(each.iter().map(|(entries, _)| entries).sum()),
                bytes: Some(each.iter().map(|(_, bytes)| bytes).sum()),
            })
        })
    }

    /// Runs `work` on all shards concurrently.
    fn each<T, F>(
        &self,
        script: &'static Script,
        work: impl Fn(OnShard) -> F + Send + 'static,
    ) -> BoxFuture<'a, Vec<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let shards: Vec<_> = Shard::all(self.scope).collect();
        let (operation, origin) = (self.operation, Arc::<str>::from(self.origin));
        self.clients.run(operation, move |link| async move {
            let mut tasks = JoinSet::new();
            for shard in shards {
                tasks.spawn(work(OnShard {
                    link: link.clone(),
                    shard,
                    origin: Arc::clone(&origin),
                    operation,
                    script,
                }));
            }
            let mut all = Vec::new();
            while let Some(done) = tasks.join_next().await {
                all.push(done.map_err(|ended| link.fault(operation).with_source(ended))??);
            }
            Ok(all)
        })
    }
}

/// A script to run on one shard.
struct OnShard {
    link: Link,
    shard: Shard,
    origin: Arc<str>,
    operation: Operation,
    script: &'static Script,
}

impl OnShard {
    fn call(&self) -> Call {
        self.script
            .call(self.operation, &self.shard, &self.origin, "")
    }
}
