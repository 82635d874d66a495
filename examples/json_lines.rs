//! An exporter of one's own, which writes JSON lines: `cargo run --release --bin json_lines [-- FILE]`.
//!
//! Each line is a figure, its labels beside it. Without a file the lines go to standard output.
#![expect(clippy::print_stdout, reason = "a program that shows figures")]

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, UNIX_EPOCH};

use cachier::metrics::{Export, MetricFamily, MetricsRegistry, Sample, SampleValue};
use cachier::{ExportError, MetricsExporter, cachier};
use serde_json::{Map, Value, json};

/// Writes all figures as JSON lines, once in each interval.
struct JsonLines {
    registry: Arc<MetricsRegistry>,
    output: Arc<Mutex<Box<dyn Write + Send>>>,
    interval: Duration,
    thread: Mutex<Option<Periodic>>,
}

/// The thread that writes, which ends when the sender is dropped.
struct Periodic {
    running: Sender<()>,
    thread: JoinHandle<()>,
}

impl JsonLines {
    fn new(output: impl Write + Send + 'static, interval: Duration) -> Result<Self, ExportError> {
        let registry = MetricsRegistry::new("json_lines").constant_label("service", "example")?;
        Ok(Self {
            registry: Arc::new(registry),
            output: Arc::new(Mutex::new(Box::new(output))),
            interval,
            thread: Mutex::default(),
        })
    }
}

impl MetricsExporter for JsonLines {
    fn registry(&self) -> &MetricsRegistry {
        &self.registry
    }

    fn start(&self) -> Result<(), ExportError> {
        let mut running_thread = lock(&self.thread);
        if running_thread.is_some() {
            return Err(ExportError::new("the exporter has been started already"));
        }
        let (registry, output) = (Arc::clone(&self.registry), Arc::clone(&self.output));
        let (interval, (running, stopped)) = (self.interval, channel::<()>());
        let write_until_stopped = move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                // Nobody is there to be told; the next interval tries again, and `flush` would tell.
                let _ = write(&registry.gather(), &output);
            }
        };
        let thread = thread::Builder::new().name("json-lines".to_owned());
        let thread = thread.spawn(write_until_stopped).map_err(|error| {
            ExportError::io(format!("no thread to export metrics: {error}"), error)
        })?;
        *running_thread = Some(Periodic { running, thread });
        Ok(())
    }

    fn flush(&self) -> Result<(), ExportError> {
        write(&self.registry.gather(), &self.output)
            .map_err(|error| ExportError::io(format!("cannot write metrics: {error}"), error))
    }

    fn stop(&self) {
        if let Some(Periodic { running, thread }) = lock(&self.thread).take() {
            drop(running);
            let _ = thread.join();
            let _ = self.flush();
        }
    }
}

fn write(export: &Export, output: &Mutex<Box<dyn Write + Send>>) -> io::Result<()> {
    let since_1970 = export.time().duration_since(UNIX_EPOCH);
    let time = since_1970.unwrap_or_default().as_secs_f64();
    // One lock and one write, so that lines stay whole.
    let mut lines = Vec::new();
    for family in export.families() {
        for sample in &family.samples {
            serde_json::to_writer(&mut lines, &line(time, &family, sample))?;
            lines.push(b'\n');
        }
    }
    let mut output = lock(output);
    output.write_all(&lines)?;
    output.flush()
}

/// A figure: its name, labels and value.
fn line(time: f64, family: &MetricFamily<'_>, sample: &Sample<'_>) -> Value {
    let labels = sample.labels.iter();
    let labels = labels.map(|(name, value)| ((*name).to_owned(), json!(value)));
    let value = match &sample.value {
        SampleValue::Count(count) => json!(count),
        SampleValue::Number(number) => json!(number),
        SampleValue::Histogram(histogram) => json!({
            "count": histogram.count(),
            "sum": family.unit.from_raw(histogram.sum as f64),
        }),
        _ => Value::Null,
    };
    json!({
        "time": time,
        "name": family.full_name(),
        "labels": Map::from_iter(labels),
        "value": value,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sum of the digits of a number.
#[cachier(backend = "memory", enable_metrics)]
fn digits(number: u64) -> u64 {
    match number {
        0 => 0,
        _ => number % 10 + digits(number / 10),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args_os().nth(1);
    let output: Box<dyn Write + Send> = match &file {
        Some(path) => Box::new(OpenOptions::new().create(true).append(true).open(path)?),
        None => Box::new(io::stdout()),
    };
    let exporter = JsonLines::new(output, Duration::from_secs(10))?;
    exporter.register_matching("json_lines::*")?;
    exporter.start()?;
    let sum: u64 = (0..10_000).map(digits).sum();
    exporter.stop();
    if let Some(path) = file {
        let lines = io::read_to_string(File::open(path)?)?.lines().count();
        println!("{sum} is the sum of all digits; {lines} lines of figures");
    }
    Ok(())
}
