//! The screen, drawn from what is known. Pure.

use std::time::Duration;

use ratatui::Frame;
use ratatui::style::{Modifier, Style};

use crate::columns::{Column, Direction, fitting};
use crate::once::cells;
use crate::rows::{Grouping, Row};
use crate::screen::{BOLD, Screen, Theme};
use crate::state::{Known, Mode, State};
use crate::text::{self, harmless, known};
use crate::view_detail::draw_detail;

/// The most lines of problems.
const MAX_PROBLEMS: usize = 3;
const TABLE_KEYS: &str = "↑↓ choose  Enter details  s r sort  / filter  w window  g group  q quit";
const DETAIL_KEYS: &str = "Esc back  w window  q quit";

const CHOSEN: Style = Style::new().add_modifier(Modifier::REVERSED);

pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, theme: Theme) {
    let mut screen = Screen::new(frame);
    let rows = state.rows();
    screen.add(heading(state), BOLD);
    screen.add(totals(state, &rows), Style::new());
    for coverage in coverages(state).take(MAX_PROBLEMS) {
        screen.add(coverage, Style::new());
    }
    for problem in problems(state).iter().take(MAX_PROBLEMS) {
        screen.add(problem.clone(), theme.bad());
    }
    match &state.mode {
        Mode::Detail => {
            draw_detail(&mut screen, state, theme);
            screen.footer(DETAIL_KEYS, theme.quiet());
        }
        Mode::Table => {
            draw_table(&mut screen, state, &rows, theme);
            screen.footer(TABLE_KEYS, theme.quiet());
        }
        Mode::Filter(_) => {
            draw_table(&mut screen, state, &rows, theme);
            let typed = format!(
                "filter: {}_   Enter take it  Esc leave it",
                harmless(&state.options.filter)
            );
            screen.footer(&typed, BOLD);
        }
    }
}

fn heading(state: &State) -> String {
    let names: Vec<_> = state.sources.iter().map(|source| &*source.name).collect();
    let sort = state.options.sort.word();
    let order = match state.direction {
        Direction::Usual => "",
        Direction::Reversed => ", reversed",
    };
    let together = match state.grouping {
        Grouping::BySource => "",
        Grouping::Together => "  together",
    };
    let window = state.options.window.phrase();
    let names = match names.len() {
        0..=2 => names.join(", "),
        count => format!("{count} sources"),
    };
    let labels = state
        .sources
        .iter()
        .find_map(|source| source.figures.as_ref());
    let service = labels.and_then(|(figures, _)| figures.labels.get("service"));
    let service = service.map_or(String::new(), |service| format!("  {}", harmless(service)));
    format!("cachier top  {names}{service}  {window}  by {sort}{order}{together}")
}

fn totals(state: &State, rows: &[Row]) -> String {
    if state
        .sources
        .iter()
        .all(|source| source.figures.is_none() && source.problem.is_none())
    {
        return "waiting for figures".to_owned();
    }
    let mut all = crate::figures::Counted::default();
    let (mut running, mut waiting) = (0, 0);
    for row in rows {
        all.add(&row.counted);
        running += row.activity.inflight_computations;
        waiting += row.activity.waiting_calls;
    }
    let calls = known(all.calls(), text::rate);
    let hits = known(all.hit_rate(), text::percent);
    let filter = match state.options.filter.is_empty() {
        true => String::new(),
        false => format!("  (filter: {})", harmless(&state.options.filter)),
    };
    format!(
        "{} functions{filter}  {calls} {}  {hits} hits  {running} running  {waiting} waiting",
        rows.len(),
        state.options.window.calls_word(),
    )
}

/// Which instances the figures come from, if there are several.
fn coverages(state: &State) -> impl Iterator<Item = String> {
    let several = state.sources.len() > 1;
    let known = state.sources.iter().filter_map(|source| {
        let (figures, _) = source.figures.as_ref()?;
        Some((source, figures.coverage.text()?))
    });
    known.map(move |(source, text)| match several {
        true => format!("{}: {text}", source.name),
        false => text,
    })
}

/// Sources that do not answer, and stores that are not asked.
fn problems(state: &State) -> Vec<String> {
    let silent = state
        .sources
        .iter()
        .filter_map(|source| silence(source, state));
    let open = state.sources.iter().flat_map(|source| {
        let figures = source.figures.iter();
        figures
            .flat_map(|(figures, _)| figures.open_breakers())
            .map(|store| {
                format!(
                    "{}: the breaker of {} is open",
                    source.name,
                    harmless(&store)
                )
            })
    });
    let mut all: Vec<_> = silent.chain(open).collect();
    if all.len() > MAX_PROBLEMS {
        let more = all.len() - MAX_PROBLEMS;
        all[MAX_PROBLEMS - 1] += &format!("  (and {more} more)");
    }
    all
}

fn silence(source: &Known, state: &State) -> Option<String> {
    let problem = source.problem.as_deref()?;
    let age = source
        .figures
        .as_ref()
        .map(|(_, came)| state.now.saturating_sub(*came));
    let age = known_age(age);
    Some(format!("{}{age}: {}", source.name, harmless(problem)))
}

