//! A recorder of the crate `metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

/// Keeps what it is told.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Figures>>);

#[derive(Default)]
pub(super) struct Figures {
    pub(super) described: BTreeMap<String, String>,
    pub(super) numbers: BTreeMap<String, f64>,
    pub(super) observed: BTreeMap<String, Vec<(f64, usize)>>,
}

struct Handle(Kept, String);

impl Kept {
    fn describe(&self, kind: &str, name: &KeyName, unit: Option<Unit>, help: &SharedString) {
        let unit = unit.map_or("", |unit| unit.as_str());
        let text = format!("{kind} {unit} {help}");
        let name = name.as_str().to_owned();
        self.0.lock().unwrap().described.insert(name, text);
    }

    fn handle(&self, key: &Key) -> Arc<Handle> {
        let labels = key
            .labels()
            .map(|label| format!(",{}={}", label.key(), label.value()));
        let name = format!("{}{}", key.name(), labels.collect::<String>());
        Arc::new(Handle(self.clone(), name))
    }

    pub(super) fn figures(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap()
    }

    pub(super) fn number(&self, name: &str) -> f64 {
        self.0.lock().unwrap().numbers[name]
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("counter", &name, unit, &help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("gauge", &name, unit, &help);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("histogram", &name, unit, &help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.handle(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.handle(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.handle(key))
    }
}

impl Handle {
    fn keep(&self, number: f64) {
        self.0
            .0
            .lock()
            .unwrap()
            .numbers
            .insert(self.1.clone(), number);
    }
}

impl CounterFn for Handle {
    fn increment(&self, _: u64) {
        panic!("counters are set");
    }

    fn absolute(&self, value: u64) {
        self.keep(value as f64);
    }
}

impl GaugeFn for Handle {
    fn increment(&self, _: f64) {
        panic!("gauges are set");
    }

    fn decrement(&self, _: f64) {
        panic!("gauges are set");
    }

    fn set(&self, value: f64) {
        self.keep(value);
    }
}

impl HistogramFn for Handle {
    fn record(&self, _: f64) {
        panic!("a bucket is recorded at once");
    }

    fn record_many(&self, value: f64, count: usize) {
        let mut figures = self.0.0.lock().unwrap();
        figures
            .observed
            .entry(self.1.clone())
            .or_default()
            .push((value, count));
    }
}
