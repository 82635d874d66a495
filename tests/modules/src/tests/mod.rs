#![allow(clippy::unwrap_used)]

use std::io;
use std::path::Path;

use crate::{Circle, Graph, Source, circles};

mod found;
mod layers;
mod none;

/// The graph of a crate of these files.
fn graph_of(files: &[(&str, &str)]) -> Graph {
    let read = |path: &Path| {
        let file = files.iter().find(|(name, _)| Path::new(name) == path);
        let text = file.map(|(_, text)| (*text).to_owned());
        text.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    Graph::of(&Source::read_with(Path::new("lib.rs"), &read).unwrap())
}

fn circles_of(files: &[(&str, &str)]) -> Vec<Circle> {
    circles(&graph_of(files))
}

/// The modules of the only circle that these files have.
fn circle_of(files: &[(&str, &str)]) -> String {
    let circles = circles_of(files);
    assert_eq!(circles.len(), 1);
    circles[0].modules.join(" ")
}

fn assert_none(files: &[(&str, &str)]) {
    let circles = circles_of(files);
    assert!(circles.is_empty(), "{}", circles[0]);
}

const TWO: (&str, &str) = ("lib.rs", "mod a; mod b;");

/// Two modules: `a` is this, and `b` uses `a`.
fn used_by_b(a: &str) -> String {
    circle_of(&[
        TWO,
        ("a.rs", a),
        (
            "b.rs",
            "use crate::a::A; pub struct B(A); pub fn b() {} pub trait Tr {}",
        ),
    ])
}
