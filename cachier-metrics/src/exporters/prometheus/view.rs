//! The figures of an exporter as its scrapers see them.

use super::format::Format;
#[cfg(feature = "prometheus-protobuf")]
use super::protobuf;
use super::text::{self, Created, Dialect};
use crate::exporters::buckets::Detail;
use crate::exporters::naming::Naming;
use crate::exporters::registry::MetricsRegistry;

/// The rendered figures, and their form.
#[derive(Debug)]
pub(super) struct View {
    pub(super) registry: MetricsRegistry,
    pub(super) naming: Naming,
    pub(super) detail: Detail,
    pub(super) created: Created,
}

impl View {
    /// The figures of now.
    pub(super) fn encode(&self, format: Format) -> Vec<u8> {
        let dialect = match format {
            Format::Text => Dialect::Plain,
            Format::OpenMetrics => Dialect::OpenMetrics(self.created),
            #[cfg(feature = "prometheus-protobuf")]
            Format::Protobuf => {
                return protobuf::render(&self.registry.gather().named(self.naming), self.detail);
            }
        };
        self.render(dialect).into_bytes()
    }

    pub(super) fn render(&self, dialect: Dialect) -> String {
        text::render(
            &self.registry.gather().named(self.naming),
            self.detail,
            dialect,
        )
    }
}
