//! The columns of the table: what each shows, and how rows are sorted by it. Pure.

use std::cmp::Ordering;

use crate::rows::Row;
use crate::source::Window;
use crate::text::{self, known};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Column {
    Function,
    Backend,
    #[default]
    Calls,
    Hits,
    Served,
    HitTime,
    Computation,
    Saved,
    Entries,
    Size,
    Errors,
    Running,
    Waiting,
}

/// The least width for function names.
const MIN_NAME: usize = 20;

impl Column {
    /// From left to right.
    pub(crate) const ALL: [Self; 13] = [
        Self::Function,
        Self::Backend,
        Self::Calls,
        Self::Hits,
        Self::Served,
        Self::HitTime,
        Self::Computation,
        Self::Saved,
        Self::Entries,
        Self::Size,
        Self::Errors,
        Self::Running,
        Self::Waiting,
    ];

    /// The columns that a narrow screen keeps longest, the most important first.
    const BY_WORTH: [Self; 12] = [
        Self::Calls,
        Self::Hits,
        Self::Computation,
        Self::Saved,
        Self::Errors,
        Self::HitTime,
        Self::Entries,
        Self::Waiting,
        Self::Size,
        Self::Backend,
        Self::Served,
        Self::Running,
    ];

    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|column| column.word() == word);
        known.ok_or_else(|| {
            let words: Vec<_> = Self::ALL.iter().map(|column| column.word()).collect();
            format!("the columns are {}", words.join(", "))
        })
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Backend => "backend",
            Self::Calls => "calls",
            Self::Hits => "hits",
            Self::Served => "served",
            Self::HitTime => "hit-time",
            Self::Computation => "computation",
            Self::Saved => "saved",
            Self::Entries => "entries",
            Self::Size => "size",
            Self::Errors => "errors",
            Self::Running => "running",
            Self::Waiting => "waiting",
        }
    }

    /// The heading for counts of this window.
    pub(crate) fn title(self, window: Window) -> &'static str {
        match self {
            Self::Calls if window == Window::Start => "CALLS",
            Self::Saved if window == Window::Start => "SAVED",
            Self::Function => "FUNCTION",
            Self::Backend => "BACKEND",
            Self::Calls => "CALLS/S",
            Self::Hits => "HITS",
            Self::Served => "SERVED",
            Self::HitTime => "HIT 99%",
            Self::Computation => "COMPUTE",
            Self::Saved => "SAVED/H",
            Self::Entries => "ENTRIES",
            Self::Size => "SIZE",
            Self::Errors => "ERRORS",
            Self::Running => "RUNNING",
            Self::Waiting => "WAITING",
        }
    }

    /// The width without the gap; names get what the other columns leave.
    fn width(self) -> usize {
        match self {
            Self::Function => MIN_NAME,
            Self::Backend | Self::HitTime | Self::Computation | Self::Saved => 8,
            _ => 7,
        }
    }

    /// Whether it holds text, which begins at its left edge.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Function | Self::Backend)
    }

    pub(crate) fn next(self) -> Self {
        let place = Self::ALL.iter().position(|column| *column == self);
        Self::ALL[place.map_or(0, |place| (place + 1) % Self::ALL.len())]
    }

    pub(crate) fn text(self, row: &Row) -> String {
        match self {
            Self::Function => row.name.clone(),
            Self::Backend => row.backend.clone(),
            Self::Calls => known(self.number(row), text::rate),
            Self::Hits | Self::Served => known(self.number(row), text::percent),
            Self::HitTime | Self::Computation | Self::Saved => {
                known(self.number(row), text::duration)
            }
            Self::Entries => known(row.held.entries, text::count),
            Self::Size => known(row.held.size_bytes, text::bytes),
            Self::Errors => text::count(row.counted.backend_errors),
            Self::Running => text::count(row.activity.inflight_computations),
            Self::Waiting => text::count(row.activity.waiting_calls),
        }
    }

    fn number(self, row: &Row) -> Option<f64> {
        let counted = &row.counted;
        let whole = |number: u64| Some(number as f64);
        match self {
            Self::Function | Self::Backend => None,
            Self::Calls => counted.calls(),
            Self::Hits => counted.hit_rate(),
            Self::Served => counted.served_rate(),
            Self::HitTime => counted.call_duration.get("hit").and_then(|times| times.p99),
            Self::Computation => counted.compute_duration.and_then(|times| times.p50),
            Self::Saved => counted.saved(),
            Self::Entries => row.held.entries.and_then(whole),
            Self::Size => row.held.size_bytes.and_then(whole),
            Self::Errors => whole(counted.backend_errors),
            Self::Running => whole(row.activity.inflight_computations),
            Self::Waiting => whole(row.activity.waiting_calls),
        }
    }

    /// Texts from A to Z, numbers the largest first, what is unknown last.
    fn compare(self, one: &Row, other: &Row) -> Ordering {
        let by_name = || (&one.name, &one.backend).cmp(&(&other.name, &other.backend));
        let by_this = match self {
            Self::Function => Ordering::Equal,
            Self::Backend => one.backend.cmp(&other.backend),
            _ => match (self.number(one), self.number(other)) {
                (Some(one), Some(other)) => other.total_cmp(&one),
                (one, other) => other.is_some().cmp(&one.is_some()),
            },
        };
        by_this.then_with(by_name)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Direction {
    #[default]
    Usual,
    Reversed,
}

impl Direction {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Usual => Self::Reversed,
            Self::Reversed => Self::Usual,
        }
    }
}

