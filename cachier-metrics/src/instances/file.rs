//! Files of figures, for tools.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::cluster::{ClusterFigures, InstanceState};
use super::history::{History, InstanceHistory};
use super::ledger::Ledger;
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
    /// The instances that wrote these files. A file does not tell whether its instance lives.
    pub instances: Vec<InstanceStats>,
    /// How many ended instances are included in the figures.
    pub ended_instances: u64,
    /// How many files of a folder were left out: damaged, foreign, or written by a newer version of cachier.
    pub unreadable: u64,
}

impl MetricsFile {
    /// Reads a file, or all files of a folder.
    ///
    /// # Errors
    /// When it cannot be read, or a file that was named has no figures.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (mut histories, mut unreadable) = (Vec::new(), 0);
        for file in Self::paths(path)? {
            match History::open(&file) {
                Ok(Ok(history)) => histories.push(history),
                // The instance has been folded meanwhile, so the sum of ended ones includes it.
                Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_dir() => {}
                Ok(Err(_)) if path.is_dir() => unreadable += 1,
                Ok(Err(error)) => return Err(error.into()),
                Err(error) => return Err(error),
            }
        }
        let figures = ClusterFigures {
            unreadable,
            ..ClusterFigures::of_files(histories)
        };
        Ok(Self::from(figures))
    }

    /// The figure files in a folder, sorted by name; that of ended instances is last, to include any folded meanwhile. For a
    /// file, the file itself.
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
        let is_ended = |file: &PathBuf| file.file_stem().is_some_and(|name| name == "ended");
        files.sort_by_key(|file| (is_ended(file), file.clone()));
        Ok(files)
    }
}

impl ClusterFigures {
    /// The merged figures of files. An instance in the sum of ended ones counts only there. Activity is left out: a file does
    /// not tell whether its program still runs.
    #[must_use]
    pub fn of_files(files: Vec<History>) -> Self {
        let (mut all, mut ledgers, mut instances) = (Self::default(), Vec::new(), Vec::new());
        for file in files {
            match file {
                History::Instance(instance) => instances.push(instance),
                History::Ended(ended) => ledgers.push(ended.ledger),
                // The instance's own file has later figures.
                History::Trail(_) => {}
            }
        }
        instances.retain(|InstanceHistory { header, .. }| {
            let is_in = |ledger: &Ledger| ledger.tombstone(header.instance, header.epoch).is_some();
            !ledgers.iter().any(is_in)
        });
        for ledger in ledgers {
            all.figures.merge(&ledger.ended);
            all.ended_instances += ledger.ended_instances;
        }
        for InstanceHistory {
            header,
            mut figures,
            ..
        } in instances
        {
            for function in figures.functions.values_mut() {
                function.snapshot.activity = Activity::default();
            }
            all.figures.merge(&figures);
            all.instances.push(InstanceState {
                header,
                age: None,
                is_live: false,
            });
        }
        all
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
