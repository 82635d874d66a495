//! The requests of the backend's operations.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sqlx::SqlStr;

use super::argument::Argument;
use super::client::{ReclaimOnDrop, Requests};
use super::database::{Executed, Pair};
use super::error::{is_table_missing, is_too_large, may_succeed_again};
use super::statements::DELETE_BATCH;
use crate::backend::{EntryVersion, Loaded, Renewal, StoreReply, Usage};
use crate::error::Error;
use crate::key::{Key, Scope};
use crate::unique::unique;

/// The answer to a request for a lease.
pub(super) enum LeaseOutcome {
    Granted,
    /// The owner's token, if the lease is still held.
    Held(Option<Token>),
    Changed,
}

pub(super) struct NewEntry {
    pub(super) bytes: Arc<[u8]>,
    pub(super) created: SystemTime,
    pub(super) expires: Option<SystemTime>,
}

/// An owner's token, or an entry's revision.
pub(super) type Token = [u8; 16];

/// Upper bound for the statement and its arguments other than the entry.
const REQUEST_OVERHEAD: u64 = 4096;

/// How often a statement is tried before its error is final.
const MAX_ATTEMPTS: u32 = 5;

impl Requests {
    pub(super) async fn load(&self, key: &Key) -> Result<Option<Loaded>, Error> {
        self.ensure_table().await?;
        let found = self.pair(&self.statements().load, vec![id(key)]).await?;
        let (revision, entry) = found.unwrap_or_default();
        let bytes = entry.unwrap_or_default();
        self.shared.loaded(bytes.len());
        Ok(revision.map(|revision| Loaded {
            bytes,
            version: EntryVersion::new(revision),
        }))
    }

    pub(super) async fn store(&self, key: &Key, entry: NewEntry) -> Result<StoreReply, Error> {
        if self.exceeds_limit(&entry).await? {
            return Ok(StoreReply::TooLarge);
        }
        let bytes = entry.bytes.len();
        let mut arguments = vec![id(key), Argument::of_scope(key.scope())];
        arguments.extend(entry_arguments(entry));
        arguments.extend(self.notification(key));
        let stored = self.try_execute(&self.statements().store, &arguments).await;
        self.store_reply(stored, bytes)
    }

    /// Stores under a lease, which ends.
    pub(super) async fn store_leased(
        &self,
        key: &Key,
        entry: NewEntry,
        owner: Token,
        seen: Option<&EntryVersion>,
    ) -> Result<StoreReply, Error> {
        if self.exceeds_limit(&entry).await? {
            self.release(key, owner, seen).await?;
            return Ok(StoreReply::TooLarge);
        }
        let bytes = entry.bytes.len();
        let mut arguments = entry_arguments(entry).to_vec();
        arguments.extend([id(key), Argument::bytes(&owner)]);
        arguments.extend(self.notification(key));
        let stored = self
            .try_execute(&self.statements().store_leased, &arguments)
            .await;
        let reply = self.store_reply(stored, bytes)?;
        if reply == StoreReply::TooLarge {
            self.release(key, owner, seen).await?;
        }
        Ok(reply)
    }

    pub(super) async fn lease(
        &self,
        key: &Key,
        seen: Option<&EntryVersion>,
        owner: Token,
        period: Duration,
    ) -> Result<LeaseOutcome, Error> {
        self.ensure_table().await?;
        let (owner, period) = (Argument::bytes(&owner), period_argument(period));
        let done = match seen {
            None => {
                let arguments = vec![id(key), Argument::of_scope(key.scope()), owner, period];
                self.execute(&self.statements().lease_cold, arguments)
                    .await?
            }
            Some(seen) => {
                let seen = Argument::bytes(seen.as_bytes());
                let arguments = vec![owner, period, id(key), seen];
                self.execute(&self.statements().lease_warm, arguments)
                    .await?
            }
        };
        if done.rows > 0 && !done.is_refused {
            return Ok(LeaseOutcome::Granted);
        }
        let (there, owner) = self.look(key).await?;
        let is_as_seen = there.as_deref() == seen.map(EntryVersion::as_bytes);
        Ok(if is_as_seen {
            LeaseOutcome::Held(owner.and_then(|owner| owner.try_into().ok()))
        } else {
            LeaseOutcome::Changed
        })
    }

    /// Takes the lease from its holder.
    pub(super) async fn take_over(
        &self,
        key: &Key,
        owner: Token,
        period: Duration,
    ) -> Result<(), Error> {
        self.ensure_table().await?;
        let (id, scope) = (id(key), Argument::of_scope(key.scope()));
        let arguments = vec![id, scope, Argument::bytes(&owner), period_argument(period)];
        self.execute(&self.statements().take_over, arguments)
            .await
            .map(drop)
    }

    /// Removes the entry under a lease, which continues. Whether there was one; `None` if the lease has ended.
    pub(super) async fn vacate(&self, key: &Key, owner: Token) -> Result<Option<bool>, Error> {
        self.ensure_table().await?;
        let mut arguments = vec![id(key), Argument::bytes(&owner)];
        arguments.extend(self.notification(key));
        let removed = self.execute(&self.statements().vacate, arguments).await?;
        if removed.rows > 0 {
            drop(self.reclaim_on_drop());
            return Ok(Some(true));
        }
        let (_, there) = self.look(key).await?;
        Ok((there.as_deref() == Some(&owner[..])).then_some(false))
    }

