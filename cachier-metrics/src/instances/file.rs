//! Files of figures, for tools.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::cluster::{ClusterFigures, InstanceState};
use super::history::History;
use super::publication::Unreadable;
use super::stats::InstanceStats;
use crate::snapshot::Activity;
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
        let mut all = ClusterFigures::default();
        for file in Self::paths(path)? {
            match History::open(&file)? {
                Ok(history) => all.add_history(history),
                Err(unreadable) if !path.is_dir() => return Err(unreadable.into()),
                Err(_) => all.unreadable += 1,
            }
        }
        Ok(Self::from(all))
    }

    /// The files of figures in a folder, by name; for a file itself.
    ///
    /// # Errors
    /// When the folder cannot be read.
    #[doc(hidden)]
    pub fn paths(path: &Path) -> io::Result<Vec<PathBuf>> {
        if !path.is_dir() {
            return Ok(vec![path.to_owned()]);
        }
        let mut files = Vec::new();
        for item in fs::read_dir(path)? {
            files.push(item?.path());
        }
        files.retain(|file| file.extension().is_some_and(|end| end == "metrics"));
        files.sort();
        Ok(files)
    }
}

impl ClusterFigures {
    /// Adds what lies in a file. Nothing goes on in a program that is known of by its file.
    pub fn add_history(&mut self, history: History) {
        match history {
            History::Instance(instance) => {
                let mut figures = instance.figures;
                for function in figures.functions.values_mut() {
                    function.snapshot.activity = Activity::default();
                }
                self.figures.merge(&figures);
                self.instances.push(InstanceState {
                    header: instance.header,
                    age: None,
                    is_live: false,
                });
            }
            History::Ended(ended) => {
                self.figures.merge(&ended.ledger.ended);
                self.ended_instances += ended.ledger.ended_instances;
            }
        }
    }
}

impl From<ClusterFigures> for MetricsFile {
    fn from(all: ClusterFigures) -> Self {
        let functions = all.figures.functions.into_iter();
        let rows = functions.map(|((function, _), figures)| (function, figures.snapshot));
        Self {
            functions: rows.collect(),
            instances: all.instances.iter().map(InstanceStats::from).collect(),
            ended_instances: all.ended_instances,
            unreadable: all.unreadable,
        }
    }
}

impl From<Unreadable> for io::Error {
    fn from(unreadable: Unreadable) -> Self {
        Self::new(io::ErrorKind::InvalidData, unreadable.to_string())
    }
}
