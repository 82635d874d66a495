//! Requests to a bucket.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime};

use super::clock::ServerClock;
use super::error::{self, Answer, Failure};
use crate::error::{Error, ErrorKind, Operation};
use crate::key::{Key, Scope};
use crate::network::RoundTrips;

/// Shared by all clients of a backend.
pub(super) struct Shared {
    pub(super) bucket: String,
    pub(super) prefix: String,
    /// The server's address, unless it is AWS.
    pub(super) endpoint: Option<String>,
    pub(super) trips: RoundTrips,
}

/// A bucket, with the client that serves one operation.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) shared: Arc<Shared>,
    pub(super) client: Client,
    pub(super) operation: Operation,
}

/// An object with its content.
pub(super) struct Object {
    pub(super) bytes: Vec<u8>,
    pub(super) etag: String,
}

/// An object's metadata.
pub(super) struct Head {
    pub(super) size: u64,
    pub(super) etag: String,
    /// When the entry was created.
    pub(super) created: Option<SystemTime>,
    /// The lease's owner.
    pub(super) owner: Option<u64>,
    /// The lease's period.
    pub(super) period: Option<Duration>,
    /// Lower bound for the time since the last change, by the server's clock.
    pub(super) age: Duration,
}

/// User metadata of an object.
#[derive(Clone, Copy)]
pub(super) enum ObjectMetadata {
    /// An entry, created at this time.
    Created(SystemTime),
    /// A lease of an owner, for a period.
    Lease(u64, Duration),
}

/// The precondition of a put.
#[derive(Clone, Copy)]
pub(super) enum Condition<'a> {
    Always,
    /// The object does not exist.
    Missing,
    /// The object has this `ETag`.
    Is(&'a str),
}

/// The answer to a put.
pub(super) enum PutOutcome {
    /// Stored, with this `ETag`.
    Done(String),
    /// The precondition failed.
    Unmet,
    /// Conflicted with a concurrent request, which leaves open whether the precondition holds.
    Conflict(Failure),
    TooLarge,
}

/// Metadata: creation of the entry, in milliseconds since 1970.
const CREATED_AT: &str = "cachier-created-millis";
/// Metadata: owner of the lease.
const LEASE_OWNER: &str = "cachier-lease-owner";
/// Metadata: period of the lease, in milliseconds.
const LEASE_PERIOD: &str = "cachier-lease-millis";

/// The most that is read of what is not cachier's, in bytes.
const MAX_FOREIGN: i64 = 64 << 10;

impl Shared {
    pub(super) fn new(bucket: String) -> Self {
        Self {
            bucket,
            prefix: String::new(),
            endpoint: None,
            trips: RoundTrips::default(),
        }
    }

    /// The same, with all counts at zero.
    pub(super) fn unused(&self) -> Self {
        Self {
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone(),
            endpoint: self.endpoint.clone(),
            trips: RoundTrips::default(),
        }
    }

    pub(super) fn store_name(&self) -> String {
        let (bucket, prefix) = (&self.bucket, self.prefix.trim_end_matches('/'));
        let slash = if prefix.is_empty() { "" } else { "/" };
        match &self.endpoint {
            Some(endpoint) => format!("s3://{bucket}{slash}{prefix} at {endpoint}"),
            None => format!("s3://{bucket}{slash}{prefix}"),
        }
    }

    /// The name of an entry.
    pub(super) fn name(&self, key: &Key) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The common prefix of a function's entries.
    pub(super) fn folder(&self, scope: &Scope) -> String {
        format!("{}{scope}/", self.prefix)
    }
}

