//! The message and span of each error.

#![allow(clippy::unwrap_used)]

mod background;
mod combinations;
mod function;
mod outside;
mod returned;
mod support;
