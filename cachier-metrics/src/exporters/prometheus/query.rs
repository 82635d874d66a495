//! Requests for all figures as JSON.

use super::json;
use super::series::{self, Span};
use crate::exporters::registry::MetricsRegistry;

/// What a request asks for.
#[derive(Debug, Default)]
pub(super) struct Query {
    /// This function alone.
    function: Option<String>,
    /// And its recent past.
    span: Option<Span>,
}

impl Query {
    /// Reads the parameters of a request; an error says what there is.
    pub(super) fn parse(parameter: impl Fn(&str) -> Option<String>) -> Result<Self, &'static str> {
        let (function, series) = (parameter("function"), parameter("series"));
        let span = match series.as_deref().map(Span::parse) {
            Some(None) => return Err("`series` is `minute`, `hour` or `day`\n"),
            Some(_) if function.is_none() => {
                return Err("a series is that of one function: `?function=…&series=hour`\n");
            }
            span => span.flatten(),
        };
        Ok(Self { function, span })
    }

    /// The answer.
    pub(super) fn read(&self, registry: &MetricsRegistry) -> String {
        let function = self.function.as_deref();
        let mut all = json::figures(&registry.gather(), function);
        if let Some((function, span)) = function.zip(self.span) {
            all["series"] = series::points(&registry.series_of(function), span);
        }
        all.to_string()
    }
}
