//! The command line. Pure.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::Arg::{Long, Short, Value};
use lexopt::{Parser, ValueExt as _};

use crate::columns::Column;
use crate::source::Window;

pub(crate) const HELP: &str = "\
The figures of programs that use cachier.

Usage: cachier top [OPTIONS] ENDPOINT...

An endpoint is where a program serves its figures: http://127.0.0.1:9464, or with the path that its router is nested at.

Options:
  -w, --window WINDOW      counts of the last minute, hour or day (minute)
  -s, --sort COLUMN        function, backend, calls, hits, served, hit-time, computation, saved, entries, size, errors,
                           running or waiting (calls)
  -f, --filter TEXT        only functions whose names contain it
      --token-file FILE    the file with the token that the endpoints ask for
      --once               print a table, and end
      --json               print the figures as JSON, and end
  -h, --help
  -V, --version

On the screen: arrows and Enter to choose a function, Esc to go back, s and r to sort, / to filter, w for the window,
g for all instances as one, q to end. NO_COLOR=1 does without colours.
";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Top(Top),
    Help,
    Version,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Top {
    pub(crate) endpoints: Vec<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) form: Form,
    pub(crate) options: Options,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Screen,
    Table,
    Json,
}

/// What is shown, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) window: Window,
    pub(crate) sort: Column,
    pub(crate) filter: String,
}

/// Reads the arguments; an error says what to do instead.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = impl Into<OsString>>,
) -> Result<Command, String> {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    read(Parser::from_args(arguments)).map_err(|error| format!("{error}; see `cachier --help`"))
}

fn read(mut parser: Parser) -> Result<Command, lexopt::Error> {
    let mut top = Top {
        endpoints: Vec::new(),
        token_file: None,
        form: Form::Screen,
        options: Options::default(),
    };
    let mut is_top = false;
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Short('w') | Long("window") => {
                top.options.window = parser.value()?.parse_with(Window::parse)?;
            }
            Short('s') | Long("sort") => {
                top.options.sort = parser.value()?.parse_with(Column::parse)?;
            }
            Short('f') | Long("filter") => top.options.filter = parser.value()?.string()?,
            Long("token-file") => top.token_file = Some(parser.value()?.into()),
            Long("once") => top.form = Form::Table,
            Long("json") => top.form = Form::Json,
            Value(word) if is_top => top.endpoints.push(word.string()?),
            Value(word) if word == "top" => is_top = true,
            argument => return Err(argument.unexpected()),
        }
    }
    match (is_top, top.endpoints.is_empty()) {
        (false, _) => Err("there is the command `top`".into()),
        (true, true) => Err("`top` needs an endpoint, such as http://127.0.0.1:9464".into()),
        (true, false) => Ok(Command::Top(top)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn top(arguments: &[&str]) -> Top {
        match parse(arguments) {
            Ok(Command::Top(top)) => top,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_stand_before_and_after_endpoints() {
        let plain = top(&["top", "http://a"]);
        assert_eq!(
            (plain.form, plain.options),
            (Form::Screen, Options::default())
        );
        let long = "top --once a --token-file t b --window hour --sort=hits -f x";
        let all = top(&long.split(' ').collect::<Vec<_>>());
        assert_eq!(all.endpoints, ["a", "b"]);
        assert_eq!((all.token_file, all.form), (Some("t".into()), Form::Table));
        let options = Options {
            window: Window::Hour,
            sort: Column::Hits,
            filter: "x".to_owned(),
        };
        assert_eq!(all.options, options);
        assert_eq!(top(&["top", "a", "--json"]).form, Form::Json);
    }

    #[test]
    fn mistakes_are_told() {
        for (arguments, expected) in [
            ("", "the command `top`"),
            ("stop http://a", "stop"),
            ("top", "http://127.0.0.1:9464"),
            ("top a --window week", "minute, hour or day"),
            ("top a --sort luck", "hits"),
            ("top a --often", "--often"),
            ("top a --token-file", "--token-file"),
        ] {
            let words = arguments.split(' ').filter(|word| !word.is_empty());
            let error = parse(words).unwrap_err();
            assert!(
                error.contains(expected) && error.contains("--help"),
                "{error}"
            );
        }
        assert_eq!(parse(["-h"]), Ok(Command::Help));
        assert_eq!(parse(["top", "--version"]), Ok(Command::Version));
    }

    #[test]
    fn help_names_all_columns() {
        for column in Column::ALL {
            assert!(HELP.contains(column.word()), "{column:?}");
        }
    }
}
