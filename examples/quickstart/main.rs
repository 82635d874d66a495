//! Analyses the text files of a folder, and caches the results.
//!
//! ```text
//! cargo run --release --bin quickstart [-- [--all] [--fresh] FOLDER]
//! ```
//!
//! Each file is analysed by a cached function on the file backend: the first run computes, later ones are served from
//! disk, except for changed files. A cached async function in memory finds the characteristic words of each file. At
//! the end both show their metrics.

mod analysis;
mod folder;
mod output;
mod spread;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, io};

use crate::analysis::{Analysis, analyse};
use crate::folder::Text;
use crate::spread::{Library, characteristic_words};

fn main() -> ExitCode {
    match Request::from_arguments(env::args_os().skip(1)) {
        Ok(request) => match run(&request) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => report_error(&error),
        },
        Err(error) => report_error(&error),
    }
}

/// The command line.
struct Request {
    folder: PathBuf,
    /// Whether to show every file, not only the longest ones.
    all: bool,
    /// Whether to clear the cache first.
    fresh: bool,
}

/// A file and its analysis.
struct Report {
    name: String,
    analysis: Analysis,
    characteristic: Vec<String>,
}

/// Facts about this run.
struct Run {
    /// Whether the cache was empty.
    is_first: bool,
    took: Duration,
}

fn run(request: &Request) -> Result<(), Box<dyn std::error::Error>> {
    if request.fresh {
        analyse::clear_cache()?;
    }
    let texts = folder::texts(&request.folder)?;
    if texts.is_empty() {
        return Err(format!("no text files in {}", request.folder.display()).into());
    }
    let known = analyse::usage().ok().and_then(|usage| usage.entries);
    let started = Instant::now();
    let analyses = texts.iter().map(|text| analyse(&text.content)).collect();
    let run = Run {
        is_first: known == Some(0),
        took: started.elapsed(),
    };
    // So that the cache's figures are current. If it cannot be used, it has none.
    let _ = analyse::usage();
    let reports = reports(texts, analyses)?;
    show(&output::everything(request, &reports, &run))?;
    Ok(())
}

fn reports(texts: Vec<Text>, analyses: Vec<Analysis>) -> io::Result<Vec<Report>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let library = Arc::new(Library::of(&analyses));
    let characteristic = runtime.block_on(characteristic_words(&library, &analyses));
    let files = texts.into_iter().zip(analyses).zip(characteristic);
    Ok(files
        .map(|((text, analysis), characteristic)| Report {
            name: text.name,
            analysis,
            characteristic,
        })
        .collect())
}

/// Prints; a reader that has seen enough (`| head`) is not a failure.
fn show(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn report_error(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("quickstart: {error}");
    ExitCode::FAILURE
}

impl Request {
    fn from_arguments(arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut request = Self {
            folder: PathBuf::from(THIS_REPOSITORY),
            all: false,
            fresh: false,
        };
        for argument in arguments {
            match argument.to_str() {
                Some("--all") => request.all = true,
                Some("--fresh") => request.fresh = true,
                Some(flag) if flag.starts_with('-') => {
                    return Err(format!("unknown option {flag}; {USAGE}"));
                }
                _ => request.folder = PathBuf::from(argument),
            }
        }
        Ok(request)
    }
}

const THIS_REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const USAGE: &str = "usage: quickstart [--all] [--fresh] [FOLDER]";