fn known_age(age: Option<Duration>) -> String {
    age.map_or(String::new(), |age| {
        format!(" (figures {} s old)", age.as_secs())
    })
}

fn draw_table(screen: &mut Screen<'_, '_>, state: &State, rows: &[Row], theme: Theme) {
    let longest = rows.iter().map(|row| row.name.chars().count()).max();
    let columns = fitting(
        screen.area.width.into(),
        state.options.sort,
        longest.unwrap_or(0),
    );
    let title = |column: Column| column.title(state.options.window);
    screen.add(cells(&columns, |column| title(column).to_owned()), BOLD);
    let place = state.place(rows);
    let fits = screen.left();
    let first = (place + 1).saturating_sub(fits);
    for (number, row) in rows.iter().enumerate().skip(first).take(fits) {
        let style = match number == place {
            true => CHOSEN,
            false if row.counted.backend_errors > 0 => theme.bad(),
            false if is_silent(row, state) => theme.quiet(),
            false => Style::new(),
        };
        screen.add(cells(&columns, |column| column.text(row)), style);
    }
}

fn is_silent(row: &Row, state: &State) -> bool {
    row.source
        .is_some_and(|source| state.sources[source].problem.is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyEvent};
    use serde_json::json;

    use super::*;
    use crate::arguments::Options;
    use crate::poll::Answer;

    /// Of a program with a function that has an error, and a store that is away; and of others that do not answer.
    fn state(silent: usize) -> State {
        let names = (0..=silent).map(|number| format!("shop-{number}"));
        let mut state = State::new(Options::default(), names);
        let figures = json!({
            "version": 1,
            "labels": { "service": "shop" },
            "functions": [
                { "function": "price", "backend": "redis", "counted": { "seconds": 60, "calls": { "hit": 60 }, "backend_errors": 2 } },
                { "function": "stock", "backend": "redis", "activity": { "oldest_computation_age_seconds": 90 },
                  "held": { "capacity_entries": 10, "capacity_bytes": 1024 } },
            ],
            "stores": [{ "backend": "redis", "store": "cache", "breaker_open": true }],
        });
        for source in 0..=silent {
            let figures = match source {
                0 => crate::figures::parse(&figures),
                _ => Err("no connection".to_owned()),
            };
            state.answered(Answer {
                source,
                wanted: state.wanted(),
                figures,
                detail: None,
            });
        }
        state
    }

    fn screen(state: &State, width: u16, height: u16, theme: Theme) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, state, theme)).unwrap();
        terminal.backend().to_string()
    }

    fn press(state: &mut State, code: KeyCode) {
        state.pressed(KeyEvent::from(code));
    }

    #[test]
    fn all_sizes_can_be_drawn() {
        let mut state = state(1);
        for mode in [
            None,
            Some(KeyCode::Char('/')),
            Some(KeyCode::Enter),
            Some(KeyCode::Enter),
        ] {
            if let Some(key) = mode {
                press(&mut state, key);
            }
            for (width, height) in [(1, 1), (1, 30), (200, 1), (19, 3), (80, 20), (300, 100)] {
                screen(&state, width, height, Theme::Colours);
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told_first() {
        let shown = screen(&state(4), 80, 20, Theme::Plain);
        for expected in [
            "shop-1: no connection",
            "shop-3: no connection  (and 2 more)",
            "5 sources  shop",
            "1 calls/s",
        ] {
            assert!(shown.contains(expected), "{shown}");
        }
        let shown = screen(&state(0), 80, 20, Theme::Plain);
        assert!(
            shown.contains("shop-0: the breaker of redis cache is open"),
            "{shown}"
        );
    }

    #[test]
    fn details_name_bounds_and_failures() {
        let mut state = state(0);
        press(&mut state, KeyCode::Down);
        press(&mut state, KeyCode::Enter);
        let shown = screen(&state, 100, 20, Theme::Plain);
        assert!(
            shown.contains("stock in redis") && shown.contains("entries"),
            "{shown}"
        );
        assert!(
            shown.contains(" of 10 entries") && shown.contains("of 1 KB"),
            "{shown}"
        );
        assert!(shown.contains("the oldest for 90 s"), "{shown}");
        let failed = Answer {
            source: 0,
            wanted: state.wanted(),
            figures: Ok(state.sources[0].figures.clone().unwrap().0),
            detail: Some(Err("no answer".to_owned())),
        };
        state.answered(failed);
        assert!(screen(&state, 100, 20, Theme::Plain).contains("no answer"));
        let gone = Answer {
            source: 0,
            wanted: state.wanted(),
            figures: Ok(Default::default()),
            detail: None,
        };
        state.answered(gone);
        assert!(screen(&state, 100, 20, Theme::Plain).contains("not there any more"));
    }

    #[test]
    fn nothing_is_said_before_an_answer() {
        let state = State::new(Options::default(), ["x".to_owned(), "y".to_owned()]);
        assert!(screen(&state, 80, 20, Theme::Plain).contains("waiting for figures"));
    }
}
