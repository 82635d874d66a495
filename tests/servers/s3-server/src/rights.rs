//! Access control.

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{SecretKey, SimpleAuth};
use s3s::{S3Result, s3_error};

/// The users' secrets: one with all rights, and one who may only read.
pub(crate) fn secrets() -> SimpleAuth {
    let mut secrets = SimpleAuth::new();
    for (access_key, secret) in [
        (WRITER, "the-secret-of-the-writer"),
        (READER, "the-secret-of-the-reader"),
    ] {
        secrets.register(access_key.to_owned(), SecretKey::from(secret));
    }
    secrets
}

const WRITER: &str = "writer";
const READER: &str = "reader";
const READ_OPERATIONS: [&str; 4] = ["GetObject", "HeadObject", "HeadBucket", "ListObjectsV2"];

/// Checks each request, and prints it.
pub(crate) struct Rights;

#[async_trait::async_trait]
impl S3Access for Rights {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let request = context.s3_op().name();
        println!("{request}");
        match context.credentials().map(|who| who.access_key.as_str()) {
            Some(WRITER) => Ok(()),
            Some(READER) if READ_OPERATIONS.contains(&request) => Ok(()),
            _ => Err(s3_error!(AccessDenied)),
        }
    }
}
