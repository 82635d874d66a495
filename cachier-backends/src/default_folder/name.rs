//! Names of packages' folders.

use std::fmt::Write as _;

/// Limit for the readable part of a folder's name, in bytes.
pub(super) const MAX_NAME_BYTES: usize = 64;

/// The digits of the hash in a folder's name.
pub(super) const HASH_DIGITS: usize = 16;

/// `app-0123456789abcdef`: safe on every file system, and unique to the package and place.
pub(super) fn folder_name(package: &str, built_in: Option<u64>) -> String {
    let is_plain = |letter: &char| matches!(letter, 'a'..='z' | '0'..='9' | '-' | '_');
    let plain = |letter: char| Some(letter.to_ascii_lowercase()).filter(is_plain);
    let readable = package.chars().map(|letter| plain(letter).unwrap_or('_'));
    let mut name: String = readable.take(MAX_NAME_BYTES).collect();
    let mut hasher = blake3::Hasher::new();
    hasher.update(package.as_bytes());
    if let Some(built_in) = built_in {
        // No package name contains a zero byte.
        hasher.update(&[0]).update(&built_in.to_le_bytes());
    }
    let hash = hasher.finalize().to_hex();
    // Writing to a string does not fail.
    let _ = write!(name, "-{}", &hash[..HASH_DIGITS]);
    name
}

/// Whether the name is that of a package's folder.
pub(super) fn is_of_package(name: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let parts = name.rsplit_once('-');
    parts.is_some_and(|(package, hash)| {
        hash.len() == HASH_DIGITS && hash.bytes().all(is_digit) && package.bytes().all(is_plain)
    })
}
