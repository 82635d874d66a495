//! What the screen shows, and what keys change of it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::arguments::Options;
use crate::columns::{self, Direction};
use crate::coverage::Coverage;
use crate::detail::Detail;
use crate::figures::Figures;
use crate::poll::{Answer, Wanted};
use crate::rows::{Grouping, Row, rows};

pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) direction: Direction,
    pub(crate) grouping: Grouping,
    pub(crate) mode: Mode,
    pub(crate) sources: Vec<Known>,
    /// What each source says of the function whose details are shown.
    details: BTreeMap<usize, Result<Detail, String>>,
    /// The row that is chosen: its function, backend and source.
    chosen: Option<(String, String, Option<usize>)>,
    /// Since the start.
    pub(crate) now: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Table,
    /// A filter is being typed; holds the previous one.
    Filter(String),
    Detail,
}

/// What is known of a source.
pub(crate) struct Known {
    pub(crate) name: String,
    /// The last figures, and when they came.
    pub(crate) figures: Option<(Figures, Duration)>,
    /// Why there are no newer ones.
    pub(crate) problem: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Stay,
    /// Different figures are wanted now.
    Ask,
    Quit,
}

impl State {
    pub(crate) fn new(options: Options, names: impl IntoIterator<Item = String>) -> Self {
        let sources = names.into_iter().map(|name| Known {
            name,
            figures: None,
            problem: None,
        });
        Self {
            options,
            direction: Direction::default(),
            grouping: Grouping::default(),
            mode: Mode::Table,
            sources: sources.collect(),
            details: BTreeMap::new(),
            chosen: None,
            now: Duration::ZERO,
        }
    }

    pub(crate) fn wanted(&self) -> Wanted {
        let chosen = self.chosen.as_ref().filter(|_| self.mode == Mode::Detail);
        Wanted {
            window: self.options.window,
            function: chosen.map(|(function, _, source)| (function.clone(), *source)),
        }
    }

    pub(crate) fn answered(&mut self, answer: Answer) {
        // An answer to an earlier question would be shown as the current one.
        if answer.wanted.window != self.options.window {
            return;
        }
        let known = &mut self.sources[answer.source];
        match answer.figures {
            Ok(figures) => {
                known.figures = Some((figures, self.now));
                known.problem = None;
            }
            Err(problem) => known.problem = Some(problem),
        }
        if let Some(detail) = answer.detail.filter(|_| answer.wanted == self.wanted()) {
            self.details.insert(answer.source, detail);
        }
    }

    /// The rows of the table.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let known = self.sources.iter().enumerate();
        let known = known.map(|(number, source)| match &source.figures {
            Some((figures, _)) => (number, &*source.name, figures),
            None => (number, &*source.name, &NOTHING),
        });
        let mut rows = rows(known, self.grouping, &self.options.filter);
        columns::sort(&mut rows, (self.options.sort, self.direction));
        rows
    }

    /// The place of the chosen row: the first one, until another is chosen.
    pub(crate) fn place(&self, rows: &[Row]) -> usize {
        let chosen = self.chosen.as_ref();
        let is_chosen = |row: &Row| chosen.is_some_and(|chosen| *chosen == key(row));
        rows.iter().position(is_chosen).unwrap_or(0)
    }

    /// The function whose details are shown, if it is still there.
    pub(crate) fn detailed(&self) -> Option<Row> {
        let chosen = self.chosen.as_ref()?;
        self.rows().into_iter().find(|row| key(row) == *chosen)
    }

    /// Its details: those of all sources that have answered, or why there are none.
    pub(crate) fn detail(&self) -> Result<Detail, &str> {
        let mut all = Detail::default();
        let mut failed = None;
        for detail in self.details.values() {
            match detail {
                Ok(detail) => all.add(detail.clone()),
                Err(problem) => failed = Some(&**problem),
            }
        }
        failed.map_or(Ok(all), Err)
    }

    pub(crate) fn pressed(&mut self, key: KeyEvent) -> Flow {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && key.code == KeyCode::Char('c') {
            return Flow::Quit;
        }
        match &self.mode {
            Mode::Filter(before) => {
                let before = before.clone();
                self.typed(key.code, before)
            }
            Mode::Table => self.pressed_in_table(key.code),
            Mode::Detail => match key.code {
                KeyCode::Esc | KeyCode::Backspace | KeyCode::Enter | KeyCode::Left => {
                    self.mode = Mode::Table;
                    Flow::Ask
                }
                code => self.pressed_anywhere(code),
            },
        }
    }

    fn typed(&mut self, code: KeyCode, before: String) -> Flow {
        match code {
            KeyCode::Enter => self.mode = Mode::Table,
            KeyCode::Esc => {
                self.options.filter = before;
                self.mode = Mode::Table;
            }
            KeyCode::Backspace => _ = self.options.filter.pop(),
            KeyCode::Char(typed) => self.options.filter.push(typed),
            _ => {}
        }
        Flow::Stay
    }

    fn pressed_in_table(&mut self, code: KeyCode) -> Flow {
        match code {
            KeyCode::Up | KeyCode::Char('k') => self.choose(|place, _| place.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.choose(|place, _| place + 1),
            KeyCode::PageUp => self.choose(|place, _| place.saturating_sub(10)),
            KeyCode::PageDown => self.choose(|place, _| place + 10),
            KeyCode::Home => self.choose(|_, _| 0),
            KeyCode::End => self.choose(|_, last| last),
            KeyCode::Enter | KeyCode::Right => {
                self.choose(|place, _| place);
                if self.chosen.is_none() {
                    return Flow::Stay;
                }
                self.details.clear();
                self.mode = Mode::Detail;
                return Flow::Ask;
            }
            KeyCode::Char('s') => self.options.sort = self.options.sort.next(),
            KeyCode::Char('r') => self.direction = self.direction.other(),
            KeyCode::Char('g') => self.grouping = self.grouping.other(),
            KeyCode::Char('/') => self.mode = Mode::Filter(self.options.filter.clone()),
            KeyCode::Esc => self.options.filter.clear(),
            code => return self.pressed_anywhere(code),
        }
        Flow::Stay
    }

    fn pressed_anywhere(&mut self, code: KeyCode) -> Flow {
        match code {
            KeyCode::Char('q') => Flow::Quit,
            KeyCode::Char('w') => {
                self.options.window = self.options.window.next();
                self.details.clear();
                Flow::Ask
            }
            _ => Flow::Stay,
        }
    }

    fn choose(&mut self, place: impl Fn(usize, usize) -> usize) {
        let rows = self.rows();
        let Some(last) = rows.len().checked_sub(1) else {
            return;
        };
        let place = place(self.place(&rows), last).min(last);
        self.chosen = Some(key(&rows[place]));
    }
}

