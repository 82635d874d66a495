//! One entry in its file.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::files::{create_new, in_folder, open_entry};
use super::layout;
use crate::backend::{EntryVersion, Loaded};

/// The largest file that is read, in bytes. A larger one is not an entry.
pub(super) const LARGEST: u64 = 512 << 20;

/// How many bytes at the start of an entry tell it from another: its checksum is among them.
const FINGERPRINT: usize = 16;

/// Reads an entry.
pub(super) fn load(path: &Path) -> io::Result<Option<Loaded>> {
    let Some((file, length)) = open(path)? else {
        return Ok(None);
    };
    let bytes = read(&file, usize::try_from(length).unwrap_or(usize::MAX))?;
    let version = version(&bytes[..FINGERPRINT.min(bytes.len())], length);
    Ok(Some(Loaded { bytes, version }))
}

/// Which version of an entry there is, and how many bytes it has.
pub(super) fn version_at(path: &Path) -> io::Result<Option<(EntryVersion, u64)>> {
    let Some((file, length)) = open(path)? else {
        return Ok(None);
    };
    let start = read(&file, FINGERPRINT)?;
    Ok(Some((version(&start, length), length)))
}

/// Whether files can be written below a folder.
pub(super) fn check(folder: &Path) -> io::Result<()> {
    Temporary::write(folder, b"", SystemTime::now()).map(drop)
}

fn open(path: &Path) -> io::Result<Option<(File, u64)>> {
    let Some(file) = open_entry(path)? else {
        return Ok(None);
    };
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.len() <= LARGEST {
        Ok(Some((file, metadata.len())))
    } else {
        let message = "this is not the file of an entry";
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    }
}

/// Reads up to `length` bytes, in one go: `read_to_end` would ask the system more often.
fn read(mut file: &File, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn version(start: &[u8], length: u64) -> EntryVersion {
    EntryVersion::new([start, &length.to_le_bytes()].concat())
}

/// An entry that has been written beside its place. Unless it is moved there, it goes again.
pub(super) struct Temporary {
    /// `None` once it has been moved.
    path: Option<PathBuf>,
}

impl Temporary {
    /// Writes an entry whose value was `created` then, which is what its file shows as the time of
    /// its last change.
    pub(super) fn write(folder: &Path, entry: &[u8], created: SystemTime) -> io::Result<Self> {
        let path = folder.join(layout::temporary(SystemTime::now(), Writer::next()));
        let mut file = in_folder(folder, || create_new(&path))?;
        let temporary = Self { path: Some(path) };
        file.write_all(entry)?;
        file.set_modified(created)?;
        Ok(temporary)
    }

    /// Puts the entry in its place.
    pub(super) fn move_to(mut self, entry: &Path) -> io::Result<()> {
        if let Some(path) = &self.path {
            fs::rename(path, entry)?;
            self.path = None;
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // If it cannot be removed now, a cleanup will.
            let _ = fs::remove_file(path);
        }
    }
}

/// Who writes: unlike any other writer, on other machines and after a restart too.
struct Writer {
    process: u64,
    count: u64,
}

impl Writer {
    fn next() -> Self {
        static PROCESS: LazyLock<u64> = LazyLock::new(|| {
            let mut hasher = RandomState::new().build_hasher();
            hasher.write_u32(std::process::id());
            hasher.finish()
        });
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self {
            process: *PROCESS,
            count: COUNT.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl std::fmt::Display for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}-{}", self.process, self.count)
    }
}