impl Bucket {
    /// An object, if it exists. A large one of somebody else is not read: its bytes are none, as if it were torn.
    pub(super) async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        self.count();
        let request = self.client.get_object().bucket(self.name()).key(name);
        let Some(answer) = self.found(request.send().await)? else {
            return Ok(None);
        };
        let etag = answer.e_tag.ok_or_else(|| self.incomplete())?;
        let is_large = answer
            .content_length
            .is_none_or(|length| length > MAX_FOREIGN);
        if is_large && !is_ours(answer.metadata.as_ref()) {
            let bytes = Vec::new();
            return Ok(Some(Object { bytes, etag }));
        }
        let body = answer.body.collect().await;
        let body = body.map_err(|error| self.at(error::broken_off(self.operation, error)))?;
        let bytes = body.to_vec();
        Ok(Some(Object { bytes, etag }))
    }

    /// The metadata of an object, if it exists.
    pub(super) async fn head(&self, name: &str) -> Result<Option<Head>, Error> {
        self.count();
        let (request, clock) = (self.client.head_object(), ServerClock::default());
        let request = request.bucket(self.name()).key(name).customize();
        let answer = request.interceptor(clock.clone()).send().await;
        let Some(answer) = self.found(answer)? else {
            return Ok(None);
        };
        let size = answer.content_length.unwrap_or_default();
        let millis = |name| metadata(&answer, name).map(Duration::from_millis);
        Ok(Some(Head {
            size: u64::try_from(size).unwrap_or_default(),
            created: millis(CREATED_AT).and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since)),
            owner: metadata(&answer, LEASE_OWNER),
            period: millis(LEASE_PERIOD),
            age: age(answer.last_modified, clock.now()),
            etag: answer.e_tag.ok_or_else(|| self.incomplete())?,
        }))
    }

    /// Puts an object if the condition holds.
    pub(super) async fn put(
        &self,
        name: &str,
        body: impl Into<ByteStream>,
        metadata: ObjectMetadata,
        condition: Condition<'_>,
    ) -> Result<PutOutcome, Error> {
        self.count();
        let mut request = self.client.put_object().bucket(self.name()).key(name);
        request = match condition {
            Condition::Always => request,
            Condition::Missing => request.if_none_match("*"),
            Condition::Is(etag) => request.if_match(etag),
        };
        request = match metadata {
            ObjectMetadata::Created(at) => {
                let since = at.duration_since(SystemTime::UNIX_EPOCH);
                request.metadata(CREATED_AT, millis(since.unwrap_or_default()))
            }
            ObjectMetadata::Lease(owner, period) => request
                .metadata(LEASE_OWNER, owner.to_string())
                .metadata(LEASE_PERIOD, millis(period)),
        };
        let failure = match request.body(body.into()).send().await {
            Ok(done) => {
                let etag = done.e_tag.ok_or_else(|| self.incomplete())?;
                return Ok(PutOutcome::Done(etag));
            }
            Err(error) => Failure::from(error),
        };
        match (failure.answer(), condition) {
            (Answer::TooLarge, _) => Ok(PutOutcome::TooLarge),
            (Answer::Unmet, Condition::Missing | Condition::Is(_))
            | (Answer::Missing, Condition::Is(_)) => Ok(PutOutcome::Unmet),
            (Answer::Conflict, _) => Ok(PutOutcome::Conflict(failure)),
            _ => Err(self.failed(failure)),
        }
    }

    /// Deletes an object unconditionally.
    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        self.count();
        let request = self.client.delete_object().bucket(self.name()).key(name);
        self.found(request.send().await).map(drop)
    }

    /// Deletes an object if it has this `ETag`.
    pub(super) async fn delete_if(&self, name: &str, etag: &str) -> Result<(), Error> {
        if self.try_delete_if(name, etag).await? == Answer::Conflict {
            // The concurrent request has succeeded or failed by now.
            self.try_delete_if(name, etag).await?;
        }
        Ok(())
    }

    /// The same, unless a concurrent request is changing it.
    async fn try_delete_if(&self, name: &str, etag: &str) -> Result<Answer, Error> {
        // Some servers ignore the precondition.
        if self.head(name).await?.is_none_or(|head| head.etag != etag) {
            return Ok(Answer::Unmet);
        }
        self.request_delete_if(name, etag).await
    }

    /// Deletes an object that was seen just now, if it is unchanged; whether this deleted it.
    pub(super) async fn delete_seen(&self, name: &str, etag: &str) -> Result<bool, Error> {
        Ok(self.request_delete_if(name, etag).await? == Answer::Missing)
    }

    async fn request_delete_if(&self, name: &str, etag: &str) -> Result<Answer, Error> {
        self.count();
        let request = self.client.delete_object().bucket(self.name()).key(name);
        let Err(error) = request.if_match(etag).send().await else {
            return Ok(Answer::Missing);
        };
        let failure = Failure::from(error);
        match failure.answer() {
            Answer::Unknown => self.delete(name).await.map(|()| Answer::Missing),
            answer @ (Answer::Missing | Answer::Unmet | Answer::Conflict) => Ok(answer),
            _ => Err(self.failed(failure)),
        }
    }

    /// Whether the bucket is accessible.
    pub(super) async fn check(&self) -> Result<(), Error> {
        self.count();
        let request = self.client.head_bucket().bucket(self.name());
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(Failure::from(error))),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.shared.bucket
    }

    /// Counts a request.
    pub(super) fn count(&self) {
        self.shared.trips.count(self.operation);
    }

    pub(super) fn failed(&self, failure: impl Into<Failure>) -> Error {
        self.at(failure.into().into_error(self.operation))
    }

    pub(super) fn at(&self, error: Error) -> Error {
        error.at(self.shared.store_name())
    }

    /// The error after repeated conflicts with others.
    pub(super) fn contended(&self) -> Error {
        let message = "others changed the entry again and again";
        self.at(Error::new(ErrorKind::Io, self.operation, message))
    }

    fn incomplete(&self) -> Error {
        self.at(error::incomplete(self.operation))
    }

    /// `None` if the object does not exist.
    fn found<T>(&self, answer: Result<T, impl Into<Failure>>) -> Result<Option<T>, Error> {
        let failure: Failure = match answer {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) => error.into(),
        };
        match failure.answer() {
            Answer::Missing => Ok(None),
            _ => Err(self.failed(failure)),
        }
    }
}

/// Whether all objects that are put here have such metadata.
fn is_ours(metadata: Option<&HashMap<String, String>>) -> bool {
    let names = [CREATED_AT, LEASE_OWNER];
    metadata.is_some_and(|all| names.iter().any(|name| all.contains_key(*name)))
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

fn metadata(answer: &HeadObjectOutput, name: &str) -> Option<u64> {
    answer.metadata()?.get(name)?.parse().ok()
}

/// Lower bound for an age: both times are truncated to seconds.
fn age(at: Option<DateTime>, now: DateTime) -> Duration {
    let seconds = at.map_or(0, |at| now.secs() - at.secs() - 1);
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}