static NOTHING: Figures = Figures {
    labels: BTreeMap::new(),
    functions: Vec::new(),
    stores: Vec::new(),
    coverage: Coverage {
        instances: Vec::new(),
        ended_instances: 0,
        unreadable: 0,
    },
};

fn key(row: &Row) -> (String, String, Option<usize>) {
    (row.function.clone(), row.backend.clone(), row.source)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::columns::Column;
    use crate::source::Window;

    fn press(state: &mut State, keys: &str) -> Flow {
        let mut flow = Flow::Stay;
        for key in keys.split(' ') {
            let code = match key {
                "down" => KeyCode::Down,
                "up" => KeyCode::Up,
                "end" => KeyCode::End,
                "home" => KeyCode::Home,
                "page-up" => KeyCode::PageUp,
                "page-down" => KeyCode::PageDown,
                "enter" => KeyCode::Enter,
                "esc" => KeyCode::Esc,
                "back" => KeyCode::Backspace,
                "f1" => KeyCode::F(1),
                letter => KeyCode::Char(letter.chars().next().unwrap()),
            };
            flow = state.pressed(KeyEvent::from(code));
        }
        flow
    }

    /// An answer about functions with these numbers of hits in a minute.
    fn answer(state: &State, source: usize, functions: &[(&str, u64)]) -> Answer {
        let functions = functions.iter().map(|(name, hits)| {
            json!({ "function": name, "counted": { "seconds": 60, "calls": { "hit": hits } } })
        });
        let figures = json!({ "version": 1, "functions": functions.collect::<Vec<_>>() });
        Answer {
            source,
            wanted: state.wanted(),
            figures: crate::figures::parse(&figures),
            detail: None,
        }
    }

    fn answered(names: &[&str], functions: &[(&str, u64)]) -> State {
        let names = names.iter().map(|name| (*name).to_owned());
        let mut state = State::new(Options::default(), names);
        for source in 0..state.sources.len() {
            let answer = answer(&state, source, functions);
            state.answered(answer);
        }
        state
    }

    fn chosen(state: &State) -> String {
        let rows = state.rows();
        rows[state.place(&rows)].name.clone()
    }

    #[test]
    fn the_chosen_row_is_followed() {
        let mut state = answered(&["x"], &[("a", 3), ("b", 2), ("c", 1)]);
        assert_eq!(chosen(&state), "a");
        press(&mut state, "down");
        assert_eq!(chosen(&state), "b");
        let next = answer(&state, 0, &[("a", 1), ("b", 1), ("c", 9)]);
        state.answered(next);
        assert_eq!(chosen(&state), "b");
        for (keys, expected) in [
            ("end", "b"),
            ("k", "a"),
            ("page-down", "b"),
            ("page-up", "c"),
            ("j", "a"),
            ("home", "c"),
            ("up", "c"),
            ("end down", "b"),
        ] {
            press(&mut state, keys);
            assert_eq!(chosen(&state), expected, "{keys}");
        }
        // The chosen row is gone, so the first one is chosen.
        let next = answer(&state, 0, &[("a", 1)]);
        state.answered(next);
        assert_eq!(chosen(&state), "a");
    }

    #[test]
    fn rows_are_sorted_and_reversed() {
        let mut state = answered(&["x"], &[("a", 3), ("b", 9)]);
        assert_eq!(state.rows()[0].name, "b");
        press(&mut state, "r");
        assert_eq!(state.rows()[0].name, "a");
        press(&mut state, "s");
        assert_eq!(state.options.sort, Column::Hits);
    }

    #[test]
    fn filters_are_typed_and_taken_back() {
        let mut state = answered(&["x"], &[("ab", 3), ("b", 9)]);
        press(&mut state, "/ a x back q");
        assert_eq!(state.options.filter, "aq");
        press(&mut state, "back f1 enter / z esc");
        assert_eq!(
            (state.options.filter.as_str(), state.rows().len()),
            ("a", 1)
        );
        assert_eq!(state.mode, Mode::Table);
        press(&mut state, "esc");
        assert_eq!(state.rows().len(), 2);
    }

    #[test]
    fn details_are_asked_for_while_shown() {
        let mut state = answered(&["x", "y"], &[("a", 3)]);
        assert_eq!(state.wanted(), Wanted::default());
        press(&mut state, "down");
        assert_eq!(press(&mut state, "enter"), Flow::Ask);
        let wanted = state.wanted();
        assert_eq!(wanted.function, Some(("a".to_owned(), Some(1))));
        assert_eq!(state.detailed().unwrap().name, "a @ y");
        let detail = Detail {
            counts: BTreeMap::from([("calls".to_owned(), 7)]),
            ..Detail::default()
        };
        let mut late = answer(&state, 1, &[("a", 3)]);
        late.detail = Some(Ok(detail.clone()));
        state.answered(late);
        assert_eq!(state.detail(), Ok(detail));
        let mut failed = answer(&state, 1, &[("a", 3)]);
        failed.detail = Some(Err("gone".to_owned()));
        state.answered(failed);
        assert_eq!(state.detail(), Err("gone"));
        assert_eq!(press(&mut state, "f1"), Flow::Stay);
        assert_eq!(press(&mut state, "esc"), Flow::Ask);
        assert_eq!(state.wanted().function, None);
    }

    #[test]
    fn instances_are_one_on_request() {
        let mut state = answered(&["x", "y"], &[("a", 3)]);
        assert_eq!(state.rows().len(), 2);
        press(&mut state, "g enter");
        assert_eq!(state.rows().len(), 1);
        assert_eq!(state.wanted().function, Some(("a".to_owned(), None)));
    }

    #[test]
    fn answers_to_earlier_questions_are_left() {
        let mut state = answered(&["x"], &[("a", 3)]);
        let late = answer(&state, 0, &[("late", 3)]);
        assert_eq!(press(&mut state, "w"), Flow::Ask);
        assert_eq!(state.options.window, Window::Hour);
        state.answered(late);
        assert_eq!(chosen(&state), "a");
        assert_eq!(press(&mut state, "w w"), Flow::Ask);
        assert_eq!(state.options.window, Window::Minute);
    }

    #[test]
    fn a_source_that_fails_keeps_its_figures() {
        let mut state = answered(&["x"], &[("a", 3)]);
        let mut failed = answer(&state, 0, &[]);
        failed.figures = Err("no connection".to_owned());
        state.answered(failed);
        assert_eq!(chosen(&state), "a");
        assert_eq!(state.sources[0].problem.as_deref(), Some("no connection"));
        let again = answer(&state, 0, &[("a", 3)]);
        state.answered(again);
        assert_eq!(state.sources[0].problem, None);
    }

    #[test]
    fn nothing_can_be_chosen_of_nothing() {
        let mut state = State::new(Options::default(), ["x".to_owned()]);
        assert_eq!(press(&mut state, "down enter"), Flow::Stay);
        assert_eq!(state.mode, Mode::Table);
        assert!(state.detailed().is_none());
        assert_eq!(press(&mut state, "q"), Flow::Quit);
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(state.pressed(control_c), Flow::Quit);
    }
}
