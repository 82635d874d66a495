//! A subscriber to `tracing` that tells a test of events and spans.

use std::fmt::{Debug, Write};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Tells of what it listens to: where that comes from, if it is no later field of a span, and all fields as text.
pub struct Listener<H> {
    listens: fn(&Metadata<'_>) -> bool,
    hear: H,
}

impl<H: Fn(Option<&'static Metadata<'static>>, String) + Send + Sync + 'static> Listener<H> {
    /// Calls `hear` for each event and span that `listens` accepts.
    pub fn new(listens: fn(&Metadata<'_>) -> bool, hear: H) -> Self {
        Self { listens, hear }
    }
}

impl<H: Fn(Option<&'static Metadata<'static>>, String) + Send + Sync + 'static> Subscriber
    for Listener<H>
{
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        (self.listens)(metadata)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = Text::default();
        span.record(&mut text);
        (self.hear)(Some(span.metadata()), text.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut text = Text::default();
        values.record(&mut text);
        (self.hear)(None, text.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        (self.hear)(Some(event.metadata()), text.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}
