//! Paths, without access to the file system.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::key::{Key, Scope};

/// The paths of one key.
pub(super) struct KeyPaths {
    /// The function's folder, with its shard table.
    pub(super) scope: PathBuf,
    pub(super) shard: Shard,
    /// The entry's folder.
    pub(super) folder: PathBuf,
    pub(super) entry: PathBuf,
    pub(super) lease: PathBuf,
}

/// The role of a file in a shard, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FileName {
    Entry,
    Lease,
    /// An entry being written since then.
    Temporary(SystemTime),
    /// Not a file of this backend: left alone.
    Foreign,
}

/// The shard table in a function's folder. No version has this name.
pub(super) const SHARD_TABLE_FILE: &str = ".ledger";

/// The folder of all entries with keys `cachier/2/…`. The first format had none, and no namespace is encoded with an
/// `@`, so programs of the two formats do not collide.
const FORMAT_FOLDER: &str = "cachier@2";

/// Whether a folder is one of cachier's inside of a cache folder.
pub(super) fn is_in_cache(folder: &Path) -> bool {
    folder
        .components()
        .any(|name| name.as_os_str() == FORMAT_FOLDER)
}

const LEASE_SUFFIX: &str = ".lease";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// A shard of a function's entries, by the first byte of their hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shard(u8);

impl KeyPaths {
    pub(super) fn new(dir: &Path, key: &Key) -> Self {
        let scope = scope_folder(dir, key.scope());
        let (shard, hash) = (Shard::of_key(key), key.hash().to_string());
        let folder = shard.folder(&scope.join(key.version().to_string()));
        Self {
            shard,
            entry: folder.join(&hash),
            lease: folder.join(hash + LEASE_SUFFIX),
            folder,
            scope,
        }
    }
}

/// The path of an entry: all that loading needs.
pub(super) fn entry_path(dir: &Path, key: &Key) -> PathBuf {
    let mut path = scope_folder(dir, key.scope());
    path.reserve(100);
    path.push(key.version().to_string());
    path.push(Shard::of_key(key).name());
    path.push(key.hash().to_string());
    path
}

/// The path of the lease on an entry.
pub(super) fn lease_of(entry: &Path) -> PathBuf {
    let mut lease = entry.as_os_str().to_owned();
    lease.push(LEASE_SUFFIX);
    lease.into()
}

impl Shard {
    pub(super) const COUNT: usize = 256;

    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }

    fn of_key(key: &Key) -> Self {
        Self(key.hash().as_bytes()[0])
    }

    /// The shard with this folder, if it is one.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        let name = folder.file_name()?.to_str()?;
        let shard = Self(u8::from_str_radix(name, 16).ok()?);
        (shard.name() == name).then_some(shard)
    }

    pub(super) fn index(self) -> usize {
        self.0.into()
    }

    /// Its folder inside a version's.
    pub(super) fn folder(self, version: &Path) -> PathBuf {
        version.join(self.name())
    }

    fn name(self) -> String {
        format!("{:02x}", self.0)
    }
}

/// The folder of a function.
pub(super) fn scope_folder(dir: &Path, scope: &Scope) -> PathBuf {
    let mut folder = dir.join(FORMAT_FOLDER);
    folder.push(segment(scope.namespace()));
    folder.push(segment(scope.function()));
    folder
}

/// A unique name for an entry being written.
pub(super) fn temporary(started: SystemTime, writer: impl std::fmt::Display) -> String {
    let seconds = started.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!(".{}-{writer}{TEMPORARY_SUFFIX}", seconds.as_secs())
}

impl FileName {
    pub(super) fn of(path: &Path) -> Self {
        let Some(name) = path.file_name().and_then(OsStr::to_str) else {
            return Self::Foreign;
        };
        if is_hash(name) {
            return Self::Entry;
        }
        if name.strip_suffix(LEASE_SUFFIX).is_some_and(is_hash) {
            return Self::Lease;
        }
        started(name).map_or(Self::Foreign, Self::Temporary)
    }
}

fn is_hash(name: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    name.len() == 64 && name.bytes().all(is_digit)
}

/// When the writer of a temporary file began.
fn started(name: &str) -> Option<SystemTime> {
    let name = name.strip_prefix('.')?.strip_suffix(TEMPORARY_SUFFIX)?;
    let (seconds, _writer) = name.split_once('-')?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds.parse().ok()?))
}

/// Not escaped in names of folders.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Limit for the readable part of a folder's name, in bytes: some file systems allow 143 in all.
const MAX_SEGMENT_BYTES: usize = 100;

/// The folder name of a namespace or a function.
///
/// Percent-encoded. A name that might collide with another or a special one on some file system gets a hash after a
/// `~`, which no encoded name contains.
fn segment(name: &str) -> String {
    let mut segment = utf8_percent_encode(name, ESCAPED).to_string();
    if is_plain(name) && segment.len() <= MAX_SEGMENT_BYTES {
        return segment;
    }
    let hash = blake3::hash(name.as_bytes()).to_hex();
    segment.truncate(MAX_SEGMENT_BYTES);
    segment.push('~');
    segment.push_str(&hash[..32]);
    segment
}

/// Whether an encoded name is safe: some file systems ignore case, and some have special names such as `..` and `con`.
fn is_plain(name: &str) -> bool {
    let first = name.bytes().next();
    let stem = name.split('.').next().unwrap_or_default();
    let device = match stem.get(..3) {
        Some("con" | "prn" | "aux" | "nul") => stem.len() == 3,
        Some("com" | "lpt") => stem.len() == 4,
        _ => false,
    };
    first.is_some_and(|byte| byte != b'.')
        && !device
        && !name.ends_with('.')
        && !name.bytes().any(|byte| byte.is_ascii_uppercase())
}
