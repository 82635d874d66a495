//! A panel of the dashboard, and what it asks. Pure.

/// A row of panels.
pub(crate) struct Row {
    pub(crate) title: &'static str,
    /// The variable with a row for each of its values.
    pub(crate) repeated_by: Option<&'static str>,
    pub(crate) panels: Vec<Panel>,
}

pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) kind: Kind,
    pub(crate) unit: &'static str,
    pub(crate) queries: Vec<Query>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Lines,
    Stacked,
    Table,
}

pub(crate) struct Query {
    /// The name of its line, or of its column.
    pub(crate) legend: &'static str,
    pub(crate) expression: String,
    /// Of its column, where it is not the panel's.
    pub(crate) unit: Option<&'static str>,
}

// Units of Grafana.
pub(crate) const PER_SECOND: &str = "ops";
pub(crate) const SHARE: &str = "percentunit";
pub(crate) const SECONDS: &str = "s";
pub(crate) const BYTES: &str = "bytes";
pub(crate) const COUNT: &str = "short";

pub(crate) fn lines(
    title: &'static str,
    about: &'static str,
    kind: Kind,
    unit: &'static str,
    queries: Vec<Query>,
) -> Panel {
    Panel {
        title,
        about,
        kind,
        unit,
        queries,
    }
}

pub(crate) fn query(legend: &'static str, expression: String) -> Query {
    Query {
        legend,
        expression,
        unit: None,
    }
}