/// Puts rows in order.
pub(crate) fn sort(rows: &mut [Row], (column, direction): (Column, Direction)) {
    rows.sort_by(|one, other| match direction {
        Direction::Usual => column.compare(one, other),
        Direction::Reversed => column.compare(other, one),
    });
}

/// The columns that fit, with their widths; the one that is sorted by is among them.
pub(crate) fn fitting(width: usize, sort: Column, longest_name: usize) -> Vec<(Column, usize)> {
    let mut chosen = vec![Column::Function];
    let name = longest_name.clamp(MIN_NAME, (width / 5 * 2).max(MIN_NAME));
    let mut left = width.saturating_sub(name);
    let worth = std::iter::once(sort).chain(Column::BY_WORTH);
    for column in worth {
        let needed = column.width() + 1;
        if !chosen.contains(&column) && needed <= left {
            chosen.push(column);
            left -= needed;
        }
    }
    let name = longest_name.clamp(MIN_NAME, name.saturating_add(left));
    let in_order = Column::ALL
        .into_iter()
        .filter(|column| chosen.contains(column));
    let widths = in_order.map(|column| match column {
        Column::Function => (column, name),
        column => (column, column.width()),
    });
    widths.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::rows::{Grouping, rows};

    #[test]
    fn rows_are_sorted_by_any_column() {
        let functions = [("b", "file", 5), ("a", "file", 5), ("Long", "memory", 9)];
        let functions = functions.map(|(name, backend, hits)| {
            let counted = json!({ "seconds": 60.0, "calls": { "hit": hits } });
            json!({ "function": name, "backend": backend, "counted": counted })
        });
        let all = json!({ "version": 1, "functions": functions });
        let all = crate::figures::parse(&all).unwrap();
        let sorted = |column, direction| {
            let mut rows = rows([(0, "x", &all)], Grouping::BySource, "");
            sort(&mut rows, (column, direction));
            let names: Vec<_> = rows.iter().map(|row| &*row.name).collect();
            names.join(" ")
        };
        assert_eq!(sorted(Column::Calls, Direction::Usual), "Long a b");
        assert_eq!(sorted(Column::Calls, Direction::Reversed), "b a Long");
        assert_eq!(sorted(Column::Function, Direction::Usual), "Long a b");
        assert_eq!(sorted(Column::Backend, Direction::Usual), "a b Long");
        // What is unknown comes last, whichever it is.
        assert_eq!(sorted(Column::HitTime, Direction::Usual), "Long a b");
    }

    fn words(width: usize, sort: Column) -> String {
        let columns = fitting(width, sort, 100);
        let all: usize = columns.iter().map(|(_, width)| width + 1).sum();
        assert!(all <= width.max(MIN_NAME) + 1, "{columns:?}");
        let words: Vec<_> = columns.iter().map(|(column, _)| column.word()).collect();
        words.join(" ")
    }

    #[test]
    fn narrow_screens_have_what_matters() {
        assert_eq!(words(0, Column::Calls), "function");
        assert_eq!(words(40, Column::Calls), "function calls hits");
        assert_eq!(words(40, Column::Size), "function calls size");
        assert_eq!(
            words(80, Column::Calls),
            "function calls hits computation saved errors"
        );
        assert_eq!(
            words(200, Column::Function).split(' ').count(),
            Column::ALL.len()
        );
    }

    #[test]
    fn names_take_no_more_than_needed() {
        let width = |longest| fitting(200, Column::Calls, longest)[0].1;
        assert_eq!((width(3), width(30)), (MIN_NAME, 30));
        assert_eq!(fitting(usize::MAX, Column::Calls, 300)[0].1, 300);
    }

    #[test]
    fn columns_come_one_after_another() {
        let mut column = Column::Function;
        for expected in Column::ALL {
            assert_eq!(column, expected);
            assert_eq!(Column::parse(column.word()), Ok(column));
            column = column.next();
        }
        assert_eq!(column, Column::Function);
        assert!(Column::parse("luck").is_err());
    }
}
