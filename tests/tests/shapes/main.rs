//! Every shape of function that the attribute takes, called for real.
#![allow(clippy::unwrap_used, missing_docs)]

mod addresses;
mod arguments;
mod free;
mod generic;
mod methods;
mod options;
mod paths;
mod returned;

use std::path::Path;

use cachier::{SqlBackend, register_backend};

/// Registers a database in the folder as `database`.
fn with_database(folder: &Path) {
    register_backend("database", SqlBackend::sqlite_in(folder).unwrap()).unwrap();
}
