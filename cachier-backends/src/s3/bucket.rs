//! The requests to a bucket.

use std::sync::Arc;
use std::time::SystemTime;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;

use super::error::{self, Answer, Failure};
use crate::error::{Error, Operation};
use crate::key::{Key, Scope};
use crate::network::RoundTrips;

/// What all clients of a backend share.
pub(super) struct Shared {
    pub(super) bucket: String,
    pub(super) prefix: String,
    /// The address of the server, if it is not AWS.
    pub(super) place: Option<String>,
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
    pub(super) created_millis: Option<u128>,
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
pub(super) enum Put {
    /// It is there, with this `ETag`.
    Done(String),
    /// The condition does not hold.
    Unmet,
    TooLarge,
}

/// The metadata that says when an entry was created, in milliseconds since 1970.
const CREATED: &str = "created-millis";

impl Shared {
    pub(super) fn new(bucket: String) -> Self {
        Self {
            bucket,
            prefix: String::new(),
            place: None,
            trips: RoundTrips::default(),
        }
    }

    /// The same, with nothing sent yet.
    pub(super) fn renewed(&self) -> Self {
        Self {
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone(),
            place: self.place.clone(),
            trips: RoundTrips::default(),
        }
    }

    pub(super) fn store_name(&self) -> String {
        let (bucket, prefix) = (&self.bucket, self.prefix.trim_end_matches('/'));
        let slash = if prefix.is_empty() { "" } else { "/" };
        match &self.place {
            Some(place) => format!("s3://{bucket}{slash}{prefix} at {place}"),
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
        let request = self.client.head_object().bucket(self.name()).key(name);
        let Some(answer) = self.found(request.send().await)? else {
            return Ok(None);
        };
        let created_millis = created_millis(&answer);
        let size = answer.content_length.unwrap_or_default();
        Ok(Some(Head {
            size: u64::try_from(size).unwrap_or_default(),
            etag: answer.e_tag.ok_or_else(|| self.incomplete())?,
            created_millis,
        }))
    }

    /// Puts an object where the condition holds.
    pub(super) async fn put(
        &self,
        name: &str,
        body: ByteStream,
        created: Option<SystemTime>,
        condition: Condition<'_>,
    ) -> Result<Put, Error> {
        self.count();
        let mut request = self.client.put_object().bucket(self.name()).key(name);
        request = match condition {
            Condition::Always => request,
            Condition::Missing => request.if_none_match("*"),
            Condition::Is(etag) => request.if_match(etag),
        };
        if let Some(created) = created {
            request = request.metadata(CREATED, millis(created).to_string());
        }
        let failure = match request.body(body).send().await {
            Ok(done) => {
                let etag = done.e_tag.ok_or_else(|| self.incomplete())?;
                return Ok(Put::Done(etag));
            }
            Err(error) => Failure::from(error),
        };
        match (failure.answer(), condition) {
            (Answer::TooLarge, _) => Ok(Put::TooLarge),
            (Answer::Unmet, Condition::Missing | Condition::Is(_))
            | (Answer::Missing, Condition::Is(_)) => Ok(Put::Unmet),
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
        // Some servers pass over the condition, so that it is not enough.
        if self.head(name).await?.is_none_or(|head| head.etag != etag) {
            return Ok(());
        }
        self.count();
        let request = self.client.delete_object().bucket(self.name()).key(name);
        let Err(error) = request.if_match(etag).send().await else {
            return Ok(());
        };
        let failure = Failure::from(error);
        match failure.answer() {
            Answer::Missing | Answer::Unmet => Ok(()),
            Answer::Unknown => self.delete(name).await,
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

pub(super) fn millis(time: SystemTime) -> u128 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis())
}

fn created_millis(answer: &HeadObjectOutput) -> Option<u128> {
    answer.metadata()?.get(CREATED)?.parse().ok()
}
