//! Values in a database, shared by programs and machines: `cargo run --release --features sql --bin sql`.
//!
//! Uses a SQLite file in the user's cache folder, or the database that `CACHIER_SQL_URL` names, such as
//! `postgres://user@host/database` or `mysql://user@host/database`. Run it twice: the second run computes nothing.
#![expect(clippy::print_stdout, reason = "a program that tells what it does")]

use std::thread::sleep;
use std::time::Duration;

use cachier::{CallOptions, cachier};

/// A report that takes long to write.
#[cachier(backend = "sql", stale_after = "1h", enable_metrics)]
fn report(year: u16) -> String {
    sleep(Duration::from_millis(300));
    format!("{} days", if year.is_multiple_of(4) { 366 } else { 365 })
}

fn main() -> Result<(), cachier::Error> {
    for year in [2024, 2025, 2024] {
        let call = report::call_detailed(CallOptions::new(), year);
        println!("{year}: {} — {call}", call.value);
    }
    let usage = report::usage()?;
    println!(
        "stored: {:?} entries, {:?} bytes",
        usage.entries.unwrap_or(0),
        usage.bytes.unwrap_or(0)
    );
    for health in cachier::check() {
        println!("{health}");
    }
    println!("\n{}", report::metrics().stats());
    Ok(())
}
