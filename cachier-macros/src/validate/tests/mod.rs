//! The message and span of each error.

#![allow(clippy::unwrap_used)]

mod combinations;
mod function;
mod lifetimes;
mod outside;
mod support;
