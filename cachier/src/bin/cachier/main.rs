#![doc = include_str!("MANUAL.md")]

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use arguments::{Command, Inputs, OutputFormat, Show};
use endpoint::Endpoint;
use files::Files;
use source::Source;
use store_address::StoreAddress;

mod arguments;
mod columns;
mod coverage;
mod detail;
mod endpoint;
mod figures;
mod files;
mod http;
mod instance_detail;
mod once;
mod poll;
mod rows;
mod screen;
mod source;
mod state;
#[cfg(feature = "persistent")]
mod store;
mod store_address;
mod terminal;
mod text;
mod tls;
mod view;
mod view_detail;

fn main() -> ExitCode {
    let said = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => print(arguments::HELP),
        Ok(Command::Version) => print(concat!("cachier ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::Show(show)) => return run(&show),
        Err(problem) => return fail(&problem),
    };
    said.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

fn run(show: &Show) -> ExitCode {
    let (sources, problems) = match sources(&show.inputs) {
        Ok(sources) => sources,
        Err(problem) => return fail(&problem),
    };
    let printed = match show.form {
        OutputFormat::Json => once::json(&sources, show.options.window),
        OutputFormat::Screen if can_draw() => {
            return match terminal::run(sources, show) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&format!("the terminal: {error}")),
            };
        }
        OutputFormat::Table | OutputFormat::Screen => once::table(&sources, &show.options, width()),
    };
    report(&printed.with(problems))
}

/// The sources, and the problems of those left out.
type Sources = (Vec<Box<dyn Source>>, Vec<String>);

fn sources(inputs: &Inputs) -> Result<Sources, String> {
    match inputs {
        Inputs::Endpoints(addresses, token_file) => {
            let token = token_file.as_deref().map(endpoint::token).transpose()?;
            let sources = addresses
                .iter()
                .map(|address| -> Result<Box<dyn Source>, String> {
                    Ok(Box::new(Endpoint::new(address, token.clone())?))
                });
            Ok((sources.collect::<Result<_, _>>()?, Vec::new()))
        }
        Inputs::Stores(stores, namespace) => {
            Ok((self::stores(stores, namespace.as_deref())?, Vec::new()))
        }
        Inputs::Files(paths) => {
            let (files, problems) = Files::read(paths);
            let mut sources: Vec<Box<dyn Source>> = Vec::new();
            if files.has_figures() {
                sources.push(Box::new(files));
            }
            Ok((sources, problems))
        }
    }
}

#[cfg(feature = "persistent")]
fn stores(
    addresses: &[StoreAddress],
    namespace: Option<&str>,
) -> Result<Vec<Box<dyn Source>>, String> {
    if let Some(namespace) = namespace {
        store::set_namespace(namespace);
    }
    let numbered = addresses.iter().enumerate();
    let opened = numbered.map(|(number, address)| -> Result<Box<dyn Source>, String> {
        Ok(Box::new(store::Store::open(number, address)?))
    });
    opened.collect()
}

#[cfg(not(feature = "persistent"))]
fn stores(addresses: &[StoreAddress], _: Option<&str>) -> Result<Vec<Box<dyn Source>>, String> {
    let missing = addresses.iter().map(|address| address.kind.missing());
    Err(missing.collect())
}

/// Whether there is a terminal to draw on.
fn can_draw() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    io::stdout().is_terminal() && io::stdin().is_terminal() && (!is_dumb || cfg!(windows))
}

/// The width of the terminal; a file or a pipe gets full lines.
fn width() -> usize {
    let size = ratatui::crossterm::terminal::size();
    match size {
        Ok((width, _)) if io::stdout().is_terminal() => width.into(),
        _ => usize::MAX,
    }
}

/// Prints what was read, and fails where a source did not answer.
fn report(read: &once::Read) -> ExitCode {
    let printed = print(&read.text);
    for problem in &read.problems {
        complain(problem);
    }
    match printed.is_ok() && read.problems.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Prints to standard output. A closed reader is a failure without a message.
fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout();
    output.write_all(text.as_bytes())?;
    output.flush()
}

fn fail(problem: &str) -> ExitCode {
    complain(problem);
    ExitCode::from(2)
}

fn complain(problem: &str) {
    // A closed standard error is no failure.
    let _ = writeln!(io::stderr(), "cachier: {problem}");
}
