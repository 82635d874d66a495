//! Totals of a function, from the shard table or by counting.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::layout::Shard;
use super::scan::{self, ScannedEntry};
use super::shard_row::Totals;
use super::shard_table::ShardTable;

/// How often to count while others invalidate counts.
const MAX_COUNTS: u32 = 8;

/// Totals of a function: from the shard table, or counted where it has none; `None` if others keep invalidating counts.
pub(super) fn totals(scope: &Path, now: SystemTime) -> io::Result<Option<Totals>> {
    for _ in 0..MAX_COUNTS {
        let Some(table) = ShardTable::lock_existing(scope)? else {
            return Ok(Some(Totals::default()));
        };
        if let Some(totals) = table.totals(now)? {
            return Ok(Some(totals));
        }
        drop(table);
        for shard in Shard::all() {
            // One lock per shard, so that others wait only briefly.
            let table = ShardTable::lock(scope)?;
            if !table.is_known(shard, now)? {
                count(&table, scope, shard, now)?;
            }
        }
    }
    Ok(None)
}

/// Counts the entries of a shard, and records the result.
pub(super) fn count(
    table: &ShardTable,
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
    table.record_count(shard, totals, now)
}
