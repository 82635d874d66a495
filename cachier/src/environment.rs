//! The environment variables that cachier reads, each in one place.

use std::env;
use std::path::PathBuf;
use std::sync::OnceLock;

use cachier_backends::KeySecret;
use cachier_backends::process::get_or_init;

/// `CACHIER_MAX_WORKERS`: threads of each crew for background work; 8 unless set to a positive number.
pub(crate) fn max_workers() -> usize {
    let workers = variable("CACHIER_MAX_WORKERS").and_then(|text| text.parse().ok());
    workers.filter(|&workers| workers > 0).unwrap_or(8)
}

/// `CACHIER_CACHE_DIR`: folder of the file backend, and of the SQLite file of the SQL backend.
pub(crate) fn cache_dir() -> Option<PathBuf> {
    env::var_os("CACHIER_CACHE_DIR")
        .filter(|dir| !dir.is_empty())
        .map(PathBuf::from)
}

/// `CACHIER_NAMESPACE`: part of every stored key.
pub(crate) fn namespace() -> Option<String> {
    variable("CACHIER_NAMESPACE")
}

/// `CACHIER_BACKEND`: the persistent backend of functions that name none.
pub(crate) fn backend() -> Option<String> {
    variable("CACHIER_BACKEND")
}

/// `CACHIER_DISABLED`: `1` for all functions, else patterns of names, separated by commas.
pub(crate) fn disabled() -> Option<String> {
    variable("CACHIER_DISABLED")
}

/// `CACHIER_KEY_SECRET`: keys the hash of arguments, so that nobody without it can guess them. Read once.
pub(crate) fn key_secret() -> Option<&'static KeySecret> {
    static SECRET: OnceLock<Option<KeySecret>> = OnceLock::new();
    let read = || {
        let secret = env::var_os("CACHIER_KEY_SECRET").filter(|secret| !secret.is_empty())?;
        Some(KeySecret::new(secret.as_encoded_bytes()))
    };
    get_or_init(&SECRET, read).as_ref()
}

/// `CACHIER_STRICT`: a store whose address nobody has given is an error, not the usual one of this machine.
#[cfg(any(feature = "redis", feature = "sqlite", feature = "mongo"))]
pub(crate) fn is_strict() -> bool {
    variable("CACHIER_STRICT").is_some_and(|text| text != "0")
}

/// The variable's text, unless it is unset, empty or not Unicode.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}
