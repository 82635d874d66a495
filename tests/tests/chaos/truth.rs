//! The truth, kept outside the cache in plain files shared by all processes: the current version of each cell, and the
//! oldest version that the cache may still return.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

/// How many keys each function is called with.
pub(crate) const KEYS: u32 = 5;

/// Nanoseconds on a clock shared by all processes.
pub(crate) type Moment = u64;

pub(crate) fn now() -> Moment {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap()
}

/// A function and a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) function: u32,
    pub(crate) key: u32,
}

impl Cell {
    fn index(self) -> usize {
        (self.function * KEYS + self.key) as usize
    }
}

pub(crate) struct Truth {
    folder: PathBuf,
    cells: Vec<CellFiles>,
    clears: Vec<Journal>,
}

struct CellFiles {
    /// The file's length is the version: each change appends a byte, atomically for all.
    version: File,
    floors: Journal,
    /// The floor raised by this process.
    own_floor: AtomicU64,
}

/// The exclusive right to change a cell, or to clear a function. The lock ends with the process.
pub(crate) struct ChangeLock(#[expect(dead_code, reason = "held")] File);

impl Truth {
    pub(crate) fn open(folder: &Path, functions: u32) -> io::Result<Self> {
        let mut cells = Vec::new();
        for index in 0..functions * KEYS {
            cells.push(CellFiles {
                version: append(&folder.join(format!("version-{index}")))?,
                floors: Journal::open(&folder.join(format!("floors-{index}")), 1)?,
                own_floor: AtomicU64::new(0),
            });
        }
        let clears = (0..functions).map(|function| {
            Journal::open(&folder.join(format!("clears-{function}")), KEYS as usize)
        });
        Ok(Self {
            folder: folder.to_owned(),
            cells,
            clears: clears.collect::<io::Result<_>>()?,
        })
    }

    pub(crate) fn version(&self, cell: Cell) -> u64 {
        self.cells[cell.index()]
            .version
            .metadata()
            .expect("its length")
            .len()
    }

    /// The right to change a cell, unless somebody else has it.
    pub(crate) fn turn(&self, cell: Cell) -> Option<ChangeLock> {
        ChangeLock::take(&self.folder.join(format!("turn-{}", cell.index())))
    }

    /// The right to clear a function, unless somebody else has it.
    pub(crate) fn turn_to_clear(&self, function: u32) -> Option<ChangeLock> {
        ChangeLock::take(&self.folder.join(format!("turn-to-clear-{function}")))
    }

    /// Makes all older versions outdated.
    pub(crate) fn change(&self, cell: Cell, _: &ChangeLock) -> u64 {
        let mut version = &self.cells[cell.index()].version;
        version.write_all(b".").expect("it grows");
        self.version(cell)
    }

    /// From now on nobody may get an older version of this cell.
    pub(crate) fn raise(&self, cell: Cell, version: u64, _: &ChangeLock) {
        let files = &self.cells[cell.index()];
        files.floors.append(&[version]);
        files.own_floor.fetch_max(version, Ordering::SeqCst);
    }

    /// From now on nobody may get older versions of this function.
    pub(crate) fn raise_all(&self, function: u32, versions: &[u64], _: &ChangeLock) {
        self.clears[function as usize].append(versions);
        for (key, version) in (0..).zip(versions) {
            let files = &self.cells[Cell { function, key }.index()];
            files.own_floor.fetch_max(*version, Ordering::SeqCst);
        }
    }

    /// The oldest version that may be returned from now on, as far as this process has raised it.
    pub(crate) fn own_floor(&self, cell: Cell) -> u64 {
        self.cells[cell.index()].own_floor.load(Ordering::SeqCst)
    }

    /// The oldest version that could be returned at this moment.
    pub(crate) fn floor(&self, cell: Cell, at: Moment) -> u64 {
        let by_key = self.cells[cell.index()].floors.at(at, 0);
        let cleared = self.clears[cell.function as usize].at(at, cell.key as usize);
        by_key.max(cleared)
    }
}

impl ChangeLock {
    fn take(path: &Path) -> Option<Self> {
        let file = append(path).expect("a file to lock");
        file.try_lock().is_ok().then_some(Self(file))
    }
}

/// A history of values with their times, in order.
struct Journal {
    file: File,
    columns: usize,
}

impl Journal {
    fn open(path: &Path, columns: usize) -> io::Result<Self> {
        Ok(Self {
            file: append(path)?,
            columns,
        })
    }

    fn append(&self, values: &[u64]) {
        let numbers = [now()].into_iter().chain(values.iter().copied());
        let record: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
        (&self.file).write_all(&record).expect("it grows");
    }

    /// The value at a moment.
    fn at(&self, moment: Moment, column: usize) -> u64 {
        let width = 8 * (self.columns as u64 + 1);
        let mut records = self.file.metadata().expect("its length").len() / width;
        while records > 0 {
            records -= 1;
            if self.number(records * width) <= moment {
                return self.number(records * width + 8 * (column as u64 + 1));
            }
        }
        0
    }

    fn number(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.file
            .read_exact_at(&mut bytes, offset)
            .expect("a record");
        u64::from_le_bytes(bytes)
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)
}
