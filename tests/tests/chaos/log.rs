//! What this process has done of late, kept in memory and told when something is wrong.

use std::collections::VecDeque;
use std::fmt::{Display, Write as _};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::id;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::truth::{Cell, Moment, now};

/// How many operations are remembered.
const MAX_LOGGED_OPERATIONS: usize = 20_000;
/// How many of them are told.
const OPERATIONS_IN_FAILURE: usize = 60;
/// How many failures each process tells; more of them say nothing new.
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

/// An operation that has begun.
pub(crate) struct RunningOperation(u64);

/// The folder into which failures are told.
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

/// What is dropped on its way has been given up.
impl Drop for RunningOperation {
    fn drop(&mut self) {
        end(self, now(), "given up");
    }
}

/// The cell of the call that is under way for longest. (What a companion does has seconds, or a minute.)
pub(crate) fn longest_call() -> Option<Cell> {
    let log = lock();
    let calls = log
        .running
        .iter()
        .filter(|entry| entry.what.starts_with("call"));
    let longest = calls.min_by_key(|entry| entry.started);
    longest.map(|entry| entry.cell)
}

/// Held while the process forks, so that the child finds it free.
pub(crate) fn lock() -> MutexGuard<'static, Log> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells that something is wrong with a cell.
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

/// Tells only; this is no failure.
pub(crate) fn remark(message: impl Display) {
    append("remarks", &format!("process {}: {message}\n", id()));
}

/// Tells what was done with a cell of late, and what is under way.
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

/// Puts lines into a file that all processes share.
fn append(name: &str, text: &str) {
    let path = FOLDER.get().expect("it has been told").join(name);
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .expect("a file to tell in");
}
