//! Files of figures, for tools.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::figures::InstanceFigures;
use super::history::History;
use super::publication::Unreadable;
use super::stats::InstanceStats;
use crate::table::StatsTable;

/// The figures in a file that a program keeps over restarts, or in a whole folder of them.
///
/// ```no_run
/// use cachier_metrics::MetricsFile;
///
/// let file = MetricsFile::open("/var/lib/shop/metrics".as_ref())?;
/// println!("{}", file.functions); // a table of functions
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct MetricsFile {
    /// The figures of each function, by its name.
    pub functions: StatsTable,
    /// The instances whose own files these are. Whether they live, no file tells.
    pub instances: Vec<InstanceStats>,
    /// How many ended instances are in the figures besides.
    pub ended_instances: u64,
    /// How many files are damaged, of a newer version of cachier, or no files; of a folder their figures are left out.
    pub unreadable: u64,
}

impl MetricsFile {
    /// Reads a file, or all files of a folder.
    ///
    /// # Errors
    /// When it cannot be read, or a file that was named has no figures.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut all = Sum::default();
        if path.is_dir() {
            let mut files = Vec::new();
            for item in fs::read_dir(path)? {
                files.push(item?.path());
            }
            files.retain(|file| file.extension().is_some_and(|end| end == "metrics"));
            for file in files {
                all.add(read(&file)?);
            }
        } else {
            all.add(read(path)?);
            if all.file.unreadable > 0 {
                let message = "it has no figures of this version of cachier";
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
        let functions = all.figures.functions.into_iter();
        let rows = functions.map(|((function, _), figures)| (function, figures.snapshot));
        Ok(Self {
            functions: rows.collect(),
            ..all.file
        })
    }
}

/// The figures in a file, or behind a link to one. Anything else has none: a pipe would be waited for.
fn read(path: &Path) -> io::Result<Result<History, Unreadable>> {
    if !path.metadata()?.is_file() {
        return Ok(Err(Unreadable::Damaged));
    }
    History::read_file(&File::open(path)?)
}

#[derive(Default)]
struct Sum {
    file: MetricsFile,
    figures: InstanceFigures,
}

impl Sum {
    fn add(&mut self, read: Result<History, Unreadable>) {
        match read {
            Ok(History::Instance(instance)) => {
                self.figures.merge(&instance.figures);
                let stats = InstanceStats::of(&instance.header);
                self.file.instances.push(stats);
            }
            Ok(History::Ended(ended)) => {
                self.figures.merge(&ended.ledger.ended);
                self.file.ended_instances += ended.ledger.ended_instances;
            }
            Err(_) => self.file.unreadable += 1,
        }
    }
}
