//! Writes what is new.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::lines::{Document, MAX_METRICS, MAX_VALUES, documents};
use crate::exporters::cloudwatch::datum::data;
use crate::exporters::deltas::SentTotals;
use crate::exporters::error::ExportError;
use crate::exporters::registry::MetricsRegistry;
use crate::per_process::PerProcess;

/// The figures, their destination, and the totals written so far.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) registry: MetricsRegistry,
    namespace: String,
    output: Output,
    /// A forked child counts from zero. Locked for an export, which calls never wait for.
    written: PerProcess<Mutex<Written>>,
}

#[derive(Debug)]
pub(super) enum Output {
    Standard,
    File(PathBuf),
}

#[derive(Debug, Default)]
struct Written {
    sent_totals: SentTotals,
    /// The last line may lack its end.
    is_torn: bool,
}

impl Writer {
    pub(super) fn new(registry: MetricsRegistry, namespace: String, output: Output) -> Self {
        Self {
            registry,
            namespace,
            output,
            written: PerProcess::new(),
        }
    }

    /// Writes what is new, and counts whether it could.
    pub(super) fn write(&self) -> Result<(), ExportError> {
        self.try_write().map_err(|error| {
            self.registry.export_failed();
            let place = match &self.output {
                Output::Standard => "the standard output".into(),
                Output::File(path) => path.display().to_string(),
            };
            ExportError::io(format!("cannot write metrics to {place}: {error}"), error)
        })
    }

    /// Ends with the first line that cannot be written. Its deltas, and those after it, stay for the next export.
    fn try_write(&self) -> io::Result<()> {
        let written = self.written.get(|_| Mutex::default());
        let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
        let mut output: Box<dyn Write> = match &self.output {
            Output::Standard => Box::new(io::stdout()),
            Output::File(path) => {
                Box::new(OpenOptions::new().append(true).create(true).open(path)?)
            }
        };
        let export = self.registry.gather();
        let data = data(&export, &written.sent_totals, MAX_VALUES);
        for mut document in documents(data, MAX_METRICS) {
            let line = document.line(&self.namespace, export.time());
            written.write(&mut output, &line)?;
            written.mark_sent(document);
            self.registry.export_sent(line.len() as u64);
        }
        Ok(())
    }
}

impl Written {
    /// In one piece, so that lines of several processes stay whole.
    fn write(&mut self, output: &mut dyn Write, line: &str) -> io::Result<()> {
        let whole = match self.is_torn {
            true => Cow::Owned(format!("\n{line}")),
            false => Cow::Borrowed(line),
        };
        self.is_torn = true;
        output.write_all(whole.as_bytes())?;
        output.flush()?;
        self.is_torn = false;
        Ok(())
    }

    fn mark_sent(&mut self, document: Document) {
        for delta in document.deltas {
            self.sent_totals.mark_sent(delta);
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Accepts this many bytes.
    struct Full(Vec<u8>, usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.1 - self.0.len());
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_torn_line_spoils_no_other() {
        let (mut written, mut output) = (Written::default(), Full(Vec::new(), 8));
        written.write(&mut output, "first\n").unwrap();
        assert!(written.write(&mut output, "second\n").is_err());
        output.1 = 100;
        written.write(&mut output, "second\n").unwrap();
        written.write(&mut output, "third\n").unwrap();
        assert_eq!(output.0, b"first\nse\nsecond\nthird\n");
    }
}
