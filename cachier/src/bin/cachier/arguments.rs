//! The command line. Pure.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use lexopt::Arg::{Long, Short, Value};
use lexopt::{Parser, ValueExt as _};

use crate::columns::Column;
use crate::source::Window;
use crate::store_address::StoreAddress;

pub(crate) const HELP: &str = "\
The figures of programs that use cachier.

Usage: cachier top [OPTIONS] ENDPOINT...
       cachier top [OPTIONS] STORE...
       cachier stats [OPTIONS] FILE...

An endpoint is where a program serves its figures: http://127.0.0.1:9464, or with the path that its router is nested at.
A store is where instances publish them: redis://host, file:/folder, sqlite:/file.db, postgres://host/database,
mysql://host/database, mongodb://host/database or s3://bucket/prefix.
A file is one that a program keeps its figures in, also when it has ended, or a folder of them; all of them are added up.

Options:
  -w, --window WINDOW      counts of the last minute, hour or day (minute); those of stores and files are since the start
  -s, --sort COLUMN        function, backend, calls, hits, served, hit-time, computation, saved, entries, size, errors,
                           running or waiting (calls)
  -f, --filter TEXT        only functions whose names contain it
      --token-file FILE    the file with the token that the endpoints ask for
      --namespace NAME     the namespace of the instances that publish in the stores (CACHIER_NAMESPACE, else default)
      --once               print a table, and end
      --json               print the figures as JSON, and end
  -h, --help
  -V, --version

On the screen: arrows and Enter to choose a function, Esc to go back, s and r to sort, / to filter, w for the window,
g for all instances as one, q to end. NO_COLOR=1 does without colours.
";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Show(Show),
    Help,
    Version,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Show {
    pub(crate) inputs: Inputs,
    pub(crate) form: OutputFormat,
    pub(crate) options: Options,
}

/// Where figures are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inputs {
    /// Addresses of endpoints, and the file with their token.
    Endpoints(Vec<String>, Option<PathBuf>),
    /// Stores, and the namespace in them.
    Stores(Vec<StoreAddress>, Option<String>),
    /// Files and folders.
    Files(Vec<PathBuf>),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    #[default]
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
    let mut words = Words::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Short('w') | Long("window") => {
                words.window = Some(parser.value()?.parse_with(Window::parse)?);
            }
            Short('s') | Long("sort") => words.sort = parser.value()?.parse_with(Column::parse)?,
            Short('f') | Long("filter") => words.filter = parser.value()?.string()?,
            Long("token-file") => words.token_file = Some(parser.value()?.into()),
            Long("namespace") => words.namespace = Some(parser.value()?.string()?),
            Long("once") => words.form = OutputFormat::Table,
            Long("json") => words.form = OutputFormat::Json,
            Value(word) if words.command.is_some() => words.inputs.push(word),
            Value(word) if word == "top" || word == "stats" => words.command = Some(word),
            argument => return Err(argument.unexpected()),
        }
    }
    match words.command.as_deref().and_then(OsStr::to_str) {
        Some("top") => words.top(),
        Some(_) => words.stats(),
        None => Err("there are the commands `top` and `stats`".into()),
    }
}

/// The words of any command, as written.
#[derive(Default)]
struct Words {
    command: Option<OsString>,
    inputs: Vec<OsString>,
    token_file: Option<PathBuf>,
    namespace: Option<String>,
    form: OutputFormat,
    window: Option<Window>,
    sort: Column,
    filter: String,
}

impl Words {
    fn top(mut self) -> Result<Command, lexopt::Error> {
        let inputs = std::mem::take(&mut self.inputs).into_iter();
        let inputs: Vec<String> = inputs
            .map(|input| input.string())
            .collect::<Result<_, _>>()?;
        if inputs.is_empty() {
            return Err(
                "`top` needs an endpoint, such as http://127.0.0.1:9464, or a store".into(),
            );
        }
        let stores = inputs.iter().filter_map(|input| StoreAddress::parse(input));
        let stores: Vec<_> = stores.collect();
        if stores.is_empty() {
            self.refuse(&[("--namespace", self.namespace.is_some())], "stores")?;
            let window = self.window.unwrap_or_default();
            let token_file = self.token_file.take();
            return Ok(self.show(Inputs::Endpoints(inputs, token_file), window));
        }
        if stores.len() < inputs.len() {
            return Err(
                "endpoints tell of a window, and stores of all since the start: one kind at a time"
                    .into(),
            );
        }
        self.refuse(&self.for_endpoints(), "endpoints")?;
        let namespace = self.namespace.take();
        Ok(self.show(Inputs::Stores(stores, namespace), Window::Start))
    }

