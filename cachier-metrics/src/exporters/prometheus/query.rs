//! Requests for figures as JSON.

use serde_json::{Value, json};

use super::series::{self, Span};
use super::{json, summary};
use crate::exporters::registry::MetricsRegistry;
use crate::json::{heading, stores};

/// The query of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Query {
    /// All figures, or those of one function.
    Figures(Option<String>),
    /// All figures of one function, and its recent past.
    Series(String, Span),
    /// The counts of all functions in a window, or of one.
    Summary(Option<String>, Span),
}

impl Query {
    /// Reads the parameters of a request; an error says what there is.
    pub(super) fn parse(parameter: impl Fn(&str) -> Option<String>) -> Result<Self, &'static str> {
        let span = |name, problem| match parameter(name).as_deref().map(Span::parse) {
            Some(None) => Err(problem),
            span => Ok(span.flatten()),
        };
        let function = parameter("function");
        let window = span("window", "`window` is `minute`, `hour` or `day`\n")?;
        let series = span("series", "`series` is `minute`, `hour` or `day`\n")?;
        match (function, window, series) {
            (_, Some(_), Some(_)) => Err("ask for a `window` or a `series`, one at a time\n"),
            (None, None, Some(_)) => {
                Err("a series is that of one function: `?function=…&series=hour`\n")
            }
            (Some(function), None, Some(span)) => Ok(Self::Series(function, span)),
            (function, Some(window), None) => Ok(Self::Summary(function, window)),
            (function, None, None) => Ok(Self::Figures(function)),
        }
    }

    /// The answer.
    pub(super) fn read(&self, registry: &MetricsRegistry) -> Value {
        match self {
            Self::Figures(function) => json::figures(&registry.gather_each(function.as_deref())),
            Self::Series(function, span) => {
                let mut all = json::figures(&registry.gather_each(Some(function)));
                all["series"] = series::points(&registry.each(Some(function)), *span);
                all
            }
            Self::Summary(function, window) => summarized(registry, function.as_deref(), *window),
        }
    }
}

fn summarized(registry: &MetricsRegistry, function: Option<&str>, window: Span) -> Value {
    let series = registry.each(function);
    let mut all = heading(std::time::SystemTime::now());
    all["labels"] = registry
        .labels()
        .map(|(name, value)| (name, json!(value)))
        .collect();
    all["window_seconds"] = json!(window.window().as_secs());
    all["functions"] = summary::functions(&series, window.window());
    all["stores"] = stores(&registry.stores_of(&series));
    all
}
