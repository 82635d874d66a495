//! Operations on all objects of a function, page by page.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{Delete, Object, ObjectIdentifier};
use tokio::task::JoinSet;

use super::bucket::Bucket;
use super::error::{self, Failure};
use super::{leases, names};
use crate::backend::Usage;
use crate::error::{Error, ErrorKind};

/// Age after which a lease counts as abandoned.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Limit for concurrent requests.
const MAX_CONCURRENT_REQUESTS: usize = 16;

/// The objects of a function, listed a thousand at a time in the order of their names.
struct Pages<'a> {
    bucket: &'a Bucket,
    folder: &'a str,
    next: Next,
}

enum Next {
    First,
    After(String),
    Done,
}

/// A listed object.
struct Listed {
    name: String,
    size: u64,
    changed: Option<SystemTime>,
}

impl Bucket {
    /// Removes all entries and leases; returns the number of entries.
    pub(super) async fn clear(&self, folder: &str) -> Result<u64, Error> {
        let (mut pages, mut entries) = (self.pages(folder), 0);
        while let Some(page) = pages.next().await? {
            entries += page.iter().filter(|listed| listed.is_entry()).count() as u64;
            self.delete_all(page.into_iter().map(|listed| listed.name))
                .await?;
        }
        Ok(entries)
    }

    pub(super) async fn clear_leases(&self, folder: &str) -> Result<(), Error> {
        let mut pages = self.pages(folder);
        while let Some(page) = pages.next().await? {
            let leases = page.into_iter().filter(|listed| !listed.is_entry());
            self.delete_all(leases.map(|listed| listed.name)).await?;
        }
        Ok(())
    }

    /// Removes entries created before a moment, and abandoned leases; returns the number of entries.
    pub(super) async fn cleanup(
        &self,
        folder: &str,
        created_before: SystemTime,
    ) -> Result<u64, Error> {
        let leases_before = SystemTime::now().checked_sub(ABANDONED_AFTER);
        let (mut pages, mut removed) = (self.pages(folder), 0);
        while let Some(page) = pages.next().await? {
            let (entries, leases): (Vec<_>, Vec<_>) = page.into_iter().partition(Listed::is_entry);
            removed += self.delete_old(entries, created_before).await?;
            let obsolete = leases.into_iter().filter(|lease| {
                let changed = lease.changed.zip(leases_before);
                changed.is_some_and(|(changed, before)| changed < before)
            });
            self.delete_all(obsolete.map(|lease| lease.name)).await?;
        }
        Ok(removed)
    }

    /// Counts entries and their bytes.
    pub(super) async fn usage(&self, folder: &str) -> Result<Usage, Error> {
        let (mut pages, mut entries, mut bytes) = (self.pages(folder), 0, 0);
        while let Some(page) = pages.next().await? {
            for entry in page.iter().filter(|listed| listed.is_entry()) {
                entries += 1;
                bytes += entry.size;
            }
        }
        Ok(Usage {
            entries: Some(entries),
            bytes: Some(bytes),
        })
    }

    fn pages<'a>(&'a self, folder: &'a str) -> Pages<'a> {
        Pages {
            bucket: self,
            folder,
            next: Next::First,
        }
    }

    /// Deletes entries created before a moment that nobody is recomputing; returns how many.
    async fn delete_old(&self, listed: Vec<Listed>, moment: SystemTime) -> Result<u64, Error> {
        let (mut asked, mut deleted) = (JoinSet::new(), 0);
        let mut listed = listed.into_iter();
        loop {
            while asked.len() < MAX_CONCURRENT_REQUESTS
                && let Some(one) = listed.next()
            {
                let bucket = self.clone();
                asked.spawn(async move { bucket.delete_if_old(&one.name, moment).await });
            }
            match asked.join_next().await {
                None => return Ok(deleted),
                Some(Ok(one)) => deleted += u64::from(one?),
                Some(Err(ended)) => {
                    let message = "the runtime of the backend has ended";
                    let error = Error::new(ErrorKind::Io, self.operation, message);
                    return Err(self.at(error.with_source(ended)));
                }
            }
        }
    }

    /// The same for one entry.
    async fn delete_if_old(&self, name: &str, moment: SystemTime) -> Result<bool, Error> {
        let is_old = |created| created < moment;
        let Some(entry) = self.head(name).await? else {
            return Ok(false);
        };
        if !entry.created.is_some_and(is_old) || self.is_leased(name, &entry).await? {
            return Ok(false);
        }
        // At once, and conditionally: another entry may have replaced it.
        self.delete_seen(name, &entry.etag).await
    }

    /// Deletes up to a page of objects.
    async fn delete_all(&self, names: impl Iterator<Item = String>) -> Result<(), Error> {
        let objects: Vec<_> = names
            .filter_map(|name| ObjectIdentifier::builder().key(name).build().ok())
            .collect();
        if objects.is_empty() {
            return Ok(());
        }
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true);
        let delete = delete.build().map_err(|error| {
            let message = "the request cannot be made";
            let error = Error::new(ErrorKind::Protocol, self.operation, message).with_source(error);
            self.at(error)
        })?;
        self.count();
        let request = self.client.delete_objects().bucket(self.name());
        let answer = request.delete(delete).send().await;
        let answer = answer.map_err(|error| self.failed(Failure::from(error)))?;
        let gone = |code: &str| code == "NoSuchKey";
        let mut failed = answer.errors().iter();
        match failed.find(|failed| !failed.code().is_some_and(gone)) {
            None => Ok(()),
            Some(failed) => {
                let (code, message) = (failed.code(), failed.message());
                let (code, message) = (code.unwrap_or_default(), message.unwrap_or_default());
                Err(self.at(error::not_deleted(self.operation, code, message)))
            }
        }
    }
}

impl Pages<'_> {
    async fn next(&mut self) -> Result<Option<Vec<Listed>>, Error> {
        let bucket = self.bucket;
        let token = match std::mem::replace(&mut self.next, Next::Done) {
            Next::Done => return Ok(None),
            Next::First => None,
            Next::After(token) => Some(token),
        };
        bucket.count();
        let request = bucket.client.list_objects_v2().bucket(bucket.name());
        let request = request.prefix(self.folder).set_continuation_token(token);
        let page = request.send().await;
        let page = page.map_err(|error| bucket.failed(Failure::from(error)))?;
        if let Some(token) = following(&page) {
            self.next = Next::After(token);
        }
        let contents = page.contents.unwrap_or_default();
        Ok(Some(contents.into_iter().filter_map(listed).collect()))
    }
}

impl Listed {
    fn is_entry(&self) -> bool {
        self.size != leases::LEASE_BYTES && !names::is_lease(&self.name)
    }
}

fn following(page: &ListObjectsV2Output) -> Option<String> {
    let token = page.next_continuation_token()?;
    page.is_truncated()?.then(|| token.to_owned())
}

fn listed(object: Object) -> Option<Listed> {
    let changed = object.last_modified.and_then(|at| at.try_into().ok());
    Some(Listed {
        name: object.key?,
        size: u64::try_from(object.size.unwrap_or_default()).unwrap_or_default(),
        changed,
    })
}