    /// The current revision, and the owner of a valid lease.
    pub(super) async fn look(&self, key: &Key) -> Result<Pair, Error> {
        self.ensure_table().await?;
        let found = self
            .pair(&self.statements().lease_state, vec![id(key)])
            .await?;
        Ok(found.unwrap_or_default())
    }

    pub(super) async fn renew(
        &self,
        key: &Key,
        owner: Token,
        period: Duration,
    ) -> Result<Renewal, Error> {
        self.ensure_table().await?;
        let arguments = vec![period_argument(period), id(key), Argument::bytes(&owner)];
        let done = self.execute(&self.statements().renew, arguments).await?;
        Ok(match done.rows {
            0 => Renewal::Lost,
            _ => Renewal::Renewed,
        })
    }

    pub(super) async fn release(
        &self,
        key: &Key,
        owner: Token,
        seen: Option<&EntryVersion>,
    ) -> Result<(), Error> {
        self.ensure_table().await?;
        let mut arguments = vec![id(key), Argument::bytes(&owner)];
        arguments.extend(self.notification(key));
        let statements = self.statements();
        if seen.is_none() {
            let released = self.execute(&statements.release_cold, arguments.clone());
            if released.await?.rows > 0 {
                return Ok(());
            }
            // A lease that was taken over may be on an entry.
        }
        self.execute(&statements.release_warm, arguments)
            .await
            .map(drop)
    }

    pub(super) async fn remove(&self, key: &Key) -> Result<bool, Error> {
        self.ensure_table().await?;
        let mut arguments = vec![id(key)];
        arguments.extend(self.notification(key));
        let removed = self.execute(&self.statements().remove_entry, arguments.clone());
        if removed.await?.rows > 0 {
            drop(self.reclaim_on_drop());
            return Ok(true);
        }
        // A lease, or an entry that its owner has stored just now.
        let removed = self.execute(&self.statements().remove_any, arguments);
        if removed.await?.rows > 0 {
            drop(self.reclaim_on_drop());
        }
        Ok(false)
    }

    pub(super) async fn clear(&self, scope: &Scope) -> Result<u64, Error> {
        self.ensure_table().await?;
        let _reclaim = self.reclaim_on_drop();
        // First the leases without an entry: whatever an owner stored before this is removed with the entries.
        let arguments = vec![Argument::of_scope(scope)];
        self.execute(&self.statements().clear_cold, arguments.clone())
            .await?;
        let removed = self
            .delete(&self.statements().clear_entries, arguments)
            .await?;
        self.notify(scope).await?;
        Ok(removed)
    }

    pub(super) async fn clear_leases(&self, scope: &Scope) -> Result<(), Error> {
        self.ensure_table().await?;
        let arguments = vec![Argument::of_scope(scope)];
        self.execute(&self.statements().clear_leases, arguments)
            .await?;
        self.notify(scope).await
    }

    pub(super) async fn cleanup(
        &self,
        scope: &Scope,
        created_before: SystemTime,
    ) -> Result<u64, Error> {
        self.ensure_table().await?;
        let _reclaim = self.reclaim_on_drop();
        let scope = Argument::of_scope(scope);
        let cutoff = Argument::Number(Some(micros(created_before)));
        let statements = self.statements();
        let old = vec![scope.clone(), cutoff];
        let old = self.delete(&statements.cleanup_old, old).await?;
        let expired = vec![scope.clone()];
        let expired = self.delete(&statements.cleanup_expired, expired).await?;
        // Abandoned leases.
        self.execute(&statements.cleanup_cold, vec![scope]).await?;
        Ok(old + expired)
    }

    pub(super) async fn usage(&self, scope: &Scope) -> Result<Usage, Error> {
        self.ensure_table().await?;
        let arguments = [Argument::of_scope(scope)];
        let found = self.numbers(&self.statements().usage, &arguments).await?;
        let (entries, bytes) = found.unwrap_or_default();
        Ok(Usage {
            entries: u64::try_from(entries).ok(),
            bytes: u64::try_from(bytes).ok(),
        })
    }

    pub(super) async fn check(&self) -> Result<(), Error> {
        self.ensure_table().await?;
        let version = &self.statements().schema_version;
        self.numbers(version, &[]).await.map(|_| ())
    }

    /// Has the database give vacant space back when this is dropped: also after a failure or a cancellation, which may come when
    /// half is removed.
    fn reclaim_on_drop(&self) -> ReclaimOnDrop {
        ReclaimOnDrop {
            #[cfg(feature = "sqlite")]
            space: self.shared.space.clone(),
        }
    }

    async fn exceeds_limit(&self, entry: &NewEntry) -> Result<bool, Error> {
        let limit = self.ensure_table().await?.request_limit;
        Ok(limit.is_some_and(|limit| entry.bytes.len() as u64 + REQUEST_OVERHEAD > limit))
    }

