//! Every shape of function that the attribute takes, called for real.
#![allow(clippy::unwrap_used, missing_docs)]

mod arguments;
mod free;
mod generic;
mod methods;
mod options;
mod returned;
