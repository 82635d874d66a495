//! The rows of the table. Pure.

use crate::figures::{Activity, Contents, Counted, Figures, Function};
use crate::text::harmless;

/// A function of a program, or of several programs together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// As people read it.
    pub(crate) name: String,
    pub(crate) backend: String,
    /// As the sources know it.
    pub(crate) function: String,
    /// The number of the source that it is from; none where it is from all of them.
    pub(crate) source: Option<usize>,
    pub(crate) counted: Counted,
    pub(crate) held: Contents,
    pub(crate) activity: Activity,
}

/// Whether each source has rows of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Grouping {
    #[default]
    BySource,
    Together,
}

impl Grouping {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::BySource => Self::Together,
            Self::Together => Self::BySource,
        }
    }
}

impl Row {
    fn of(function: &Function, source: Option<usize>, named: Option<&str>) -> Self {
        let name = harmless(&function.function);
        Self {
            name: match named {
                Some(source) => format!("{name} @ {source}"),
                None => name,
            },
            backend: harmless(&function.backend),
            function: function.function.clone(),
            source,
            counted: function.counted.clone(),
            held: function.held,
            activity: function.activity,
        }
    }

    /// Counts add up; the contents of a shared store are the largest known.
    fn add(&mut self, other: &Self) {
        self.counted.add(&other.counted);
        let is_shared = self.backend != "memory";
        let held = |own: Option<u64>, other: Option<u64>| match is_shared {
            true => own.max(other),
            false => own.into_iter().chain(other).reduce(|sum, one| sum + one),
        };
        self.held.entries = held(self.held.entries, other.held.entries);
        self.held.size_bytes = held(self.held.size_bytes, other.held.size_bytes);
        self.activity.inflight_computations += other.activity.inflight_computations;
        self.activity.waiting_calls += other.activity.waiting_calls;
    }
}

/// The functions of all sources, each with its name, whose names contain the filter.
pub(crate) fn rows<'a>(
    sources: impl IntoIterator<Item = (usize, &'a str, &'a Figures)>,
    grouping: Grouping,
    filter: &str,
) -> Vec<Row> {
    let sources: Vec<_> = sources.into_iter().collect();
    let is_named = grouping == Grouping::BySource && sources.len() > 1;
    let each = sources.iter().flat_map(|(number, name, figures)| {
        let source = (grouping == Grouping::BySource).then_some(*number);
        let functions = figures.functions.iter();
        functions.map(move |function| Row::of(function, source, is_named.then_some(*name)))
    });
    let filter = filter.to_lowercase();
    let rows = each
        .filter(|row| row.name.to_lowercase().contains(&filter))
        .collect();
    match grouping {
        Grouping::BySource => rows,
        Grouping::Together => together(rows),
    }
}

fn together(rows: Vec<Row>) -> Vec<Row> {
    let mut all: Vec<Row> = Vec::new();
    for row in rows {
        let is_same =
            |known: &&mut Row| (&known.function, &known.backend) == (&row.function, &row.backend);
        match all.iter_mut().find(is_same) {
            Some(known) => known.add(&row),
            None => all.push(row),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn figures(functions: &[(&str, &str, u64, u64)]) -> Figures {
        let functions = functions.iter().map(|(name, backend, hits, entries)| {
            json!({
                "function": name,
                "backend": backend,
                "counted": { "seconds": 60.0, "calls": { "hit": hits } },
                "held": { "entries": entries },
                "activity": { "waiting_calls": 1 },
            })
        });
        let all = json!({ "version": 1, "functions": functions.collect::<Vec<_>>() });
        crate::figures::parse(&all).unwrap()
    }

    fn names(rows: &[Row]) -> Vec<&str> {
        rows.iter().map(|row| &*row.name).collect()
    }

    #[test]
    fn a_filter_knows_no_case() {
        let all = figures(&[("b", "file", 5, 1), ("Long", "memory", 9, 3)]);
        let found = rows([(0, "x", &all)], Grouping::BySource, "lON");
        assert_eq!(names(&found), ["Long"]);
    }

    #[test]
    fn instances_are_told_apart_or_added_up() {
        let one = figures(&[("f", "file", 60, 7), ("g", "memory", 0, 7)]);
        let other = figures(&[("f", "file", 120, 9), ("g", "memory", 0, 9)]);
        let sources = [(0, "one", &one), (1, "other", &other)];
        let each = rows(sources, Grouping::BySource, "");
        assert_eq!(
            names(&each),
            ["f @ one", "g @ one", "f @ other", "g @ other"]
        );
        assert_eq!(each[2].source, Some(1));
        let all = rows(sources, Grouping::Together, "");
        assert_eq!(names(&all), ["f", "g"]);
        assert_eq!(all[0].counted.all_calls(), 180);
        assert_eq!(all[0].activity.waiting_calls, 2);
        // A store that is shared holds its entries once.
        assert_eq!(
            [all[0].held.entries, all[1].held.entries],
            [Some(9), Some(16)]
        );
    }
}
