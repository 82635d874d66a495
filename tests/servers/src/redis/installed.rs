//! The programs of Redis that are installed.

use std::path::PathBuf;

use crate::{program, skip};

/// Names a server that is there already.
pub(super) const VARIABLE: &str = "CACHIER_TEST_REDIS_URL";

/// A program; `None`, said on the error output, if it is not there.
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
