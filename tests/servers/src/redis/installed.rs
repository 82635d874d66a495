//! Installed Redis programs.

use std::path::PathBuf;

use crate::{program, skip};

/// Names an existing server.
pub(super) const VARIABLE: &str = "CACHIER_TEST_REDIS_URL";

/// A program; `None`, with a message, if it is missing.
pub(super) fn installed(name: &str) -> Option<PathBuf> {
    let found = program(&[name]);
    if found.is_none() {
        skip(&format!(
            "{name} is not installed (`apt install redis-server redis-sentinel redis-tools openssl`, or name a server \
             in {VARIABLE})"
        ));
    }
    found
}
