//! Crates made of a few lines.

use std::io;
use std::path::Path;

use crate::{Cycle, Graph, Source, cycles};

/// The graph of a crate of these files.
pub(super) fn graph_of(files: &[(&str, &str)]) -> Graph {
    Graph::of(&source_of(files))
}

pub(super) fn source_of(files: &[(&str, &str)]) -> Source {
    let read = |path: &Path| {
        let file = files.iter().find(|(name, _)| Path::new(name) == path);
        let text = file.map(|(_, text)| (*text).to_owned());
        text.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    Source::read_with(Path::new("lib.rs"), &read).unwrap()
}

pub(super) fn cycles_of(files: &[(&str, &str)]) -> Vec<Cycle> {
    cycles(&graph_of(files))
}

/// The modules of these files' only cycle.
pub(super) fn cycle_of(files: &[(&str, &str)]) -> String {
    let cycles = cycles_of(files);
    assert_eq!(cycles.len(), 1);
    cycles[0].modules.join(" ")
}

pub(super) fn assert_none(files: &[(&str, &str)]) {
    let cycles = cycles_of(files);
    assert!(cycles.is_empty(), "{}", cycles[0]);
}

pub(super) const TWO: (&str, &str) = ("lib.rs", "mod a; mod b;");

/// Two modules: `a` as given, and `b`, which uses `a`.
pub(super) fn used_by_b(a: &str) -> String {
    cycle_of(&[
        TWO,
        ("a.rs", a),
        (
            "b.rs",
            "use crate::a::A; pub struct B(A); pub fn b() {} pub trait Tr {}",
        ),
    ])
}
