//! Differences between databases.

/// The peculiarities of a database.
pub(super) struct Dialect {
    /// The server's clock, in microseconds since 1970.
    pub(super) now: &'static str,
    /// The 64-bit type to which numbers are cast.
    pub(super) integer: &'static str,
    /// Creates or upgrades the tables: step 0 creates them, step `n` upgrades version `n`. Their number is the current
    /// version.
    ///
    /// A step may run concurrently and repeatedly; it may then fail, but changes nothing.
    pub(super) migrations: &'static [&'static str],
    /// Appended to the `INSERT` of an entry: replaces the existing one.
    pub(super) or_replace: &'static str,
    /// Appended to the `INSERT` of an owner: takes the lease of a row without an entry.
    pub(super) or_lease: &'static str,
    /// Appended to the `INSERT` of an owner: takes the lease of any row.
    pub(super) or_take_over: &'static str,
    /// Deletes the rows of a table `{where}` a condition holds, in batches where that is better.
    pub(super) delete_batch: &'static str,
    /// The limit for a request in bytes, if there is one.
    pub(super) request_limit: Option<&'static str>,
    /// Placeholders are `$1`, `$2` …, and changes are notified.
    pub(super) is_postgres: bool,
}
