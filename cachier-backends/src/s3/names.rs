//! How objects are called.

/// Between the name of an entry and the `ETag` in the name of a lease on it.
const LEASE_INFIX: &str = ".lease-";

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
    format!("{entry}{LEASE_INFIX}{etag}")
}

/// Whether an object of this name is a lease on an entry.
pub(super) fn is_lease(name: &str) -> bool {
    // Functions may be called what they will.
    let last = name.rsplit('/').next();
    last.is_some_and(|last| last.contains(LEASE_INFIX))
}

/// An address without what stands before an `@`.
pub(super) fn without_credentials(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    // The last one: a password may hold everything. In a path it is written as `%40`.
    let host = rest.rsplit('@').next().unwrap_or_default();
    let slashes = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{slashes}{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_told_from_an_entry_of_a_function_that_is_called_like_one() {
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
    fn an_address_loses_its_credentials() {
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
