//! Figures as lines of the embedded metric format. Pure.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::exporters::cloudwatch::datum::{Datum, DatumValue, Distribution};
use crate::exporters::deltas::Delta;

/// The figures of one set of dimensions: a document, which has each name once.
#[derive(Debug)]
pub(super) struct Document {
    dimensions: Vec<(String, String)>,
    /// Names and units.
    metrics: Vec<(String, &'static str)>,
    values: Map<String, Value>,
    /// The deltas of its metrics.
    pub(super) deltas: Vec<Delta>,
}

/// The limit of metrics of a directive.
pub(super) const MAX_METRICS: usize = 100;
/// The limit of values of a metric.
pub(super) const MAX_VALUES: usize = 100;

/// The data in as few documents as possible, each of at most `max_metrics` metrics. Data of one name keep their order.
pub(super) fn documents(data: Vec<Datum>, max_metrics: usize) -> Vec<Document> {
    let mut documents: Vec<Document> = Vec::new();
    let mut of_dimensions = HashMap::<_, Vec<usize>>::new();
    for datum in data {
        let places = match of_dimensions.get_mut(&datum.dimensions) {
            Some(places) => places,
            None => of_dimensions.entry(datum.dimensions.clone()).or_default(),
        };
        let has_room = |place: &&usize| {
            let document = &documents[**place];
            document.metrics.len() < max_metrics && !document.values.contains_key(&datum.name)
        };
        let place = places.iter().find(has_room).copied();
        let place = place.unwrap_or_else(|| {
            places.push(documents.len());
            documents.push(Document::of(datum.dimensions.clone()));
            documents.len() - 1
        });
        documents[place].add(datum);
    }
    documents
}

impl Document {
    fn of(dimensions: Vec<(String, String)>) -> Self {
        Self {
            dimensions,
            metrics: Vec::new(),
            values: Map::new(),
            deltas: Vec::new(),
        }
    }

    fn add(&mut self, datum: Datum) {
        let value = match datum.value {
            DatumValue::Number(number) => json!(number),
            DatumValue::Distribution(distribution) => histogram(&distribution),
        };
        self.metrics.push((datum.name.clone(), datum.unit));
        self.values.insert(datum.name, value);
        self.deltas.extend(datum.deltas);
    }

    /// The document as a line, with its line break. Moves its values out.
    pub(super) fn line(&mut self, namespace: &str, time: SystemTime) -> String {
        let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let metrics = self.metrics.iter();
        let metrics = metrics.map(|(name, unit)| json!({ "Name": name, "Unit": unit }));
        let names = self.dimensions.iter().map(|(name, _)| name);
        let directive = json!({
            "Namespace": namespace,
            "Dimensions": [names.collect::<Vec<_>>()],
            "Metrics": metrics.collect::<Vec<_>>(),
        });
        let about = json!({
            "Timestamp": since_1970.as_millis() as u64,
            "CloudWatchMetrics": [directive],
        });
        let mut fields = Map::from_iter([("_aws".to_owned(), about)]);
        let dimensions = self.dimensions.iter();
        fields.extend(dimensions.map(|(name, value)| (name.clone(), json!(value))));
        fields.extend(std::mem::take(&mut self.values));
        let mut line = Value::Object(fields).to_string();
        line.push('\n');
        line
    }
}

/// Values with their counts, which CloudWatch makes percentiles of.
fn histogram(distribution: &Distribution) -> Value {
    json!({
        "Values": distribution.values,
        "Counts": distribution.counts,
        "Count": distribution.counts.iter().sum::<f64>(),
        "Sum": distribution.sum,
        "Min": distribution.values.first(),
        "Max": distribution.values.last(),
    })
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn datum(name: &str, function: &str) -> Datum {
        Datum {
            name: name.to_owned(),
            unit: "Count",
            dimensions: vec![("Function".to_owned(), function.to_owned())],
            value: DatumValue::Number(1.0),
            deltas: Vec::new(),
        }
    }

    #[test]
    fn documents_are_bounded_and_share_their_dimensions() {
        let data = [("A", "f"), ("B", "g"), ("B", "f"), ("C", "f"), ("A", "f")];
        let data = data.map(|(name, function)| datum(name, function)).into();
        let documents = documents(data, 2);
        let names = documents.iter().map(|document| {
            let names = document.metrics.iter().map(|(name, _)| &**name);
            (&*document.dimensions[0].1, names.collect::<Vec<_>>())
        });
        let expected = [
            ("f", vec!["A", "B"]),
            ("g", vec!["B"]),
            ("f", vec!["C", "A"]),
        ];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
}
