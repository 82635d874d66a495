//! An operation on a cell, and its allowed outcomes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cachier::metrics::Outcome;
use cachier::{Call, CallOptions};
use futures_lite::FutureExt;

use crate::functions::{self, Function, Promise};
use crate::log::{self, failure};
use crate::settings::{BUDGET, Judgement, MAX_BODY_TIME, NEAR_STALE_AFTER, SCHEDULING, TIMES_KEPT};
use crate::shared::{store, truth};
use crate::stalls::{self, nanos};
use crate::truth::{Cell, Moment, Truth, now};
use crate::value::Value;

/// The operations on a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// An ordinary call, whose outcome is not asked for.
    CallBarely,
    Call(How),
    /// A call that is dropped; async only.
    CallAndGiveUp,
    Peek,
    Invalidate,
    Precache,
    Clear,
    ClearBeingCalculated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Plainly,
    Overwriting,
    Young,
    Skipping,
}

/// Counts of a function's calls in this process.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) outcomes: [AtomicU64; 6],
    /// Calls whose outcome is unknown.
    pub(crate) bare: AtomicU64,
    /// Calls that were dropped, or whose function panicked.
    pub(crate) abandoned: AtomicU64,
}

pub(crate) const OUTCOMES: [Outcome; 6] = [
    Outcome::Hit,
    Outcome::Stale,
    Outcome::Coalesced,
    Outcome::Miss,
    Outcome::Bypass,
    Outcome::Unavailable,
];

pub(crate) async fn perform(
    operation: Operation,
    function: &Function,
    counts: &Counts,
    cell: Cell,
) {
    match operation {
        Operation::CallBarely => call_barely(function, counts, cell).await,
        Operation::Call(how) => drop(call(how, function, counts, cell).await),
        Operation::CallAndGiveUp => call_and_give_up(function, counts, cell).await,
        Operation::Peek => peek(function, cell).await,
        Operation::Invalidate => invalidate(function, cell).await,
        Operation::Precache => precache(function, cell).await,
        Operation::Clear => clear(function, cell).await,
        Operation::ClearBeingCalculated => {
            let operation = log::begin(cell, now(), "clear being calculated");
            let done = (function.clear_being_calculated)().await;
            log::end(&operation, now(), format_args!("{done:?}"));
        }
    }
}

/// A call; `None` if its function panicked.
pub(crate) async fn call(
    how: How,
    function: &Function,
    counts: &Counts,
    cell: Cell,
) -> Option<Call<functions::Result>> {
    let options = match how {
        How::Plainly => CallOptions::new(),
        How::Overwriting => CallOptions::new().overwrite_cache(),
        How::Young => CallOptions::new().max_age(Duration::from_millis(30)),
        How::Skipping => CallOptions::new().skip_cache(),
    };
    let asked = Issued::now(function, cell);
    let operation = log::begin(
        cell,
        asked.at,
        &format!("call {how:?}, at least {}", asked.floor),
    );
    let called = AssertUnwindSafe(async { (function.call)(options, cell.key).await });
    let called = called.catch_unwind().await;
    let ended = now();
    let Ok(call) = called else {
        log::end(&operation, ended, "panicked");
        counts.abandoned.fetch_add(1, Ordering::SeqCst);
        return None;
    };
    log::end(&operation, ended, format_args!("{:?}, {call}", call.value));
    let at = OUTCOMES.iter().position(|outcome| *outcome == call.outcome);
    counts.outcomes[at.expect("a known outcome")].fetch_add(1, Ordering::SeqCst);
    if let Ok(value) = &call.value {
        asked.judge(value, asked.floor_of(&call), &call);
    }
    asked.judge_time(function, ended, &call);
    Some(call)
}

async fn call_barely(function: &Function, counts: &Counts, cell: Cell) {
    let asked = Issued::now(function, cell);
    let operation = log::begin(
        cell,
        asked.at,
        &format!("call barely, at least {}", asked.floor),
    );
    let called = AssertUnwindSafe(async { (function.bare)(cell.key).await });
    let called = called.catch_unwind().await;
    let ended = now();
    let Ok(result) = called else {
        log::end(&operation, ended, "panicked");
        counts.abandoned.fetch_add(1, Ordering::SeqCst);
        return;
    };
    log::end(&operation, ended, format_args!("{result:?}"));
    counts.bare.fetch_add(1, Ordering::SeqCst);
    if let Ok(value) = &result {
        // The store may have failed.
        asked.judge(value, asked.early_floor, &"bare");
    }
    asked.judge_time(function, ended, &"bare");
}

async fn call_and_give_up(function: &Function, counts: &Counts, cell: Cell) {
    let limit = Duration::from_micros(fastrand::u64(..20_000));
    let called = AssertUnwindSafe(call(How::Plainly, function, counts, cell));
    if tokio::time::timeout(limit, called).await.is_err() {
        counts.abandoned.fetch_add(1, Ordering::SeqCst);
    }
}

async fn peek(function: &Function, cell: Cell) {
    let asked = Issued::now(function, cell);
    let operation = log::begin(cell, asked.at, &format!("peek, at least {}", asked.floor));
    let peeked = (function.peek)(cell.key).await;
    log::end(&operation, now(), format_args!("{peeked:?}"));
    if let Ok(Some(value)) = peeked {
        asked.judge(&value, asked.floor, &"peek");
    }
}

