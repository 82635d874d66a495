//! The dashboard as Grafana imports it, made of a description of its panels. Pure.

use serde_json::{Value, json};

use crate::panel::{Kind, Panel, Row};
use crate::panels::rows;

/// The columns of a dashboard.
const COLUMNS: u64 = 24;

/// A Prometheus that is chosen on the dashboard.
fn data_source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

pub(crate) fn dashboard() -> Value {
    let mut place = GridPosition::default();
    let rows = rows();
    let panels = rows.iter().flat_map(|row| self::row(row, &mut place));
    json!({
        "title": "cachier",
        "uid": "cachier",
        "description": "Functions cached by cachier: whether each cache is worth having, what is wrong, and what goes on.",
        "tags": ["cachier"],
        "schemaVersion": 38,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": { "from": "now-6h", "to": "now" },
        "templating": { "list": variables() },
        "panels": panels.collect::<Vec<_>>(),
    })
}

fn variables() -> Vec<Value> {
    let of_label = |name: &str, label: &str, query: &str| {
        json!({
            "name": name,
            "label": label,
            "type": "query",
            "datasource": data_source(),
            "query": { "query": query, "refId": name },
            "definition": query,
            // A program without the label is among all.
            "allValue": ".*",
            "includeAll": true,
            "multi": true,
            "current": { "selected": true, "text": ["All"], "value": ["$__all"] },
            "refresh": 2,
            "sort": 1,
        })
    };
    let windows = ["1m", "5m", "15m", "1h", "6h", "1d"];
    let window =
        |window: &str| json!({ "text": window, "value": window, "selected": window == "5m" });
    vec![
        json!({ "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus" }),
        of_label(
            "service",
            "Service",
            "label_values(cachier_calls_total, service)",
        ),
        of_label(
            "backend",
            "Backend",
            "label_values(cachier_calls_total{service=~\"$service\"}, backend)",
        ),
        of_label(
            "function",
            "Function",
            "label_values(cachier_calls_total{service=~\"$service\", backend=~\"$backend\"}, function)",
        ),
        json!({
            "name": "window",
            "label": "Window",
            "type": "custom",
            "query": windows.join(","),
            "options": windows.map(window),
            "current": window("5m"),
        }),
    ]
}

/// Where the next panel comes.
#[derive(Default)]
struct GridPosition {
    id: u64,
    x: u64,
    y: u64,
    /// Where the line of panels ends.
    bottom: u64,
}

impl GridPosition {
    fn id(&mut self) -> u64 {
        self.id += 1;
        self.id
    }

    fn next(&mut self, width: u64, height: u64) -> Value {
        if self.x + width > COLUMNS {
            self.new_line();
        }
        let position = json!({ "x": self.x, "y": self.y, "w": width, "h": height });
        self.x += width;
        self.bottom = self.bottom.max(self.y + height);
        position
    }

    fn new_line(&mut self) {
        (self.x, self.y) = (0, self.bottom);
    }
}

/// A row and its panels. One that is repeated holds its panels, closed: there may be hundreds.
fn row(row: &Row, place: &mut GridPosition) -> Vec<Value> {
    place.new_line();
    let mut head = json!({
        "type": "row",
        "id": place.id(),
        "title": row.title,
        "collapsed": row.repeated_by.is_some(),
        "gridPos": place.next(COLUMNS, 1),
        "panels": [],
    });
    let panels = row.panels.iter().map(|panel| self::panel(panel, place));
    let panels: Vec<_> = panels.collect();
    match row.repeated_by {
        Some(variable) => {
            head["repeat"] = variable.into();
            head["panels"] = panels.into();
            vec![head]
        }
        None => [head].into_iter().chain(panels).collect(),
    }
}

fn panel(panel: &Panel, place: &mut GridPosition) -> Value {
    let (kind, width, height) = match panel.kind {
        Kind::Number => ("stat", 4, 4),
        Kind::Lines | Kind::Stacked => ("timeseries", 8, 8),
        Kind::Table => ("table", 24, 9),
    };
    let is_table = panel.kind == Kind::Table;
    let letters = 'A'..='Z';
    let targets = letters.zip(&panel.queries).map(|(letter, query)| {
        json!({
            "refId": letter.to_string(),
            "datasource": data_source(),
            "expr": query.expression,
            "legendFormat": query.legend,
            "format": if is_table { "table" } else { "time_series" },
            "instant": panel.kind != Kind::Lines && panel.kind != Kind::Stacked,
            "range": panel.kind == Kind::Lines || panel.kind == Kind::Stacked,
        })
    });
    let mut made = json!({
        "type": kind,
        "id": place.id(),
        "title": panel.title,
        "description": panel.about,
        "datasource": data_source(),
        "gridPos": place.next(width, height),
        "targets": targets.collect::<Vec<_>>(),
        "fieldConfig": { "defaults": defaults(panel), "overrides": [] },
        "options": options(panel.kind),
    });
    if is_table {
        as_table(&mut made, panel);
    }
    made
}

fn defaults(panel: &Panel) -> Value {
    let mut defaults = json!({ "unit": panel.unit, "min": 0 });
    if panel.unit == "percentunit" {
        defaults["max"] = 1.into();
    }
    match panel.kind {
        Kind::Stacked => {
            defaults["custom"] = json!({ "fillOpacity": 40, "stacking": { "mode": "normal" } });
        }
        Kind::Lines => defaults["custom"] = json!({ "fillOpacity": 5 }),
        Kind::Number | Kind::Table => {}
    }
    defaults
}

fn options(kind: Kind) -> Value {
    match kind {
        Kind::Number => {
            json!({ "reduceOptions": { "calcs": ["lastNotNull"] }, "graphMode": "none" })
        }
        Kind::Lines | Kind::Stacked => json!({
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true },
            "tooltip": { "mode": "multi", "sort": "desc" },
        }),
        Kind::Table => {
            json!({ "showHeader": true, "sortBy": [{ "displayName": "Calls per second", "desc": true }] })
        }
    }
}

/// A line for each function, a column for each query.
fn as_table(made: &mut Value, panel: &Panel) {
    let columns = || ('A'..='Z').zip(&panel.queries);
    let names = columns().map(|(letter, query)| (format!("Value #{letter}"), json!(query.legend)));
    let names: serde_json::Map<_, _> = names.collect();
    made["transformations"] = json!([
        { "id": "merge", "options": {} },
        { "id": "organize", "options": { "excludeByName": { "Time": true }, "renameByName": names } },
    ]);
    let units = columns().map(|(_, query)| {
        json!({
            "matcher": { "id": "byName", "options": query.legend },
            "properties": [{ "id": "unit", "value": query.unit.unwrap_or(panel.unit) }],
        })
    });
    made["fieldConfig"]["overrides"] = units.collect();
}