    fn stats(mut self) -> Result<Command, lexopt::Error> {
        if self.inputs.is_empty() {
            return Err(
                "`stats` needs a file, or a folder of files, that a program keeps its figures in"
                    .into(),
            );
        }
        self.refuse(&self.for_endpoints(), "endpoints")?;
        self.refuse(&[("--namespace", self.namespace.is_some())], "stores")?;
        if self.form == OutputFormat::Screen {
            self.form = OutputFormat::Table;
        }
        let files = std::mem::take(&mut self.inputs).into_iter();
        let files = files.map(PathBuf::from).collect();
        Ok(self.show(Inputs::Files(files), Window::Start))
    }

    fn for_endpoints(&self) -> [(&'static str, bool); 2] {
        [
            ("--window", self.window.is_some()),
            ("--token-file", self.token_file.is_some()),
        ]
    }

    /// Options that would do nothing.
    fn refuse(&self, options: &[(&str, bool)], kind: &str) -> Result<(), lexopt::Error> {
        match options.iter().find(|(_, is_written)| *is_written) {
            Some((option, _)) => Err(format!("`{option}` is for {kind}").into()),
            None => Ok(()),
        }
    }

    fn show(self, inputs: Inputs, window: Window) -> Command {
        Command::Show(Show {
            inputs,
            form: self.form,
            options: Options {
                window,
                sort: self.sort,
                filter: self.filter,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(line: &str) -> Show {
        match parse(line.split(' ')) {
            Ok(Command::Show(show)) => show,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_stand_before_and_after_endpoints() {
        let plain = shown("top http://a");
        assert_eq!(
            (plain.form, plain.options),
            (OutputFormat::Screen, Options::default())
        );
        let all = shown("top --once a --token-file t b --window hour --sort=hits -f x");
        let endpoints = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(all.inputs, Inputs::Endpoints(endpoints, Some("t".into())));
        let options = Options {
            window: Window::Hour,
            sort: Column::Hits,
            filter: "x".to_owned(),
        };
        assert_eq!((all.form, all.options), (OutputFormat::Table, options));
        assert_eq!(shown("top a --json").form, OutputFormat::Json);
    }

    #[test]
    fn stores_and_files_count_since_the_start() {
        let show = shown("top redis://a --namespace shop");
        let Inputs::Stores(stores, namespace) = show.inputs else {
            panic!("{:?}", show.inputs);
        };
        assert_eq!((stores.len(), namespace.as_deref()), (1, Some("shop")));
        assert_eq!(show.options.window, Window::Start);
        let show = shown("stats a b");
        assert_eq!(show.inputs, Inputs::Files(vec!["a".into(), "b".into()]));
        assert_eq!(
            (show.form, show.options.window),
            (OutputFormat::Table, Window::Start)
        );
        assert_eq!(shown("stats a --json").form, OutputFormat::Json);
    }

    #[test]
    fn mistakes_are_told() {
        for (arguments, expected) in [
            ("", "the commands `top` and `stats`"),
            ("stop http://a", "stop"),
            ("top", "http://127.0.0.1:9464"),
            ("stats", "a file"),
            ("top a --window week", "minute, hour or day"),
            ("top a --sort luck", "hits"),
            ("top a --often", "--often"),
            ("top a --token-file", "--token-file"),
            ("top a redis://b", "one kind at a time"),
            ("top redis://b --window hour", "`--window` is for endpoints"),
            ("stats a --token-file t", "`--token-file` is for endpoints"),
            ("top a --namespace n", "`--namespace` is for stores"),
            ("stats a --namespace n", "`--namespace` is for stores"),
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
