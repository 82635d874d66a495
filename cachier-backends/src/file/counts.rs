//! How much a function holds, by the ledger or by counting.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::layout::Shard;
use super::ledger::{Ledger, Totals};
use super::scan::{self, ScannedEntry};

/// How often what a function holds is counted while others see to it that it is not known.
const MAX_COUNTS: u32 = 8;

/// What a function holds: from the ledger, or counted where that does not know; `None` if it cannot be told.
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
            // One lock for each: others wait for a moment only.
            let ledger = Ledger::lock(scope)?;
            if !ledger.is_known(shard, now)? {
                count(&ledger, scope, shard, now)?;
            }
        }
    }
    Ok(None)
}

/// Counts what a shard holds, and notes it.
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
