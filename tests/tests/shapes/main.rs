//! All forms of functions that the attribute accepts, called for real.
#![allow(clippy::unwrap_used, missing_docs)]

mod addresses;
mod alike;
mod annotated_impls;
mod arguments;
mod attributes;
mod free;
mod generic;
mod impls_of_foreign_types;
mod methods;
mod options;
mod own_keys;
mod own_limits;
mod paths;
mod returned;

use std::path::Path;
use std::time::Duration;

use cachier::{SqlBackend, global_params, register_backend, set_global_params};

/// Registers a database in the folder as `database`, with enough time to open it on a busy machine.
fn with_database(folder: &Path) {
    set_global_params(global_params().operation_timeout(Duration::from_secs(60)));
    register_backend("database", SqlBackend::sqlite_in(folder).unwrap()).unwrap();
}
