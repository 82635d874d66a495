//! The instances of the backends that cachier brings, made from the environment when they are first needed.

use std::sync::Arc;

use cachier_backends::{Backend, Error, ErrorKind, Operation};

use crate::environment;
use crate::folder::Folder;

/// The backend of a built-in name other than `file`; `None` for any other name. `folder` is for one that may be a file.
pub(crate) fn open(name: &str, folder: Option<&Folder>) -> Option<Result<Arc<dyn Backend>, Error>> {
    Some(match name {
        "redis" => redis(),
        "sql" => sql(folder),
        "mongo" => mongo(),
        "s3" => s3(),
        _ => return None,
    })
}

/// The names of the backends of this build that the environment says the place of.
pub(crate) fn named() -> impl Iterator<Item = &'static str> {
    let named = [
        ("redis", environment::REDIS_URL.is_set()),
        ("sql", environment::SQL_URL.is_set()),
        ("mongo", environment::MONGO_URL.is_set()),
        ("s3", environment::S3_BUCKET.is_set()),
    ];
    let is_there = |name| matches!(is_in_build(name), Some(Ok(())));
    named
        .into_iter()
        .filter_map(move |(name, is_named)| (is_named && is_there(name)).then_some(name))
}

/// Whether this program was built with the backend of a built-in name other than `file`; `None` for any other name.
pub(crate) fn is_in_build(name: &str) -> Option<Result<(), Error>> {
    let is_there = match name {
        "redis" => cfg!(feature = "redis"),
        "sql" => cfg!(any(
            feature = "sqlite",
            feature = "postgres",
            feature = "mysql"
        )),
        "mongo" => cfg!(feature = "mongo"),
        "s3" => cfg!(feature = "s3"),
        _ => return None,
    };
    // What is missing opens nothing and says what is to be done.
    Some(if is_there {
        Ok(())
    } else {
        open(name, None)?.map(drop)
    })
}

/// Whether `sql` means a database that somebody has named, rather than a file of SQLite in a folder of cachier's choice.
pub(crate) fn is_database_named() -> Result<bool, Error> {
    environment::SQL_URL.get().map(|url| url.is_some())
}

#[cfg(feature = "redis")]
fn redis() -> Result<Arc<dyn Backend>, Error> {
    let url = url(&environment::REDIS_URL, "redis://127.0.0.1:6379")?;
    let backend = cachier_backends::redis::RedisBackend::from_url(url)?;
    Ok(Arc::new(backend))
}

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
fn sql(folder: Option<&Folder>) -> Result<Arc<dyn Backend>, Error> {
    use cachier_backends::sql::SqlBackend;

    if let Some(url) = environment::SQL_URL.get()? {
        return Ok(Arc::new(SqlBackend::from_url(url)?));
    }
    #[cfg(not(feature = "sqlite"))]
    let _ = folder;
    #[cfg(feature = "sqlite")]
    if let Some(folder) = folder
        && !environment::is_strict()
    {
        let backend = folder.sqlite_backend()?;
        crate::trace::address_assumed("CACHIER_SQL_URL", &backend.store_name());
        return Ok(Arc::new(backend));
    }
    Err(unset("CACHIER_SQL_URL", "the URL of the database"))
}

#[cfg(feature = "mongo")]
fn mongo() -> Result<Arc<dyn Backend>, Error> {
    let url = url(&environment::MONGO_URL, "mongodb://127.0.0.1:27017/cachier")?;
    let backend = cachier_backends::mongo::MongoBackend::from_url(url)?;
    Ok(Arc::new(backend))
}

#[cfg(feature = "s3")]
fn s3() -> Result<Arc<dyn Backend>, Error> {
    let bucket = environment::S3_BUCKET.get()?;
    let bucket = bucket.ok_or_else(|| unset("CACHIER_S3_BUCKET", "the name of a bucket"))?;
    let mut backend = cachier_backends::s3::S3Backend::new(&**bucket);
    if let Some(prefix) = environment::S3_PREFIX.get()? {
        backend = backend.prefix(&**prefix);
    }
    if let Some(endpoint) = environment::S3_ENDPOINT.get()? {
        backend = backend.endpoint(&**endpoint);
    }
    Ok(Arc::new(backend))
}

/// Backends of this build that are not there.
macro_rules! missing {
    ($($name:ident($($folder:ty)?): $condition:meta, $features:literal;)*) => {
        $(
            #[cfg(not($condition))]
            fn $name($(_: $folder)?) -> Result<Arc<dyn Backend>, Error> {
                let message = concat!("this program was built without the backend `", stringify!($name), "`");
                Err(Error::new(ErrorKind::NotRegistered, Operation::Load, message)
                    .with_hint(concat!("enable the feature ", $features, " of cachier")))
            }
        )*
    };
}

missing! {
    redis(): feature = "redis", "`redis`";
    sql(Option<&Folder>): any(feature = "sqlite", feature = "postgres", feature = "mysql"), "`sqlite`, `postgres` or `mysql`";
    mongo(): feature = "mongo", "`mongo`";
    s3(): feature = "s3", "`s3`";
}

/// The URL that the environment names, else the usual one of this machine.
#[cfg(any(feature = "redis", feature = "mongo"))]
fn url(
    variable: &'static environment::Variable<environment::Address>,
    usual: &'static str,
) -> Result<&'static str, Error> {
    if let Some(url) = variable.get()? {
        return Ok(url);
    }
    if environment::is_strict() {
        return Err(unset(variable.name, "the address of the server"));
    }
    crate::trace::address_assumed(variable.name, usual);
    Ok(usual)
}

#[cfg(any(
    feature = "redis",
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql",
    feature = "mongo",
    feature = "s3"
))]
fn unset(variable: &'static str, what: &'static str) -> Error {
    let message = format!("nothing says where the store is: {variable} is not set");
    Error::new(ErrorKind::NotRegistered, Operation::Load, message)
        .with_hint(format!("set it to {what}, or register a backend"))
}