    fn store_reply(
        &self,
        done: Result<Executed, sqlx::Error>,
        bytes: usize,
    ) -> Result<StoreReply, Error> {
        match done {
            Ok(Executed { rows: 0, .. }) => Ok(StoreReply::Superseded),
            Ok(_) => {
                self.shared.stored(bytes);
                Ok(StoreReply::Stored { evicted: 0 })
            }
            Err(error) if is_too_large(&error) => Ok(StoreReply::TooLarge),
            Err(error) => Err(self.error(error)),
        }
    }

    /// Deletes in batches until nothing is left.
    async fn delete(&self, statement: &SqlStr, arguments: Vec<Argument>) -> Result<u64, Error> {
        let mut removed = 0;
        loop {
            let done = self.execute(statement, arguments.clone()).await?;
            removed += done.rows;
            // A larger count is a dialect that deletes everything at once.
            if done.rows != DELETE_BATCH {
                return Ok(removed);
            }
        }
    }

    /// Notifies others that any entry of a function may have changed, where supported.
    async fn notify(&self, scope: &Scope) -> Result<(), Error> {
        let Some(notify) = &self.statements().notify else {
            return Ok(());
        };
        let message = format!("{} {scope} *", self.shared.origin);
        let arguments = vec![self.channel(), Argument::Text(message.into())];
        self.execute(notify, arguments).await.map(|_| ())
    }

    /// The arguments by which a statement notifies others, where supported.
    fn notification(&self, key: &Key) -> Vec<Argument> {
        if self.statements().notify.is_none() {
            return Vec::new();
        }
        let message = format!("{} {} {}", self.shared.origin, key.scope(), key.hash());
        vec![self.channel(), Argument::Text(message.into())]
    }

    fn channel(&self) -> Argument {
        Argument::Text(Arc::from(&*self.statements().table))
    }

    async fn execute(
        &self,
        statement: &SqlStr,
        arguments: Vec<Argument>,
    ) -> Result<Executed, Error> {
        let done = self.try_execute(statement, &arguments).await;
        done.map_err(|error| self.error(error))
    }

    async fn try_execute(
        &self,
        statement: &SqlStr,
        arguments: &[Argument],
    ) -> Result<Executed, sqlx::Error> {
        let database = &self.client.database;
        self.retrying(|| database.execute(statement, arguments))
            .await
    }

    async fn pair(
        &self,
        statement: &SqlStr,
        arguments: Vec<Argument>,
    ) -> Result<Option<Pair>, Error> {
        let database = &self.client.database;
        let found = self.retrying(|| database.pair(statement, &arguments)).await;
        found.map_err(|error| self.error(error))
    }

    pub(super) async fn numbers(
        &self,
        statement: &SqlStr,
        arguments: &[Argument],
    ) -> Result<Option<(i64, i64)>, Error> {
        let database = &self.client.database;
        let found = self
            .retrying(|| database.numbers(statement, arguments))
            .await;
        found.map_err(|error| self.error(error))
    }

    /// Runs a request, and retries it after a conflict, or after a missing table has been created.
    async fn retrying<T, F>(&self, request: impl Fn() -> F) -> Result<T, sqlx::Error>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        let mut attempt = 1;
        loop {
            self.count();
            match request().await {
                Err(error) if may_succeed_again(&error) && attempt < MAX_ATTEMPTS => attempt += 1,
                Err(error)
                    if attempt < MAX_ATTEMPTS && self.client.database.detect_pooler(&error) =>
                {
                    attempt += 1;
                }
                Err(error) if is_table_missing(&error) && attempt == 1 => {
                    if !self.recreate_table().await {
                        return Err(error);
                    }
                    attempt += 1;
                }
                done => return done,
            }
        }
    }
}

pub(super) fn token() -> Token {
    ((u128::from(unique()) << 64) | u128::from(unique())).to_be_bytes()
}

/// The id of a row: a single short column, as databases compare composite keys more slowly.
fn id(key: &Key) -> Argument {
    Argument::bytes(blake3::hash(key.to_string().as_bytes()).as_bytes())
}

/// In the order of columns in the statements that store.
fn entry_arguments(entry: NewEntry) -> [Argument; 5] {
    let size = i64::try_from(entry.bytes.len()).unwrap_or(i64::MAX);
    [
        Argument::Bytes(entry.bytes),
        Argument::bytes(&token()),
        Argument::Number(Some(micros(entry.created))),
        Argument::Number(entry.expires.map(micros)),
        Argument::Number(Some(size)),
    ]
}

fn period_argument(period: Duration) -> Argument {
    // A century is as good as forever, and cannot overflow when added to a clock.
    const MAX_MICROS: i64 = 100 * 366 * 86_400 * 1_000_000;
    let period = i64::try_from(period.as_micros()).unwrap_or(MAX_MICROS);
    Argument::Number(Some(period.min(MAX_MICROS)))
}

/// Microseconds since 1970.
fn micros(moment: SystemTime) -> i64 {
    match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |until| -until)
        }
    }
}
