//! A file backend in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cachier_backends::entry::{Header, decode, encode};
use cachier_backends::file::FileBackend;
use cachier_backends::{
    BlockingBackend, EntryVersion, Key, KeyHash, Lease, LeaseReply, Scope, StoreReply,
    StoreRequest, Version,
};
use tempfile::{TempDir, tempdir};

/// A lease period, which files ignore.
pub const PERIOD: Duration = Duration::from_secs(1);

pub struct Files {
    pub backend: FileBackend,
    pub scope: Arc<Scope>,
    /// Removed with this.
    folder: Option<TempDir>,
}

impl Files {
    /// In a folder of their own.
    pub fn new() -> Self {
        let folder = tempdir().unwrap();
        let files = Self::at(folder.path());
        Self {
            folder: Some(folder),
            ..files
        }
    }

    pub fn at(dir: &Path) -> Self {
        Self {
            backend: FileBackend::new(dir),
            scope: Arc::new(Scope::new("default", "weather::forecast")),
            folder: None,
        }
    }

    pub fn key(&self, number: u8) -> Key {
        self.long_key(u64::from(number))
    }

    pub fn long_key(&self, number: u64) -> Key {
        // Spread over the shards, as real hashes are.
        let hash = blake3::hash(&number.to_le_bytes());
        let hash = KeyHash::from_bytes(*hash.as_bytes());
        Key::new(Arc::clone(&self.scope), Version::Number(1), hash)
    }

    /// A key in the same shard as all other such keys.
    pub fn crowded_key(&self, number: u64) -> Key {
        let mut hash = *blake3::hash(&number.to_le_bytes()).as_bytes();
        hash[0] = 0;
        let hash = KeyHash::from_bytes(hash);
        Key::new(Arc::clone(&self.scope), Version::Number(1), hash)
    }

    pub fn store(&self, key: &Key, value: &[u8]) -> StoreReply {
        let entry = entry(value);
        let request = StoreRequest::new(&entry, moment(0));
        self.backend.store(key, request).unwrap()
    }

    pub fn store_under(&self, lease: Lease, value: &[u8]) -> StoreReply {
        let (key, entry) = (lease.key().clone(), entry(value));
        let request = StoreRequest::new(&entry, moment(0)).under(lease);
        self.backend.store(&key, request).unwrap()
    }

    /// The same, which must succeed.
    #[track_caller]
    pub fn stored_under(&self, lease: Lease, value: &[u8]) {
        let reply = self.store_under(lease, value);
        assert_eq!(reply, StoreReply::Stored { evicted: 0 });
    }

    pub fn load(&self, key: &Key) -> Option<Vec<u8>> {
        let loaded = self.backend.load(key).unwrap();
        loaded.map(|loaded| loaded.bytes)
    }

    pub fn version(&self, key: &Key) -> Option<EntryVersion> {
        let loaded = self.backend.load(key).unwrap();
        loaded.map(|loaded| loaded.version)
    }

    pub fn lease(&self, key: &Key) -> LeaseReply {
        let seen = self.version(key);
        self.backend.lease(key, seen.as_ref(), PERIOD).unwrap()
    }

    #[track_caller]
    pub fn granted(&self, key: &Key) -> Lease {
        match self.lease(key) {
            LeaseReply::Granted(lease) => lease,
            reply => panic!("{reply:?}"),
        }
    }

    /// The documented path of an entry.
    pub fn path(&self, key: &Key) -> PathBuf {
        let hash = key.hash().to_string();
        let scope = self.backend.scope_dir(&self.scope).unwrap();
        scope.join("1").join(&hash[..2]).join(hash)
    }

    /// All files in the folder, sorted.
    pub fn all(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect(self.backend.dir().unwrap(), &mut files);
        files.sort();
        files
    }

    /// All files but the shard tables.
    pub fn all_but_shard_tables(&self) -> Vec<PathBuf> {
        let mut files = self.all();
        files.retain(|path| !path.ends_with(".ledger"));
        files
    }
}

/// An entry with this value. Its key is always [`key_of_entries`], as the backend does not look at it.
pub fn entry(value: &[u8]) -> Vec<u8> {
    encode(&key_of_entries(), &Header::new(moment(0)), value)
}

/// The value in the bytes of an [`entry`].
#[track_caller]
pub fn value_of(entry: &[u8]) -> Vec<u8> {
    let entry = decode(&key_of_entries(), entry).unwrap();
    entry.unwrap().value.to_vec()
}

/// The key of [`entry`].
pub fn key_of_entries() -> Key {
    let scope = Arc::new(Scope::new("default", "entry"));
    Key::new(scope, Version::Number(1), KeyHash::from_bytes([0; 32]))
}

pub fn moment(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

/// All files below a folder, sorted.
pub fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(found) = fs::read_dir(folder) else {
        return;
    };
    for item in found {
        let item = item.unwrap();
        if item.file_type().unwrap().is_dir() {
            collect(&item.path(), files);
        } else {
            files.push(item.path());
        }
    }
}
