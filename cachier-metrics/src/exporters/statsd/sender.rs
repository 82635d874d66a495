//! Sends what is new.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::lines::{StatsdDialect, lines};
use super::packets::packets;
use super::socket::Destination;
use crate::exporters::deltas::SentTotals;
use crate::exporters::error::ExportError;
use crate::exporters::registry::MetricsRegistry;
use crate::per_process::PerProcess;

/// The figures, their destination, and the totals sent so far.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) registry: MetricsRegistry,
    dialect: StatsdDialect,
    destination: Destination,
    /// A forked child counts from zero. Locked for an export, which calls never wait for.
    sent_totals: PerProcess<Mutex<SentTotals>>,
}

/// For all packets of an export together, to a daemon that reads slowly or not at all.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(2);

impl Sender {
    pub(super) fn new(
        registry: MetricsRegistry,
        dialect: StatsdDialect,
        destination: Destination,
    ) -> Self {
        Self {
            registry,
            dialect,
            destination,
            sent_totals: PerProcess::new(),
        }
    }

    /// Sends what is new, and counts whether it could.
    pub(super) fn send(&self) -> Result<(), ExportError> {
        self.try_send().map_err(|error| {
            self.registry.export_failed();
            let message = format!("cannot send metrics to {}: {error}", self.destination);
            ExportError::io(message, error)
        })
    }

    /// Ends with the first packet that is refused. Its deltas, and those after it, stay for the next export.
    fn try_send(&self) -> io::Result<()> {
        let sent_totals = self.sent_totals.get(|_| Mutex::default());
        let mut sent_totals = sent_totals.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + EXPORT_TIMEOUT;
        let socket = self.destination.connect()?;
        let lines = lines(&self.registry.gather(), &sent_totals, self.dialect);
        let (packets, too_long) = packets(lines, self.destination.packet_limit());
        self.registry.export_dropped(too_long.len() as u64);
        let dropped = too_long.into_iter().filter_map(|line| line.delta);
        dropped.for_each(|delta| sent_totals.mark_sent(delta));
        for packet in packets {
            socket.send(&packet.text, deadline)?;
            self.registry.export_sent(packet.text.len() as u64);
            let sent = packet.deltas.into_iter();
            sent.for_each(|delta| sent_totals.mark_sent(delta));
        }
        Ok(())
    }
}
