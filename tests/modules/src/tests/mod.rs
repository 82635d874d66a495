#![allow(clippy::unwrap_used)]

mod documents;
mod examples;
mod found;
mod layers;
mod none;
mod style;
mod support;
