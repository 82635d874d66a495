//! Scans of a function's folder.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::files::{existing, is_folder};
use super::layout::{FileName, Shard};

/// The file of an entry.
pub(super) struct ScannedEntry {
    pub(super) path: PathBuf,
    pub(super) shard: Shard,
    pub(super) created: SystemTime,
    pub(super) bytes: u64,
}

/// A function's shards, of all versions.
pub(super) fn shards(scope: &Path) -> io::Result<BTreeSet<Shard>> {
    let mut shards = BTreeSet::new();
    for version in folders(scope)? {
        let folders = folders(&version)?;
        shards.extend(folders.iter().filter_map(|folder| Shard::of(folder)));
    }
    Ok(shards)
}

/// The folders of a shard, one per version.
pub(super) fn shard_folders(scope: &Path, shard: Shard) -> io::Result<Vec<PathBuf>> {
    let versions = folders(scope)?;
    let folders = versions.iter().map(|version| shard.folder(version));
    Ok(folders.collect())
}

/// All files of a shard, of all versions.
pub(super) fn files(scope: &Path, shard: Shard) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in shard_folders(scope, shard)? {
        if let Some(found) = existing(fs::read_dir(folder))? {
            for item in found {
                files.push(item?.path());
            }
        }
    }
    Ok(files)
}

impl ScannedEntry {
    /// The entry at a path, if it still exists.
    pub(super) fn at(path: PathBuf, shard: Shard) -> io::Result<Option<Self>> {
        if FileName::of(&path) != FileName::Entry {
            return Ok(None);
        }
        let Some(metadata) = existing(fs::symlink_metadata(&path))? else {
            return Ok(None);
        };
        Ok(Some(Self {
            created: metadata.modified()?,
            bytes: metadata.len(),
            path,
            shard,
        }))
    }
}

fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    if let Some(found) = existing(fs::read_dir(folder))? {
        for item in found {
            let item = item?;
            if is_folder(&item)? {
                folders.push(item.path());
            }
        }
    }
    Ok(folders)
}
