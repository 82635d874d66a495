//! The file of an entry.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::files::{self, NotAFile, create_new, in_folder, open_to_read, remove_path};
use super::layout::{self, FileName};
use super::scan;
use crate::backend::{EntryVersion, Loaded};
use crate::entry;
use crate::process::PerProcess;
use crate::unique::unique;

/// The largest file that is read, in bytes. Larger ones are not entries.
pub(super) const MAX_ENTRY_BYTES: u64 = 512 << 20;

/// Files up to this size are read whatever they are; larger ones only if they look like an entry.
const MAX_UNCHECKED_BYTES: u64 = 1 << 20;

/// Bytes at the start that identify an entry, as they include its checksum.
const FINGERPRINT_BYTES: usize = 16;

/// Loads an entry.
pub(super) fn load(path: &Path) -> io::Result<Option<Loaded>> {
    let (file, length) = match open(path)? {
        None => return Ok(None),
        Some(Opened::NotAnEntry) => {
            // Like a torn entry: fails to decode, and is replaced by the next store.
            let (bytes, version) = (Vec::new(), not_an_entry_version());
            return Ok(Some(Loaded { bytes, version }));
        }
        Some(Opened::Entry(file, length)) => (file, length),
    };
    let bytes = read(&file, usize::try_from(length).unwrap_or(usize::MAX))?;
    let version = version(&bytes[..FINGERPRINT_BYTES.min(bytes.len())], length);
    Ok(Some(Loaded { bytes, version }))
}

/// The version and size of an entry.
pub(super) fn version_at(path: &Path) -> io::Result<Option<(EntryVersion, u64)>> {
    let (file, length) = match open(path)? {
        None => return Ok(None),
        Some(Opened::NotAnEntry) => return Ok(Some((not_an_entry_version(), 0))),
        Some(Opened::Entry(file, length)) => (file, length),
    };
    let start = read(&file, FINGERPRINT_BYTES)?;
    Ok(Some((version(&start, length), length)))
}

/// Whether files can be written in a folder.
pub(super) fn check(folder: &Path) -> io::Result<()> {
    Temporary::write(folder, b"", SystemTime::now()).map(drop)
}

/// The file at an entry's path.
enum Opened {
    /// A file and its length.
    Entry(File, u64),
    /// Something that cannot be an entry: a folder, a pipe, a link, a huge file.
    NotAnEntry,
}

fn open(path: &Path) -> io::Result<Option<Opened>> {
    let opened = match open_to_read(path) {
        Err(error) if NotAFile::of(&error).is_some() => return Ok(Some(Opened::NotAnEntry)),
        opened => opened?,
    };
    let Some((file, metadata)) = opened else {
        return Ok(None);
    };
    let length = metadata.len();
    let may_be_entry = length <= MAX_UNCHECKED_BYTES
        || (length <= MAX_ENTRY_BYTES && begins_as_entry(&file)? && !has_holes(&file, &metadata)?);
    Ok(Some(if may_be_entry {
        Opened::Entry(file, length)
    } else {
        Opened::NotAnEntry
    }))
}

/// Whether a large file starts like an entry: reading all of it to find out would cost much time and memory.
fn begins_as_entry(mut file: &File) -> io::Result<bool> {
    let start = read(file, FINGERPRINT_BYTES)?;
    file.rewind()?;
    Ok(entry::is_start(&start))
}

/// Whether a large file is sparse, as no entry is.
///
/// A low block count alone says little: some file systems compress, and some count blocks late.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple"
))]
fn has_holes(mut file: &File, metadata: &Metadata) -> io::Result<bool> {
    use rustix::fs::{SeekFrom, seek};
    use std::os::unix::fs::MetadataExt;
    const BLOCK: u64 = 512;
    if metadata.blocks().saturating_mul(BLOCK) >= metadata.len() {
        return Ok(false);
    }
    // Without holes, or without support for them, the first hole is the end of the file.
    let hole = seek(file, SeekFrom::Hole(0)).unwrap_or(metadata.len());
    file.rewind()?;
    Ok(hole < metadata.len())
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple"
)))]
fn has_holes(_: &File, _: &Metadata) -> io::Result<bool> {
    Ok(false)
}

/// The version of anything that is not an entry: shorter than an entry's.
fn not_an_entry_version() -> EntryVersion {
    EntryVersion::new(*b"not-file")
}

/// Reads up to `length` bytes. `read_to_end` would take more system calls.
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

/// A temporary file, removed unless it is moved to its place.
pub(super) struct Temporary {
    /// `None` once moved.
    path: Option<PathBuf>,
}

impl Temporary {
    /// Writes an entry, with `created` as the file's modification time.
    pub(super) fn write(folder: &Path, entry: &[u8], created: SystemTime) -> io::Result<Self> {
        let path = folder.join(layout::temporary(SystemTime::now(), Writer::next()));
        let mut file = in_folder(folder, || create_new(&path))?;
        let temporary = Self { path: Some(path) };
        file.write_all(entry)?;
        file.set_modified(created)?;
        Ok(temporary)
    }

    /// Opens the file, for its lock.
    pub(super) fn open(&self) -> io::Result<File> {
        match &self.path {
            Some(path) => files::open(path),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Moves the entry to its place, removing a folder that may be there.
    pub(super) fn move_to(mut self, entry: &Path) -> io::Result<()> {
        if let Some(path) = &self.path {
            match fs::rename(path, entry) {
                Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                    fs::remove_dir_all(entry)?;
                    fs::rename(path, entry)?;
                }
                moved => moved?,
            }
            self.path = None;
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Otherwise a cleanup will.
            let _ = fs::remove_file(path);
        }
    }
}

/// Identifies a writer across machines and restarts.
struct Writer {
    process: u64,
    count: u64,
}

impl Writer {
    fn next() -> Self {
        static PROCESS: PerProcess<u64> = PerProcess::new(|_| unique());
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

/// Removes the temporary files of all writers, who then cannot move them any more. Calls `show` now and then.
pub(super) fn remove_unfinished(scope: &Path, show: impl Fn()) -> io::Result<()> {
    for shard in scan::shards(scope)? {
        for path in scan::files(scope, shard)? {
            if let FileName::Temporary(_) = FileName::of(&path) {
                remove_path(&path)?;
            }
        }
        show();
    }
    Ok(())
}
