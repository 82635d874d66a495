#![doc = include_str!("MANUAL.md")]

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use arguments::{Command, Form, Top};
use endpoint::Endpoint;
use source::Source;

mod arguments;
mod columns;
mod detail;
mod endpoint;
mod figures;
mod http;
mod once;
mod poll;
mod rows;
mod source;
mod state;
mod terminal;
mod text;
mod tls;
mod view;

fn main() -> ExitCode {
    let said = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => print(arguments::HELP),
        Ok(Command::Version) => print(concat!("cachier ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::Top(top)) => return run(&top),
        Err(problem) => return fail(&problem),
    };
    said.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

fn run(top: &Top) -> ExitCode {
    let sources = match sources(top) {
        Ok(sources) => sources,
        Err(problem) => return fail(&problem),
    };
    match top.form {
        Form::Json => report(&once::json(&sources, top.options.window)),
        Form::Table => report(&once::table(&sources, &top.options, width())),
        Form::Screen if !can_draw() => report(&once::table(&sources, &top.options, width())),
        Form::Screen => match terminal::run(sources, top) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("the terminal: {error}")),
        },
    }
}

fn sources(top: &Top) -> Result<Vec<Box<dyn Source>>, String> {
    let token = top.token_file.as_deref().map(endpoint::token).transpose()?;
    let endpoints = top.endpoints.iter();
    let sources = endpoints.map(|address| -> Result<Box<dyn Source>, String> {
        Ok(Box::new(Endpoint::new(address, token.clone())?))
    });
    sources.collect()
}

/// Whether there is a terminal on which one can draw.
fn can_draw() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    io::stdout().is_terminal() && io::stdin().is_terminal() && (!is_dumb || cfg!(windows))
}

/// Of the terminal; all that there is to say goes into a file or a pipe.
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

/// A reader that goes away is no failure to tell of.
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
    // Nobody to tell is no failure.
    let _ = writeln!(io::stderr(), "cachier: {problem}");
}
