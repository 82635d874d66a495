//! Several processes request one value at once, and one of them computes it: `cargo run --release --features sql --bin
//! shared_computation`.
//!
//! Uses a SQLite file through the SQL backend, or the shared backend that `CACHIER_BACKEND` names.
#![expect(clippy::print_stdout, reason = "a program that tells what it does")]

use std::error::Error;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use cachier::{CallOptions, cachier};

const PROCESSES: usize = 6;

/// An expensive computation. The argument makes each run of this program start cold.
///
/// Processes that find no database create it one after the other, which may take longer than the default second.
#[cachier(enable_metrics, operation_timeout = "20s")]
fn answer(run: &str) -> String {
    say("nobody has it: COMPUTING for two seconds");
    sleep(Duration::from_secs(2));
    format!(
        "42 (computed by process {} in run {run})",
        std::process::id()
    )
}

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(run) => ask(&run)?,
        None => start_all()?,
    }
    Ok(())
}

/// Starts the processes, and waits for all of them.
fn start_all() -> Result<(), Box<dyn Error>> {
    let run = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_millis()
        .to_string();
    let this = std::env::current_exe()?;
    let started = Instant::now();
    let processes: Result<Vec<_>, _> = (0..PROCESSES)
        .map(|_| Command::new(&this).arg(&run).spawn())
        .collect();
    for mut process in processes? {
        process.wait()?;
    }
    println!(
        "{PROCESSES} processes had it after {:.1} s",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn ask(run: &str) -> Result<(), cachier::Error> {
    if std::env::var_os("CACHIER_BACKEND").is_none() {
        cachier::set_default_backend("sql")?;
    }
    say("asks");
    let call = answer::call_detailed(CallOptions::new(), run);
    say(&format!("has {} — {call}", call.value));
    Ok(())
}

fn say(what: &str) {
    println!("process {}: {what}", std::process::id());
}
