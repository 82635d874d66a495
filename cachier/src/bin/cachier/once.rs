//! What is printed for scripts: all sources, read once.

use std::fmt::Write as _;
use std::thread;

use serde_json::{Value, json};

use crate::arguments::Options;
use crate::columns::{self, Column, Direction, fitting};
use crate::figures::Figures;
use crate::rows::{Grouping, Row, rows};
use crate::source::{Source, Window};
use crate::text::{harmless, shortened};

pub(crate) struct Read {
    pub(crate) text: String,
    /// The problems of sources that did not answer, with their names.
    pub(crate) problems: Vec<String>,
}

impl Read {
    /// Prepends earlier problems.
    pub(crate) fn with(mut self, mut problems: Vec<String>) -> Self {
        problems.append(&mut self.problems);
        Self { problems, ..self }
    }
}

type Answers<'a, T> = Vec<(&'a str, Result<T, String>)>;

/// The figures as the sources have them.
pub(crate) fn json(sources: &[Box<dyn Source>], window: Window) -> Read {
    let answers = read(sources, |source| source.read(window));
    let instances = answers.iter().map(|(name, answer)| match answer {
        Ok(figures) => json!({ "name": name, "figures": figures }),
        Err(problem) => json!({ "name": name, "problem": problem }),
    });
    let all = json!({ "instances": instances.collect::<Value>() });
    Read {
        text: format!("{all:#}\n"),
        problems: problems(&answers),
    }
}

/// The functions as a table, `width` characters wide.
pub(crate) fn table(sources: &[Box<dyn Source>], options: &Options, width: usize) -> Read {
    let answers = read(sources, |source| source.figures(options.window));
    let known = answers.iter().enumerate();
    let known =
        known.filter_map(|(number, (name, answer))| Some((number, *name, answer.as_ref().ok()?)));
    let known: Vec<(usize, &str, &Figures)> = known.collect();
    let known_sources = known.iter().copied();
    let mut rows = rows(known_sources, Grouping::BySource, &options.filter);
    columns::sort(&mut rows, (options.sort, Direction::Usual));
    let mut text = match known.is_empty() {
        true => String::new(),
        false => lines(&rows, options, width),
    };
    for (_, name, figures) in known {
        for store in figures.open_breakers() {
            let _ = writeln!(text, "{name}: the breaker of {} is open", harmless(&store));
        }
        if let Some(coverage) = figures.coverage.text() {
            let _ = writeln!(text, "{name}: {coverage}");
        }
    }
    Read {
        text,
        problems: problems(&answers),
    }
}

fn lines(rows: &[Row], options: &Options, width: usize) -> String {
    let longest = rows.iter().map(|row| row.name.chars().count()).max();
    let columns = fitting(width, options.sort, longest.unwrap_or(0));
    let mut text = line(&columns, |column| column.title(options.window).to_owned());
    for row in rows {
        text += &line(&columns, |column| column.text(row));
    }
    text
}

/// A line of a table, with its cells at their places.
fn line(columns: &[(Column, usize)], cell: impl Fn(Column) -> String) -> String {
    let line = cells(columns, cell);
    format!("{}\n", line.trim_end())
}

/// The cells of a row, each as wide as its column.
pub(crate) fn cells(columns: &[(Column, usize)], cell: impl Fn(Column) -> String) -> String {
    let cells = columns.iter().map(|&(column, width)| {
        let text = shortened(&cell(column), width);
        match column.is_text() {
            true => format!("{text:<width$}"),
            false => format!("{text:>width$}"),
        }
    });
    cells.collect::<Vec<_>>().join(" ")
}

fn read<T: Send>(
    sources: &[Box<dyn Source>],
    ask: impl Fn(&dyn Source) -> Result<T, String> + Sync,
) -> Answers<'_, T> {
    // All at once, as each may take its time.
    thread::scope(|threads| {
        let asking = sources.iter().map(|source| {
            let ask = &ask;
            (source.name(), threads.spawn(move || ask(&**source)))
        });
        let asking: Vec<_> = asking.collect();
        let answers = asking.into_iter().map(|(name, asking)| {
            let answer = asking.join();
            (
                name,
                answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            )
        });
        answers.collect()
    })
}

fn problems<T>(answers: &Answers<'_, T>) -> Vec<String> {
    let failed = answers.iter();
    let failed = failed.filter_map(|(name, answer)| Some((name, answer.as_ref().err()?)));
    failed
        .map(|(name, problem)| format!("{name}: {problem}"))
        .collect()
}

impl Figures {
    /// The stores whose breakers are open, by backend and name.
    pub(crate) fn open_breakers(&self) -> impl Iterator<Item = String> {
        let open = self.stores.iter().filter(|store| store.breaker_open);
        open.map(|store| format!("{} {}", store.backend, store.store))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detail::Detail;

    /// Answers with these figures, or not at all.
    struct Fixed(&'static str, Option<Value>);

    impl Source for Fixed {
        fn name(&self) -> &str {
            self.0
        }

        fn read(&self, _: Window) -> Result<Value, String> {
            self.1.clone().ok_or_else(|| "no connection".to_owned())
        }

        fn detail(&self, _: &str, _: Window) -> Result<Detail, String> {
            Ok(Detail::default())
        }
    }

    fn sources() -> Vec<Box<dyn Source>> {
        let figures = json!({
            "version": 1,
            "functions": [
                { "function": "shop::price", "backend": "redis", "counted":
                    { "seconds": 60.0, "calls": { "hit": 540, "miss": 60 }, "time_saved_seconds": 60.0 },
                  "held": { "entries": 1200 } },
                { "function": "idle", "backend": "memory", "counted": { "seconds": 0.0 } },
            ],
            "stores": [{ "backend": "redis", "store": "cache:6379", "breaker_open": true }],
        });
        vec![
            Box::new(Fixed("shop:9464", Some(figures))),
            Box::new(Fixed("gone:9464", None)),
        ]
    }

    #[test]
    fn tables_have_a_line_for_each_function() {
        let read = table(&sources(), &Options::default(), 80);
        let expected = "\
FUNCTION             CALLS/S    HITS  HIT 99%  COMPUTE  SAVED/H ENTRIES  ERRORS
shop::price               10  90.0 %        –        –   60 min    1.2k       0
idle                       –       –        –        –        –       –       0
shop:9464: the breaker of redis cache:6379 is open
";
        assert_eq!(read.text, expected);
        assert_eq!(read.problems, ["gone:9464: no connection"]);
    }

    #[test]
    fn json_has_what_was_answered() {
        let read = json(&sources(), Window::Hour);
        let all: Value = serde_json::from_str(&read.text).unwrap_or_default();
        assert_eq!(
            all["instances"][0]["figures"]["functions"][1]["function"],
            "idle"
        );
        assert_eq!(all["instances"][1]["problem"], "no connection");
        assert_eq!(read.problems.len(), 1);
    }

    #[test]
    fn sources_without_answers_make_no_table() {
        let none: Vec<Box<dyn Source>> = vec![Box::new(Fixed("gone", None))];
        assert_eq!(table(&none, &Options::default(), 80).text, "");
    }
}
