//! Hits of the file backend, compared with reading and decoding the same file by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cachier::cachier;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::shared::{compute, subject};
use crate::case::Case;

const FILES: u64 = 1_000;

/// A value of about 250 bytes per key.
pub fn reports() -> Case<u64> {
    Case {
        title: "files of some 250 bytes",
        keys: (0..FILES).collect(),
        calls: 100,
        reference: BY_HAND,
        subjects: vec![
            subject!("**cachier**, `backend = \"file\"`", "off", |id| off(id)
                .digest()),
            subject!("**cachier**, `backend = \"file\"`", "rate 0.1", |id| {
                rate_tenth(id).digest()
            }),
            subject!("**cachier**, `backend = \"file\"`", "rate 1.0", |id| {
                rate_all(id).digest()
            }),
            subject!("`fs::read` and ciborium by hand", "none", |id| by_hand(id)
                .digest()),
        ],
    }
}

/// The peer's name.
pub const BY_HAND: &str = "`fs::read` and ciborium by hand";

#[derive(Clone, Serialize, Deserialize)]
struct Report {
    id: u64,
    title: String,
    words: Vec<u32>,
    ratio: f64,
    author: Option<String>,
}

impl Report {
    fn new(id: u64) -> Self {
        Self {
            id: compute(id) & 0xffff_ffff | id << 32,
            title: format!(
                "Report {id} on the state of the shores of the northern lakes in autumn"
            ),
            words: (0..30).map(|word| word * 977 % 65_000).collect(),
            ratio: 1.0 / (id as f64 + 3.0),
            author: Some(format!("the {id}th of the surveyors")),
        }
    }

    fn digest(&self) -> u64 {
        self.id ^ self.title.len() as u64 ^ self.words.len() as u64
    }
}

/// Left to the operating system's cleanup, as statics are never dropped.
static FOLDER: LazyLock<PathBuf> =
    LazyLock::new(|| TempDir::new().expect("a temporary folder").keep());

#[cachier(backend = "file", cache_dir = FOLDER.join("off"))]
fn off(id: u64) -> Report {
    Report::new(id)
}

#[cachier(backend = "file", cache_dir = FOLDER.join("tenth"), enable_metrics, sampling_rate = 0.1)]
fn rate_tenth(id: u64) -> Report {
    Report::new(id)
}

#[cachier(backend = "file", cache_dir = FOLDER.join("all"), enable_metrics, sampling_rate = 1.0)]
fn rate_all(id: u64) -> Report {
    Report::new(id)
}

/// Reads what `off` has stored at a known path: without hashing a key, verifying a checksum or checking an age.
fn by_hand(id: u64) -> Report {
    static PATHS: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
        let mut paths: Vec<PathBuf> = entries(&FOLDER.join("off"));
        paths.sort_by_key(|path| read(path).id >> 32);
        paths
    });
    read(&PATHS[id as usize])
}

fn read(path: &Path) -> Report {
    let bytes = fs::read(path).expect("the entry is there");
    let fields = u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]) as usize;
    ciborium::from_reader(&bytes[20 + fields..]).expect("the value is CBOR")
}

/// All entries in the folder and those below.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = item.path();
        if path.is_dir() {
            found.extend(entries(&path));
        } else if fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"\xcachr")) {
            found.push(path);
        }
    }
    found
}
