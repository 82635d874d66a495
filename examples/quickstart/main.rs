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
mod request;
mod spread;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use std::{env, io};

use crate::analysis::{Analysis, analyse};
use crate::folder::Text;
use crate::output::{Report, Run};
use crate::request::Request;
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
