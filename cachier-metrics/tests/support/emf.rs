//! A strict reader of CloudWatch's embedded metric format by its published specification, in place of the service.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A line, of which no part breaks a rule.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) namespace: String,
    pub(super) dimensions: BTreeMap<String, String>,
    pub(super) metrics: BTreeMap<String, Metric>,
}

/// Values with their counts.
#[derive(Debug, Clone)]
pub(super) struct Metric {
    pub(super) unit: String,
    pub(super) values: Vec<(f64, f64)>,
    pub(super) sum: f64,
}

const UNITS: [&str; 4] = ["Seconds", "Bytes", "Count", "None"];

impl Document {
    #[track_caller]
    pub(super) fn parse(line: &str) -> Self {
        assert!(line.len() < 256 * 1024, "{} bytes", line.len());
        let mut root: Map<String, Value> = serde_json::from_str(line).unwrap();
        let about = root.remove("_aws").unwrap();
        assert!(
            about["Timestamp"].as_u64().unwrap() > 1_700_000_000_000,
            "{line}"
        );
        let directives = about["CloudWatchMetrics"].as_array().unwrap();
        assert_eq!(directives.len(), 1, "{line}");
        let directive = &directives[0];
        let namespace = directive["Namespace"].as_str().unwrap();
        assert!((1..=255).contains(&namespace.len()), "{line}");
        let dimensions = parse_dimensions(&directive["Dimensions"], &mut root);
        let all = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&all.len()), "{} metrics", all.len());
        let mut metrics = BTreeMap::new();
        for metric in all {
            let (name, unit) = (
                metric["Name"].as_str().unwrap(),
                metric["Unit"].as_str().unwrap(),
            );
            assert!(
                (1..=1024).contains(&name.len()) && UNITS.contains(&unit),
                "{line}"
            );
            let value = root.remove(name).unwrap();
            metrics.insert(name.to_owned(), Metric::parse(unit, &value));
        }
        assert_eq!(metrics.len(), all.len(), "a name twice: {line}");
        assert!(root.is_empty(), "what is {root:?}?");
        Self {
            namespace: namespace.to_owned(),
            dimensions,
            metrics,
        }
    }
}

fn parse_dimensions(sets: &Value, root: &mut Map<String, Value>) -> BTreeMap<String, String> {
    let sets = sets.as_array().unwrap();
    assert_eq!(sets.len(), 1);
    let names = sets[0].as_array().unwrap();
    assert!(names.len() <= 30, "{} dimensions", names.len());
    let dimension = |name: &Value| {
        let name = name.as_str().unwrap();
        let value = root.remove(name).unwrap();
        let value = value.as_str().unwrap();
        let is_visible = value.chars().all(|c| c.is_ascii() && !c.is_ascii_control());
        assert!(is_visible && (1..=1024).contains(&value.len()), "{value}");
        assert!(!value.trim().is_empty() && (1..=255).contains(&name.len()));
        (name.to_owned(), value.to_owned())
    };
    let all: BTreeMap<_, _> = names.iter().map(dimension).collect();
    assert_eq!(all.len(), names.len(), "a dimension twice");
    all
}

impl Metric {
    fn parse(unit: &str, value: &Value) -> Self {
        let numbers = |name: &str| {
            let numbers = value[name].as_array().unwrap().iter();
            numbers
                .map(|number| number.as_f64().unwrap())
                .collect::<Vec<_>>()
        };
        let (values, sum) = match value.as_f64() {
            Some(number) => (vec![(number, 1.0)], number),
            None => {
                let (values, counts) = (numbers("Values"), numbers("Counts"));
                assert!((1..=100).contains(&values.len()) && values.len() == counts.len());
                assert_eq!(value["Count"].as_f64(), Some(counts.iter().sum()));
                assert_eq!(value["Min"].as_f64(), values.first().copied());
                assert_eq!(value["Max"].as_f64(), values.last().copied());
                (
                    values.into_iter().zip(counts).collect(),
                    value["Sum"].as_f64().unwrap(),
                )
            }
        };
        assert!(values.iter().all(|(_, count)| *count > 0.0));
        Self {
            unit: unit.to_owned(),
            values,
            sum,
        }
    }

    /// How many values it stands for.
    pub(super) fn count(&self) -> f64 {
        self.values.iter().map(|(_, count)| count).sum()
    }
}
