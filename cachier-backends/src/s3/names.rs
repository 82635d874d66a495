//! How objects are called.

/// Between the name of an entry and the `ETag` in the name of a lease on it.
const LEASE: &str = ".lease-";

/// What stands before the names of all objects.
pub(super) fn prefix(prefix: &str) -> String {
    match prefix.trim_matches('/') {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    }
}

/// The name of the lease on an entry of this `ETag`.
pub(super) fn of_lease(entry: &str, etag: &str) -> String {
    let plain = |character: &char| character.is_ascii_alphanumeric() || *character == '-';
    let etag: String = etag.chars().filter(plain).collect();
    format!("{entry}{LEASE}{etag}")
}

/// Whether an object of this name is a lease on an entry.
pub(super) fn is_lease(name: &str) -> bool {
    // Functions may be called what they will.
    let last = name.rsplit('/').next();
    last.is_some_and(|last| last.contains(LEASE))
}

/// An address without what stands before an `@`.
pub(super) fn without_credentials(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    match scheme {
        "" => host.to_owned(),
        _ => format!("{scheme}://{host}"),
    }
}
