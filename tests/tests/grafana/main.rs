//! The dashboard and the rules of `cachier-metrics/grafana`: current, understood by Prometheus, with data in each panel of a
//! program that is in use, and with a section of the runbook for each alert.
#![allow(clippy::unwrap_used, missing_docs)]

mod dashboard;
mod files;
mod function;
mod live;
mod panel;
mod panels;
mod program;
mod queries;
