//! The files in which programs keep their figures, also of those that have ended.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cachier::MetricsFile;
use cachier_metrics::{ClusterFigures, History};
use serde_json::Value;

use crate::detail::Detail;
use crate::source::{Source, Window};

/// All files, added up.
pub(crate) struct Files {
    name: String,
    figures: ClusterFigures,
}

impl Files {
    /// Reads files and folders. Also returns a problem for each file without figures.
    pub(crate) fn read(paths: &[PathBuf]) -> (Self, Vec<String>) {
        let mut histories = Vec::new();
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        for path in paths {
            match files(path) {
                Ok(files) => {
                    // A file named twice counts once.
                    for file in files.into_iter().filter(|file| seen.insert(identity(file))) {
                        match history(&file) {
                            Ok(history) => histories.push(history),
                            Err(problem) => problems.push(format!("{}: {problem}", file.display())),
                        }
                    }
                }
                Err(problem) => problems.push(format!("{}: {problem}", path.display())),
            }
        }
        let name = match paths {
            [one] => one.display().to_string(),
            several => format!("{} places", several.len()),
        };
        let figures = ClusterFigures::of_files(histories);
        (Self { name, figures }, problems)
    }

    pub(crate) fn has_figures(&self) -> bool {
        self.figures.ended_instances > 0 || !self.figures.instances.is_empty()
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let files = MetricsFile::paths(path).map_err(|error| error.to_string())?;
    match files.is_empty() {
        true => Err("no file of this folder ends in .metrics".to_owned()),
        false => Ok(files),
    }
}

fn identity(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.to_owned())
}

fn history(file: &Path) -> Result<History, String> {
    let read = History::open(file).map_err(|error| error.to_string())?;
    read.map_err(|unreadable| unreadable.to_string())
}

impl Source for Files {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&self, _: Window) -> Result<Value, String> {
        let mut json = self.figures.to_json();
        // A file does not tell whether its instance lives.
        for instance in json["instances"].as_array_mut().into_iter().flatten() {
            instance["is_live"] = Value::Null;
        }
        Ok(json)
    }

    fn detail(&self, function: &str, _: Window) -> Result<Detail, String> {
        Ok(Detail::of_instances(&self.figures, function))
    }
}
