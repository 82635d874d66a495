//! The process's recent operations, in memory, reported with failures.

use std::collections::VecDeque;
use std::fmt::{Display, Write as _};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::id;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::truth::{Cell, Moment, now};

/// The most operations kept.
const MAX_LOGGED_OPERATIONS: usize = 20_000;
/// How many of them are reported.
const OPERATIONS_IN_FAILURE: usize = 60;
/// The most failures reported per process; more would tell nothing new.
const MAX_FAILURES: usize = 3;

static LOG: Mutex<Log> = Mutex::new(Log {
    next: 0,
    ended: VecDeque::new(),
    running: Vec::new(),
});
static FOLDER: OnceLock<PathBuf> = OnceLock::new();
static FAILURES: AtomicUsize = AtomicUsize::new(0);

pub(crate) struct Log {
    next: u64,
    ended: VecDeque<Entry>,
    running: Vec<Entry>,
}

struct Entry {
    number: u64,
    cell: Cell,
    started: Moment,
    ended: Option<Moment>,
    what: String,
}

/// A running operation.
pub(crate) struct RunningOperation(u64);

/// Reports failures into this folder.
pub(crate) fn tell_into(folder: PathBuf) {
    FOLDER.set(folder).expect("it is told once");
}

pub(crate) fn begin(cell: Cell, started: Moment, what: &str) -> RunningOperation {
    let mut log = lock();
    log.next += 1;
    let number = log.next;
    log.running.push(Entry {
        number,
        cell,
        started,
        ended: None,
        what: what.to_owned(),
    });
    RunningOperation(number)
}

pub(crate) fn end(operation: &RunningOperation, ended: Moment, what: impl Display) {
    let mut log = lock();
    let mut running = log.running.iter();
    let Some(at) = running.position(|entry| entry.number == operation.0) else {
        return;
    };
    let mut entry = log.running.swap_remove(at);
    entry.ended = Some(ended);
    let _ = write!(entry.what, ": {what}");
    if log.ended.len() == MAX_LOGGED_OPERATIONS {
        log.ended.pop_front();
    }
    log.ended.push_back(entry);
}

/// An operation that is dropped was abandoned.
impl Drop for RunningOperation {
    fn drop(&mut self) {
        end(self, now(), "given up");
    }
}

/// The cell of the longest running call. (The companion's operations may take seconds, or a minute.)
pub(crate) fn longest_call() -> Option<Cell> {
    let log = lock();
    let calls = log
        .running
        .iter()
        .filter(|entry| entry.what.starts_with("call"));
    let longest = calls.min_by_key(|entry| entry.started);
    longest.map(|entry| entry.cell)
}

/// Held during forks, so that children find it free.
pub(crate) fn lock() -> MutexGuard<'static, Log> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reports a failure of a cell.
pub(crate) fn failure(cell: Cell, message: impl Display) {
    if FAILURES.fetch_add(1, Ordering::SeqCst) >= MAX_FAILURES {
        return;
    }
    append(
        "failures",
        &format!(
            "{} {} process {}: {message}\n",
            cell.function,
            cell.key,
            id()
        ),
    );
    tell(cell);
}

/// Reports something that is no failure.
pub(crate) fn remark(message: impl Display) {
    append("remarks", &format!("process {}: {message}\n", id()));
}

/// Reports the recent and running operations on a cell.
pub(crate) fn tell(cell: Cell) {
    let mut text = String::new();
    let log = lock();
    let of_cell = log
        .ended
        .iter()
        .rev()
        .filter(|entry| entry.cell.function == cell.function);
    let of_cell =
        of_cell.filter(|entry| entry.cell.key == cell.key || entry.what.starts_with("clear"));
    for entry in of_cell.take(OPERATIONS_IN_FAILURE).chain(&log.running) {
        let Entry {
            number,
            cell,
            started,
            ended,
            what,
        } = entry;
        let took = ended.map_or_else(
            || format!("under way for {} ms", (now() - started) / 1_000_000),
            |ended| format!("{} ms", (ended - started) / 1_000_000),
        );
        let Cell { function, key } = cell;
        let _ = writeln!(
            text,
            "{started} process {} #{number} {function}/{key} {what} [{took}]",
            id()
        );
    }
    drop(log);
    append("log", &text);
}

/// Appends to a file shared by all processes.
fn append(name: &str, text: &str) {
    let path = FOLDER.get().expect("it has been told").join(name);
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .expect("a file to tell in");
}
