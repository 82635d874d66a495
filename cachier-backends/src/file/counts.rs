//! Totals of a function, from the ledger or by counting.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::layout::Shard;
use super::ledger::Ledger;
use super::ledger_row::Totals;
use super::scan::{self, ScannedEntry};

/// How often to count while others invalidate counts.
const MAX_COUNTS: u32 = 8;

/// Totals of a function: from the ledger, or counted where it has none; `None` if others keep invalidating counts.
pub(super) fn totals(scope: &Path, now: SystemTime) -> io::Result<Option<Totals>> {
    for _ in 0..MAX_COUNTS {
        let Some(ledger) = Ledger::lock_existing(scope)? else {
            return Ok(Some(Totals::default()));
        };
        if let Some(totals) = ledger.totals(now)? {
            return Ok(Some(totals));
        }
        drop(ledger);
        for shard in Shard::all() {
            // One lock per shard, so that others wait only briefly.
            let ledger = Ledger::lock(scope)?;
            if !ledger.is_known(shard, now)? {
                count(&ledger, scope, shard, now)?;
            }
        }
    }
    Ok(None)
}

/// Counts the entries of a shard, and records the result.
pub(super) fn count(
    ledger: &Ledger,
    scope: &Path,
    shard: Shard,
    now: SystemTime,
) -> io::Result<()> {
    let mut totals = Totals::default();
    for path in scan::files(scope, shard)? {
        if let Some(scanned) = ScannedEntry::at(path, shard)? {
            totals.add(Totals::one(scanned.bytes));
        }
    }
    ledger.record_count(shard, totals, now)
}
