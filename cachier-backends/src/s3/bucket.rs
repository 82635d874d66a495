//! The requests to a bucket.

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

/// What all clients of a backend share.
pub(super) struct Shared {
    pub(super) bucket: String,
    pub(super) prefix: String,
    /// The address of the server, if it is not AWS.
    pub(super) endpoint: Option<String>,
    pub(super) trips: RoundTrips,
}

/// A bucket, and the client that asks it on behalf of an operation.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) shared: Arc<Shared>,
    pub(super) client: Client,
    pub(super) operation: Operation,
}

/// An object, whole.
pub(super) struct Object {
    pub(super) bytes: Vec<u8>,
    pub(super) etag: String,
}

/// An object, without what is in it.
pub(super) struct Head {
    pub(super) size: u64,
    pub(super) etag: String,
    /// When the entry in it was created.
    pub(super) created: Option<SystemTime>,
    /// Whose lease it is.
    pub(super) owner: Option<u64>,
    /// How long the lease that it is lasts.
    pub(super) period: Option<Duration>,
    /// For how long it has been as it is, at least, by the clock of the server.
    pub(super) age: Duration,
}

/// What the metadata of an object say of it.
#[derive(Clone, Copy)]
pub(super) enum ObjectMetadata {
    /// It is an entry that was created then.
    Created(SystemTime),
    /// It is the lease of an owner, and lasts for so long.
    Lease(u64, Duration),
}

/// On which condition an object is put.
#[derive(Clone, Copy)]
pub(super) enum Condition<'a> {
    Always,
    /// There is none of this name.
    Missing,
    /// The one that is there has this `ETag`.
    Is(&'a str),
}

/// The answer to a put.
pub(super) enum PutOutcome {
    /// It is there, with this `ETag`.
    Done(String),
    /// The condition does not hold.
    Unmet,
    /// Another request was changing the object at that moment: whether the condition holds was not told.
    Conflict(Failure),
    TooLarge,
}

/// The metadata that say when an entry was created, in milliseconds since 1970.
const CREATED_AT: &str = "cachier-created-millis";
/// The metadata that say whose a lease is.
const LEASE_OWNER: &str = "cachier-lease-owner";
/// The metadata that say for how long it lasts, in milliseconds.
const LEASE_PERIOD: &str = "cachier-lease-millis";

impl Shared {
    pub(super) fn new(bucket: String) -> Self {
        Self {
            bucket,
            prefix: String::new(),
            endpoint: None,
            trips: RoundTrips::default(),
        }
    }

    /// The same, with nothing sent yet.
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

    /// With what the names of the entries of a function begin.
    pub(super) fn folder(&self, scope: &Scope) -> String {
        format!("{}{scope}/", self.prefix)
    }
}

impl Bucket {
    /// An object, if there is one.
    pub(super) async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        self.count();
        let request = self.client.get_object().bucket(self.name()).key(name);
        let Some(answer) = self.found(request.send().await)? else {
            return Ok(None);
        };
        let etag = answer.e_tag.ok_or_else(|| self.incomplete())?;
        let body = answer.body.collect().await;
        let body = body.map_err(|error| self.at(error::broken_off(self.operation, error)))?;
        let bytes = body.to_vec();
        Ok(Some(Object { bytes, etag }))
    }

    /// What is known of an object, if there is one.
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

    /// Puts an object where the condition holds.
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

    /// Deletes an object, whatever it is.
    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        self.count();
        let request = self.client.delete_object().bucket(self.name()).key(name);
        self.found(request.send().await).map(drop)
    }

    /// Deletes an object if it is the one of this `ETag`.
    pub(super) async fn delete_if(&self, name: &str, etag: &str) -> Result<(), Error> {
        if self.try_delete_if(name, etag).await? == Answer::Conflict {
            // Whoever was changing it has done so now, or has failed.
            self.try_delete_if(name, etag).await?;
        }
        Ok(())
    }

    /// The same, unless another request is changing it.
    async fn try_delete_if(&self, name: &str, etag: &str) -> Result<Answer, Error> {
        // Some servers pass over the condition, so that it is not enough.
        if self.head(name).await?.is_none_or(|head| head.etag != etag) {
            return Ok(Answer::Unmet);
        }
        self.request_delete_if(name, etag).await
    }

    /// Deletes an object that was seen a moment ago, if it is still the same; whether it is gone by that.
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

    /// Whether the bucket can be used.
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

    /// Counts a request that is being sent.
    pub(super) fn count(&self) {
        self.shared.trips.count(self.operation);
    }

    pub(super) fn failed(&self, failure: impl Into<Failure>) -> Error {
        self.at(failure.into().into_error(self.operation))
    }

    pub(super) fn at(&self, error: Error) -> Error {
        error.at(self.shared.store_name())
    }

    /// The error of a request that others stood in the way of again and again.
    pub(super) fn contended(&self) -> Error {
        let message = "others changed the entry again and again";
        self.at(Error::new(ErrorKind::Io, self.operation, message))
    }

    fn incomplete(&self) -> Error {
        self.at(error::incomplete(self.operation))
    }

    /// `None` where there is no such object.
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

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

fn metadata(answer: &HeadObjectOutput, name: &str) -> Option<u64> {
    answer.metadata()?.get(name)?.parse().ok()
}

/// How long ago something was, at least: both times are cut off to seconds.
fn age(at: Option<DateTime>, now: DateTime) -> Duration {
    let seconds = at.map_or(0, |at| now.secs() - at.secs() - 1);
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}
