//! The table: created or upgraded before its first use.

use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlStr;
use tokio::time::timeout;

use super::client::{Requests, TableInfo};
use crate::error::{Error, ErrorKind};

/// Limit for one attempt, even if the server never answers.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(30);

impl Requests {
    /// Makes sure that the table exists in the current version.
    pub(super) async fn ensure_table(&self) -> Result<TableInfo, Error> {
        match self.shared.table_state.get() {
            Some(info) => Ok(info),
            // Boxed: creating the table is rare and its future large.
            None => Box::pin(self.prepare_table()).await,
        }
    }

    async fn prepare_table(&self) -> Result<TableInfo, Error> {
        let attempt = Arc::clone(&self.client.attempt());
        let requests = self.clone();
        let prepare = move || async move {
            let prepared = timeout(PREPARE_TIMEOUT, requests.prepare()).await;
            prepared.unwrap_or_else(|_| Err(requests.timed_out()))
        };
        let info = *attempt.get_or_try_init(prepare).await?;
        self.shared.table_state.set(Some(info));
        // For the next attempt, in case somebody removes the table.
        self.client.reset();
        Ok(info)
    }

    /// Creates a table that has been removed; whether it exists again.
    pub(super) async fn recreate_table(&self) -> bool {
        self.shared.table_state.set(None);
        self.client.reset();
        Box::pin(self.prepare_table()).await.is_ok()
    }

    async fn prepare(&self) -> Result<TableInfo, Error> {
        self.count();
        let looked = self.client.database.probe_pooler().await;
        looked.map_err(|error| self.error(error))?;
        let known = self.statements().migrations.len();
        // Any failure of the table: creating it shows whether that can be helped.
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
            Some(statement) => self.query_numbers(statement).await?,
            None => None,
        };
        Ok(TableInfo {
            request_limit: request_limit.and_then(|(limit, _)| u64::try_from(limit).ok()),
        })
    }

    /// The version of the table; 0 if there is none.
    async fn schema_version(&self) -> Result<usize, Error> {
        let found = self
            .query_numbers(&self.statements().schema_version)
            .await?;
        Ok(found.map_or(0, |(version, _)| usize::try_from(version).unwrap_or(0)))
    }

    /// Two numbers found by a statement.
    async fn query_numbers(&self, statement: &SqlStr) -> Result<Option<(i64, i64)>, Error> {
        self.count();
        let found = self.client.database.numbers(statement, &[]).await;
        found.map_err(|error| self.error(error))
    }

    /// Upgrades from this version, unless somebody else has.
    async fn migrate(&self, step: &SqlStr, version: usize) -> Result<(), Error> {
        self.count();
        match self.client.database.script(step).await {
            Err(_) if self.schema_version().await.is_ok_and(|now| now > version) => Ok(()),
            done => done.map_err(|error| self.error(error)),
        }
    }

    fn timed_out(&self) -> Error {
        let message = "the table was not made in time";
        Error::new(ErrorKind::Timeout, self.operation, message).at(&self.shared.name)
    }
}
