//! The server's bucket, and its operations.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::BodyExt;
use s3s::crypto::{Checksum, Md5};
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, ETag,
    ETagCondition, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput,
    HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, Metadata, Object,
    PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
};
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};

/// The most objects in a page of a listing.
const PAGE_SIZE: usize = 1000;
/// The most bytes in an object's name.
const MAX_NAME_BYTES: usize = 1024;

/// Its name.
const NAME: &str = "cachier";

/// The server's only bucket.
pub(crate) struct Bucket {
    /// Holds control files: `age` makes objects look that many seconds older, `limit` bounds their size in bytes.
    folder: PathBuf,
    objects: Mutex<BTreeMap<String, Stored>>,
}

#[derive(Clone)]
struct Stored {
    bytes: Bytes,
    etag: String,
    changed: SystemTime,
    metadata: Option<Metadata>,
}

impl Bucket {
    /// A bucket with an object for each name in the folder's file `names`, if there is one.
    pub(crate) fn new(folder: PathBuf) -> Self {
        let names = fs::read_to_string(folder.join("names")).unwrap_or_default();
        let named = |name: &str| (name.to_owned(), Stored::new(Bytes::from("object"), None));
        Self {
            objects: Mutex::new(names.lines().map(named).collect()),
            folder,
        }
    }

    /// Its objects, for one request at a time.
    fn objects(&self, bucket: &str) -> S3Result<MutexGuard<'_, BTreeMap<String, Stored>>> {
        if bucket != NAME {
            return Err(s3_error!(NoSuchBucket));
        }
        Ok(self.objects.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn object(&self, bucket: &str, name: &str) -> S3Result<Stored> {
        let objects = self.objects(bucket)?;
        let object = objects.get(name).cloned();
        object.ok_or_else(|| s3_error!(NoSuchKey))
    }

    /// By how much objects look older.
    fn older(&self) -> Duration {
        Duration::from_secs(self.told("age").unwrap_or(0))
    }

    fn told(&self, file: &str) -> Option<u64> {
        let text = fs::read_to_string(self.folder.join(file)).ok()?;
        text.trim().parse().ok()
    }
}

impl Stored {
    fn new(bytes: Bytes, metadata: Option<Metadata>) -> Self {
        let mut hash = Md5::new();
        hash.update(&bytes);
        let hash = u128::from_be_bytes(hash.finalize());
        Self {
            bytes,
            etag: format!("{hash:032x}"),
            changed: SystemTime::now(),
            metadata,
        }
    }

    fn etag(&self) -> Option<ETag> {
        Some(ETag::Strong(self.etag.clone()))
    }

    fn changed(&self, older: Duration) -> Option<Timestamp> {
        Some(self.changed.checked_sub(older)?.into())
    }

    fn size(&self) -> Option<i64> {
        i64::try_from(self.bytes.len()).ok()
    }
}

/// Whether a condition on the current object holds.
fn matches(condition: Option<&ETagCondition>, there: Option<&Stored>) -> S3Result<()> {
    match (condition, there) {
        (None, _) | (Some(ETagCondition::Any), Some(_)) => Ok(()),
        (Some(_), None) => Err(s3_error!(NoSuchKey)),
        (Some(ETagCondition::ETag(etag)), Some(there)) if etag.value() == there.etag => Ok(()),
        (Some(ETagCondition::ETag(_)), Some(_)) => Err(s3_error!(PreconditionFailed)),
    }
}

#[async_trait]
impl S3 for Bucket {
    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        drop(self.objects(&request.input.bucket)?);
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let object = self.object(&request.input.bucket, &request.input.key)?;
        Ok(S3Response::new(GetObjectOutput {
            content_length: object.size(),
            e_tag: object.etag(),
            last_modified: object.changed(self.older()),
            metadata: object.metadata,
            body: Some(StreamingBlob::from(Body::from(object.bytes))),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let object = self.object(&request.input.bucket, &request.input.key)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: object.size(),
            e_tag: object.etag(),
            last_modified: object.changed(self.older()),
            metadata: object.metadata,
            ..HeadObjectOutput::default()
        }))
    }

    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        if input.key.len() > MAX_NAME_BYTES {
            return Err(s3_error!(KeyTooLongError));
        }
        let body = input.body.map_or_else(Body::empty, Body::from);
        let body = body.collect().await;
        let body = body.map_err(|error| s3_error!(IncompleteBody, "{error}"))?;
        let body = body.to_bytes();
        if self
            .told("limit")
            .is_some_and(|limit| body.len() as u64 > limit)
        {
            return Err(s3_error!(EntityTooLarge));
        }
        let object = Stored::new(body, input.metadata);
        let mut objects = self.objects(&input.bucket)?;
        let there = objects.get(&input.key);
        matches(input.if_match.as_ref(), there)?;
        if input.if_none_match.is_some() && there.is_some() {
            return Err(s3_error!(PreconditionFailed));
        }
        let e_tag = object.etag();
        objects.insert(input.key, object);
        Ok(S3Response::new(PutObjectOutput {
            e_tag,
            ..PutObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        let mut objects = self.objects(&input.bucket)?;
        matches(input.if_match.as_ref(), objects.get(&input.key))?;
        objects.remove(&input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = request.input;
        if input.delete.objects.len() > PAGE_SIZE {
            return Err(s3_error!(MalformedXML));
        }
        let mut objects = self.objects(&input.bucket)?;
        for object in input.delete.objects {
            objects.remove(&object.key);
        }
        Ok(S3Response::new(DeleteObjectsOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let prefix = input.prefix.unwrap_or_default();
        let after = input.continuation_token;
        let start = match &after {
            Some(name) => Bound::Excluded(name.as_str()),
            None => Bound::Included(prefix.as_str()),
        };
        let older = self.older();
        let objects = self.objects(&input.bucket)?;
        let mut listed = objects
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(&prefix));
        let in_a_listing = |(name, object): (&String, &Stored)| Object {
            key: Some(name.clone()),
            size: object.size(),
            e_tag: object.etag(),
            last_modified: object.changed(older),
            ..Object::default()
        };
        let page: Vec<_> = listed.by_ref().take(PAGE_SIZE).map(in_a_listing).collect();
        let last = page.last().and_then(|object| object.key.clone());
        let next = listed.next().and(last);
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: i32::try_from(page.len()).ok(),
            contents: Some(page),
            is_truncated: Some(next.is_some()),
            next_continuation_token: next,
            ..ListObjectsV2Output::default()
        }))
    }
}
