//! Names of objects.

/// Separates an entry's name from the `ETag` in the name of a lease on it.
const LEASE_INFIX: &str = ".lease-";

/// The prefix of all objects.
pub(super) fn prefix(prefix: &str) -> String {
    match prefix.trim_matches('/') {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    }
}

/// The name of the lease on an entry with this `ETag`.
pub(super) fn of_lease(entry: &str, etag: &str) -> String {
    let plain = |character: &char| character.is_ascii_alphanumeric() || *character == '-';
    let etag: String = etag.chars().filter(plain).collect();
    format!("{entry}{LEASE_INFIX}{etag}")
}

/// Whether the object of this name is a lease on an entry.
pub(super) fn is_lease(name: &str) -> bool {
    // Functions may have any name.
    let last = name.rsplit('/').next();
    last.is_some_and(|last| last.contains(LEASE_INFIX))
}

/// An address without the part before an `@`.
pub(super) fn without_credentials(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    // The last one, as a password may contain any. In a path it is encoded as `%40`.
    let host = rest.rsplit('@').next().unwrap_or_default();
    let slashes = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{slashes}{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_names_that_look_like_leases_are_entries() {
        let entry = "team/cachier/2/default/a.lease-b/1/0123";
        assert!(!is_lease(entry));
        let lease = of_lease(entry, "\"9a-2\"");
        assert_eq!(lease, format!("{entry}.lease-9a-2"));
        assert!(is_lease(&lease));
    }

    #[test]
    fn a_prefix_is_a_folder_or_nothing() {
        for (given, meant) in [("", ""), ("/", ""), ("a", "a/"), ("/a/b/", "a/b/")] {
            assert_eq!(prefix(given), meant);
        }
    }

    #[test]
    fn credentials_are_removed_from_addresses() {
        for (given, kept) in [
            ("http://me:hidden@host:9000/path", "http://host:9000/path"),
            ("http://me:hid/den@host", "http://host"),
            ("http://me:hid?d@en@host/path", "http://host/path"),
            ("https://host", "https://host"),
            ("me:hidden@host", "host"),
        ] {
            assert_eq!(without_credentials(given), kept);
        }
    }
}
