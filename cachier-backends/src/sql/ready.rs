//! Whether the table is there: it is made, or brought up to date, before it is first used.

use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlStr;
use tokio::time::timeout;

use super::client::{Ready, Store};
use crate::error::{Error, ErrorKind};

/// How long an attempt may take, from the first request to the last. A server that never answers one ends it too.
const LONGEST: Duration = Duration::from_secs(30);

impl Store {
    /// Has the table made or migrated, once.
    pub(super) async fn ready(&self) -> Result<Ready, Error> {
        match self.shared.ready.get() {
            Some(ready) => Ok(ready),
            // Boxed: the many operations that find the table there keep no room for making it.
            None => Box::pin(self.make_ready()).await,
        }
    }

    async fn make_ready(&self) -> Result<Ready, Error> {
        let attempt = Arc::clone(&self.client.attempt());
        let store = self.clone();
        let prepare = move || async move {
            let prepared = timeout(LONGEST, store.prepare()).await;
            prepared.unwrap_or_else(|_| Err(store.too_late()))
        };
        let ready = *attempt.get_or_try_init(prepare).await?;
        self.shared.ready.set(Some(ready));
        // It may be wanted again, if somebody removes the table.
        self.client.reset();
        Ok(ready)
    }

    /// Makes a table that was there and has gone; whether it is there again.
    pub(super) async fn make_again(&self) -> bool {
        self.shared.ready.set(None);
        self.client.reset();
        Box::pin(self.make_ready()).await.is_ok()
    }

    async fn prepare(&self) -> Result<Ready, Error> {
        self.count();
        let looked = self.client.database.look_for_pooler().await;
        looked.map_err(|error| self.error(error))?;
        let known = self.statements().migrations.len();
        // Whatever is wrong with the table that it should be read from: making it shows whether it can be helped.
        let version = match self.schema_version().await {
            Ok(version) => version,
            Err(error) if error.kind() == ErrorKind::Protocol => 0,
            Err(error) => return Err(error),
        };
        if version > known {
            let message = "a newer cachier has made the table";
            let error = Error::new(ErrorKind::Protocol, self.operation, message);
            return Err(error
                .with_hint("give this program another `table`")
                .at(&self.shared.name));
        }
        if let Some(step) = self.statements().migrations.get(version) {
            self.migrate(step, version).await?;
        }
        let request_limit = match &self.statements().request_limit {
            Some(statement) => self.look_at(statement).await?,
            None => None,
        };
        Ok(Ready {
            request_limit: request_limit.and_then(|(limit, _)| u64::try_from(limit).ok()),
        })
    }

    /// The version of the table; 0 if there is none.
    async fn schema_version(&self) -> Result<usize, Error> {
        let found = self.look_at(&self.statements().schema_version).await?;
        Ok(found.map_or(0, |(version, _)| usize::try_from(version).unwrap_or(0)))
    }

    /// Two numbers that tell whether there is something to be made.
    async fn look_at(&self, statement: &SqlStr) -> Result<Option<(i64, i64)>, Error> {
        self.count();
        let found = self.client.database.numbers(statement, &[]).await;
        found.map_err(|error| self.error(error))
    }

    /// Takes the step that leads on from this version, unless somebody else did.
    async fn migrate(&self, step: &SqlStr, version: usize) -> Result<(), Error> {
        self.count();
        match self.client.database.script(step).await {
            Err(_) if self.schema_version().await.is_ok_and(|now| now > version) => Ok(()),
            done => done.map_err(|error| self.error(error)),
        }
    }

    fn too_late(&self) -> Error {
        let message = "the table was not made in time";
        Error::new(ErrorKind::Timeout, self.operation, message).at(&self.shared.name)
    }
}