/// Makes the stored value outdated, and invalidates it.
async fn invalidate(function: &Function, cell: Cell) {
    let Some(turn) = truth().turn(cell) else {
        return;
    };
    let version = truth().change(cell, &turn);
    let operation = log::begin(cell, now(), &format!("invalidate all before {version}"));
    let done = (function.invalidate)(cell.key).await;
    if done.is_ok() {
        truth().raise(cell, version, &turn);
    }
    log::end(&operation, now(), format_args!("{done:?}"));
}

/// Makes the stored value outdated, and stores the current one.
async fn precache(function: &Function, cell: Cell) {
    let Some(turn) = truth().turn(cell) else {
        return;
    };
    let version = truth().change(cell, &turn);
    let operation = log::begin(cell, now(), &format!("precache {version}"));
    let done = (function.precache)(cell.key, Value::of(cell, version)).await;
    if done.is_ok() && store().overwriting_is_certain() {
        truth().raise(cell, version, &turn);
    }
    log::end(&operation, now(), format_args!("{done:?}"));
}

async fn clear(function: &Function, cell: Cell) {
    let Some(turn) = truth().turn_to_clear(cell.function) else {
        return;
    };
    let cells = (0..crate::truth::KEYS).map(|key| Cell { key, ..cell });
    let versions: Vec<_> = cells.map(|cell| truth().version(cell)).collect();
    let operation = log::begin(cell, now(), &format!("clear all before {versions:?}"));
    let done = (function.clear)().await;
    if done.is_ok() {
        truth().raise_all(cell.function, &versions, &turn);
    }
    log::end(&operation, now(), format_args!("{done:?}"));
}

/// When an operation was issued, and the oldest version that it may return.
struct Issued {
    cell: Cell,
    at: Moment,
    floor: u64,
    /// The same without access to the store: then an earlier computation of this process may be returned.
    early_floor: u64,
}

impl Issued {
    fn now(function: &Function, cell: Cell) -> Self {
        let at = now();
        let floor = floor(truth(), function.promise, cell, at);
        let run = nanos(MAX_BODY_TIME + BUDGET);
        let began = at.saturating_sub(run);
        let began = began.saturating_sub(nanos(stalls::between(began, at)));
        let early_floor = self::floor(truth(), function.promise, cell, began);
        Self {
            cell,
            at,
            floor,
            early_floor,
        }
    }

    fn floor_of(&self, call: &Call<functions::Result>) -> u64 {
        match (call.outcome, &call.backend_error) {
            (Outcome::Coalesced, Some(_)) => self.early_floor,
            _ => self.floor,
        }
    }

    fn judge(&self, value: &Value, floor: u64, how: &dyn std::fmt::Display) {
        let cell = self.cell;
        if !value.belongs_to(cell) {
            failure(
                cell,
                format_args!("got a foreign or torn value: {value:?} ({how})"),
            );
            return;
        }
        let latest = truth().version(cell);
        if value.version > latest {
            failure(
                cell,
                format_args!("got version {} of {latest} ({how})", value.version),
            );
        }
        if value.version < floor {
            let version = value.version;
            failure(
                cell,
                format_args!(
                    "got version {version} though all before {floor} had been forgotten when it asked at {} ({how})",
                    self.at
                ),
            );
        }
    }

    fn judge_time(&self, function: &Function, ended: Moment, how: &dyn std::fmt::Display) {
        let took = Duration::from_nanos(ended - self.at);
        let stalled = stalls::between(self.at, ended);
        let waits = function.waits.unwrap_or_else(|| store().longest_wait());
        let most = waits + MAX_BODY_TIME + BUDGET + SCHEDULING;
        if took > most + stalled {
            let message = format!(
                "a call of `{}` took {took:?}, at most {most:?} and stalls of {stalled:?}, from {} ({how})",
                function.name, self.at
            );
            match TIMES_KEPT {
                Judgement::Fails => failure(self.cell, message),
                Judgement::IsTold => log::remark(message),
            }
        }
    }
}

/// The oldest version that an operation issued at a moment may return.
fn floor(truth: &Truth, promise: Promise, cell: Cell, at: Moment) -> u64 {
    match promise {
        Promise::Everybody => truth.floor(cell, at),
        Promise::ThisProcess => truth.own_floor(cell),
        Promise::ThisProcessAndOthersLater => {
            // The copy's load may have taken the whole budget.
            let lag = nanos(NEAR_STALE_AFTER + BUDGET + MAX_BODY_TIME);
            let since = at.saturating_sub(2 * lag);
            let stalled = nanos(stalls::between(since, at));
            let early = at.saturating_sub(lag + stalled);
            truth.floor(cell, early).max(truth.own_floor(cell))
        }
    }
}

/// Runs a future that completes in its first poll, or blocks this thread; a panic ends it.
pub(crate) fn block_on(future: impl Future<Output = ()>) {
    let _ = catch_unwind(AssertUnwindSafe(|| futures_lite::future::block_on(future)));
}
