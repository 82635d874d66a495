//! Return values that show whether they are intact, and of which cell.

use std::fmt;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::truth::Cell;

/// Part of every value, to recognise requests that store one.
pub(crate) const MARK: &str = "a value of chaos";

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Value {
    function: u32,
    key: u32,
    pub(crate) version: u64,
    text: String,
}

impl Value {
    pub(crate) fn of(cell: Cell, version: u64) -> Self {
        let Cell { function, key } = cell;
        let length = length(cell);
        let mut text = String::with_capacity(length + 100);
        while text.len() < length {
            write!(text, "{MARK}: {function}, {key}, {version}; ").expect("there is room");
        }
        Self {
            function,
            key,
            version,
            text,
        }
    }

    /// Whether it is intact, and of this cell.
    pub(crate) fn belongs_to(&self, cell: Cell) -> bool {
        *self == Self::of(cell, self.version)
    }
}

/// Three sizes: within a packet, several packets, and more than is stored while the caller waits.
fn length(cell: Cell) -> usize {
    match cell {
        Cell {
            function: 0 | 1,
            key: 4,
        } => (1 << 20) + 5000,
        Cell { key: 4, .. } => 100_000,
        Cell { key: 3, .. } => 3000,
        _ => 1,
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            function,
            key,
            version,
            text,
        } = self;
        let start: String = text.chars().take(40).collect();
        write!(
            f,
            "{function}/{key} version {version}, {} bytes: {start}",
            text.len()
        )
    }
}
