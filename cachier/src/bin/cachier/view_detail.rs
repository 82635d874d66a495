//! The screen of one function. Pure.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::columns::Column;
use crate::detail::{Detail, Point, bars, sparkline};
use crate::rows::Row;
use crate::screen::{BOLD, Screen, Theme};
use crate::source::Window;
use crate::state::State;
use crate::text::{self, harmless, shortened};

pub(crate) fn draw_detail(screen: &mut Screen<'_, '_>, state: &State, theme: Theme) {
    let Some(row) = state.detailed() else {
        screen.add(
            "the function is not there any more".to_owned(),
            Style::new(),
        );
        return;
    };
    screen.add(format!("{} in {}", row.name, row.backend), BOLD);
    for line in now(&row, state.options.window) {
        screen.add(line, Style::new());
    }
    match state.detail() {
        Err(problem) => screen.add(harmless(problem), theme.bad()),
        Ok(detail) => {
            draw_past(screen, &detail, theme);
            draw_bars(screen, &detail, theme);
        }
    }
}

/// The figures of the row, in words.
fn now(row: &Row, window: Window) -> [String; 2] {
    let of = |column: Column| column.text(row);
    let bound = |bound: Option<String>| bound.map_or(String::new(), |bound| format!(" of {bound}"));
    let oldest = row.activity.oldest_computation_age_seconds;
    let oldest = oldest.map_or(String::new(), |age| {
        format!(" (the oldest for {})", text::duration(age))
    });
    let held = &row.held;
    let calls = window.calls_word();
    let per_hour = match window {
        Window::Start => "",
        _ => " an hour",
    };
    [
        format!(
            "{} {calls}  {} hits  {} served  computed in {}  saved {}{per_hour}",
            of(Column::Calls),
            of(Column::Hits),
            of(Column::Served),
            of(Column::Computation),
            of(Column::Saved),
        ),
        format!(
            "{}{} entries  {}{}  {} running{oldest}  {} waiting  {} failed",
            of(Column::Entries),
            bound(held.capacity_entries.map(text::count)),
            of(Column::Size),
            bound(held.capacity_bytes.map(text::bytes)),
            of(Column::Running),
            of(Column::Waiting),
            text::count(row.counted.recalculation_failures + row.counted.abandoned),
        ),
    ]
}

/// A curve of the past: its name, and its value at a point.
type Curve = (&'static str, fn(&Point) -> Option<f64>);

fn draw_past(screen: &mut Screen<'_, '_>, detail: &Detail, theme: Theme) {
    if detail.points.is_empty() {
        return;
    }
    let curves: [Curve; 4] = [
        ("calls   ", |point| Some(point.calls_per_second)),
        ("hits    ", |point| point.hit_rate),
        ("compute ", |point| point.compute_time),
        ("errors  ", |point| Some(point.errors as f64)),
    ];
    for (name, value) in curves {
        let width = usize::from(screen.area.width).saturating_sub(name.len());
        let values = detail
            .points
            .iter()
            .map(|point| point.as_ref().and_then(value));
        let line = Line::from_iter([
            Span::raw(name),
            Span::styled(sparkline(values, width), theme.bar()),
        ]);
        screen.add_line(line);
    }
}

/// Call durations on the left, counts on the right.
fn draw_bars(screen: &mut Screen<'_, '_>, detail: &Detail, theme: Theme) {
    let left = usize::from(screen.area.width / 2);
    let heading = format!(
        "{:<left$}{}",
        "DURATION OF CALLS (ESTIMATED)", "COUNTED SINCE THE START"
    );
    screen.add(heading, BOLD);
    let lines = screen.left();
    let bars = bars(&detail.durations, lines);
    let most = bars
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(0)
        .max(1);
    let mut counts = detail.counts.iter();
    for number in 0..lines {
        let bar = bars.get(number).map_or(String::new(), |&(bound, count)| {
            let room = left.saturating_sub(20) as f64;
            // A small count still gets a bar.
            let length = (count as f64 / most as f64 * room).ceil() as usize;
            format!(
                "≤ {:<8} {} {}",
                text::duration(bound),
                "█".repeat(length),
                text::count(count)
            )
        });
        let count = counts.next().map_or(String::new(), |(name, count)| {
            format!("{:>6} {}", text::count(*count), harmless(name))
        });
        let bar = shortened(&bar, left);
        let line = Line::from_iter([
            Span::styled(format!("{bar:<left$}"), theme.bar()),
            Span::raw(count),
        ]);
        screen.add_line(line);
    }
}
