//! Built-in backends, configured by the environment.

use std::sync::Arc;

use cachier_backends::{Backend, Error, ErrorKind, Operation};

use crate::environment;
use crate::folder::Folder;
use crate::identity::Package;
use crate::options::Policy;

/// The backends that cachier brings: whether this program was built with each, and which feature brings it.
const BUILT_IN: [(&str, bool, &str); 5] = [
    ("file", cfg!(feature = "file"), "`file`"),
    ("redis", cfg!(feature = "redis"), "`redis`"),
    (
        "sql",
        cfg!(feature = "_sql"),
        "`sqlite`, `postgres` or `mysql`",
    ),
    ("mongo", cfg!(feature = "mongo"), "`mongo`"),
    ("s3", cfg!(feature = "s3"), "`s3`"),
];

/// A new instance of the backend of a built-in name. `folder` is where it keeps files, if it [does](folder).
pub(crate) fn open(name: &str, folder: Option<&Folder>) -> Result<Arc<dyn Backend>, Error> {
    is_in_build(name)?;
    match (name, folder) {
        #[cfg(feature = "file")]
        ("file", Some(folder)) => Ok(cachier_backends::IntoBackend::into_backend(
            folder.file_backend(),
        )),
        #[cfg(feature = "redis")]
        ("redis", _) => redis(),
        #[cfg(feature = "_sql")]
        ("sql", folder) => sql(folder),
        #[cfg(feature = "mongo")]
        ("mongo", _) => mongo(),
        #[cfg(feature = "s3")]
        ("s3", _) => s3(),
        _ => Err(not_registered(name)),
    }
}

/// The folder of the backend of a built-in name, if it keeps files: for a function of a package, or for nobody in particular.
pub(crate) fn folder(
    name: &str,
    policy: &Policy,
    package: Option<Package>,
) -> Result<Option<Folder>, Error> {
    Ok(match name {
        "file" => Some(Folder::for_files(policy, package)?),
        "sql" if environment::SQL_URL.get()?.is_none() => {
            Some(Folder::for_sqlite(policy, package)?)
        }
        _ => None,
    })
}

/// The names of the backends of this build that the environment says the place of.
pub(crate) fn named() -> impl Iterator<Item = &'static str> {
    let places = [
        ("file", environment::CACHE_DIR.is_set()),
        ("redis", environment::REDIS_URL.is_set()),
        ("sql", environment::SQL_URL.is_set()),
        ("mongo", environment::MONGO_URL.is_set()),
        ("s3", environment::S3_BUCKET.is_set()),
    ];
    let named = places.into_iter().filter(|(_, is_named)| *is_named);
    named
        .map(|(name, _)| name)
        .filter(|name| is_in_build(name).is_ok())
}

/// Fails unless cachier brings a backend of this name, and this program was built with it.
pub(crate) fn is_in_build(name: &str) -> Result<(), Error> {
    match BUILT_IN.into_iter().find(|(known, ..)| *known == name) {
        Some((_, true, _)) => Ok(()),
        Some((_, false, feature)) => {
            let message = format!("this program was built without the backend `{name}`");
            Err(
                Error::new(ErrorKind::NotRegistered, Operation::Load, message)
                    .with_hint(format!("enable the feature {feature} of cachier")),
            )
        }
        None => Err(not_registered(name)),
    }
}

fn not_registered(name: &str) -> Error {
    if name == "memory" {
        let message = "`memory` keeps typed values, so it is no backend that a program chooses for its functions";
        return Error::new(ErrorKind::NotRegistered, Operation::Load, message)
            .with_hint("write `backend = \"memory\"` at the functions that are to use it");
    }
    let message = format!("no backend is registered as `{name}`");
    Error::new(ErrorKind::NotRegistered, Operation::Load, message).with_hint(format!(
        "this program was built with {}; make others known by `cachier::register_backend`, before the first call",
        in_this_build()
    ))
}

/// The names of the backends of this build, for people.
fn in_this_build() -> String {
    let built_in = BUILT_IN.into_iter().filter(|(_, is_there, _)| *is_there);
    let names: Vec<_> = built_in.map(|(name, ..)| format!("`{name}`")).collect();
    match names.is_empty() {
        true => "no persistent backend".to_owned(),
        false => names.join(", "),
    }
}

#[cfg(feature = "redis")]
fn redis() -> Result<Arc<dyn Backend>, Error> {
    let url = url(&environment::REDIS_URL, "redis://127.0.0.1:6379")?;
    let backend = cachier_backends::redis::RedisBackend::from_url(url)?;
    Ok(Arc::new(backend))
}

#[cfg(feature = "_sql")]
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

/// The URL from the environment, else the usual one on this machine.
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

#[cfg(feature = "_network")]
fn unset(variable: &'static str, what: &'static str) -> Error {
    let message = format!("nothing says where the store is: {variable} is not set");
    Error::new(ErrorKind::NotRegistered, Operation::Load, message)
        .with_hint(format!("set it to {what}, or register a backend"))
}
