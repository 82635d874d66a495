//! Environment variables, each parsed once per process. They are defaults: code outranks them.
//!
//! An unusable value is an error of the calls that need it and of [`check`](crate::check). An empty one counts as unset, except
//! for a secret, which nobody empties on purpose.

use std::env;
use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::path::PathBuf;

#[cfg(feature = "persistent")]
use cachier_backends::KeySecret;
use cachier_backends::{Error, ErrorKind, Operation, home};

use crate::switches::Switches;
use once_cell::race::OnceBox;

/// The persistent backend of functions that name none.
pub(crate) static BACKEND: Variable<Name> = Variable::new("CACHIER_BACKEND");
/// Folder of the file backend, and of the SQLite file of the SQL backend.
pub(crate) static CACHE_DIR: Variable<PathBuf> = Variable::new("CACHIER_CACHE_DIR");
/// Access to a named cache folder: its user's or its group's.
pub(crate) static CACHE_MODE: Variable<CacheMode> = Variable::new("CACHIER_CACHE_MODE");
/// Part of every stored key.
pub(crate) static NAMESPACE: Variable<Name> = Variable::new("CACHIER_NAMESPACE");
/// Where the stores are.
pub(crate) static REDIS_URL: Variable<Address> = Variable::new("CACHIER_REDIS_URL");
pub(crate) static SQL_URL: Variable<Address> = Variable::new("CACHIER_SQL_URL");
pub(crate) static MONGO_URL: Variable<Address> = Variable::new("CACHIER_MONGO_URL");
pub(crate) static S3_BUCKET: Variable<Name> = Variable::new("CACHIER_S3_BUCKET");
#[cfg(feature = "s3")]
pub(crate) static S3_PREFIX: Variable<Name> = Variable::new("CACHIER_S3_PREFIX");
#[cfg(feature = "s3")]
pub(crate) static S3_ENDPOINT: Variable<Address> = Variable::new("CACHIER_S3_ENDPOINT");

/// Folder of figures that are kept over restarts.
pub(crate) static METRICS_DIR: Variable<PathBuf> = Variable::new("CACHIER_METRICS_DIR");

/// Which functions are switched off.
static DISABLED: Variable<Switches> = Variable::new("CACHIER_DISABLED");
/// Keys the hash of arguments against guessing.
#[cfg(feature = "persistent")]
static KEY_SECRET: Variable<KeySecret> = Variable::new("CACHIER_KEY_SECRET");
/// Threads of each pool for background work.
static MAX_WORKERS: Variable<NonZeroUsize> = Variable::new("CACHIER_MAX_WORKERS");
/// Silences standard error.
static QUIET: Variable<Flag> = Variable::new("CACHIER_QUIET");
/// Makes a missing address an error instead of assuming the usual local one.
static STRICT: Variable<Flag> = Variable::new("CACHIER_STRICT");

/// All variables, and what each concerns.
const VARIABLES: &[(&(dyn Parsed + Sync), Concern)] = &[
    (&DISABLED, Concern::EveryFunction),
    #[cfg(feature = "persistent")]
    (&KEY_SECRET, Concern::EveryFunction),
    (&MAX_WORKERS, Concern::EveryFunction),
    (&QUIET, Concern::EveryFunction),
    (&STRICT, Concern::EveryFunction),
    (&NAMESPACE, Concern::Namespace),
    (&BACKEND, Concern::DefaultBackend),
    (&CACHE_DIR, Concern::CacheDir),
    (&CACHE_MODE, Concern::Folders),
    (&REDIS_URL, Concern::Backend("redis")),
    (&SQL_URL, Concern::Backend("sql")),
    (&MONGO_URL, Concern::Backend("mongo")),
    (&S3_BUCKET, Concern::Backend("s3")),
    #[cfg(feature = "s3")]
    (&S3_PREFIX, Concern::Backend("s3")),
    #[cfg(feature = "s3")]
    (&S3_ENDPOINT, Concern::Backend("s3")),
    (&METRICS_DIR, Concern::MetricsDir),
    #[cfg(feature = "prometheus")]
    (&MetricsAddress, Concern::Exporter),
];

/// The functions that a variable affects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concern {
    EveryFunction,
    /// Keys, unless the program sets a namespace.
    Namespace,
    /// Functions without a backend, unless the program chooses one.
    DefaultBackend,
    /// Files, unless the program names a folder.
    CacheDir,
    /// Everything in folders.
    Folders,
    /// The built-in backend of this name, unless the program registers one.
    Backend(&'static str),
    /// Figures over restarts, unless the program names a folder.
    MetricsDir,
    /// The exporter, unless the program gives it an address.
    #[cfg(feature = "prometheus")]
    Exporter,
}

/// A variable that cannot be used.
pub(crate) struct Unusable {
    pub(crate) variable: &'static str,
    pub(crate) concern: Concern,
    pub(crate) error: Error,
}

/// The variables that cannot be used, of those whose concern is meant.
pub(crate) fn unusable(is_meant: impl Fn(Concern) -> bool) -> impl Iterator<Item = Unusable> {
    let meant = VARIABLES
        .iter()
        .filter(move |(_, concern)| is_meant(*concern));
    meant.filter_map(|(variable, concern)| {
        Some(Unusable {
            variable: variable.name(),
            concern: *concern,
            error: variable.error()?,
        })
    })
}

/// Fails if a variable that concerns every function is unusable; the namespace counts unless the program sets one.
pub(crate) fn is_usable(namespace: Option<&str>) -> Result<(), Error> {
    let concerns_all = |concern| match concern {
        Concern::EveryFunction => true,
        Concern::Namespace => namespace.is_none(),
        _ => false,
    };
    unusable(concerns_all)
        .next()
        .map_or(Ok(()), |unusable| Err(unusable.error))
}

/// The initial switches.
pub(crate) fn switches() -> Switches {
    usable(&DISABLED).cloned().unwrap_or_default()
}

#[cfg(feature = "persistent")]
pub(crate) fn key_secret() -> Option<&'static KeySecret> {
    usable(&KEY_SECRET)
}

pub(crate) fn max_workers() -> usize {
    /// Unless it is set.
    const MAX_WORKERS_BY_DEFAULT: usize = 8;
    usable(&MAX_WORKERS).map_or(MAX_WORKERS_BY_DEFAULT, |workers| workers.get())
}

pub(crate) fn is_quiet() -> bool {
    usable(&QUIET) == Some(&Flag::On)
}

#[cfg(any(feature = "redis", feature = "sqlite", feature = "mongo"))]
pub(crate) fn is_strict() -> bool {
    usable(&STRICT) == Some(&Flag::On)
}

/// The value, if it is usable.
fn usable<T: Value>(variable: &'static Variable<T>) -> Option<&'static T> {
    variable.get().ok().flatten()
}

/// A variable, parsed on first use.
pub(crate) struct Variable<T> {
    pub(crate) name: &'static str,
    parsed: OnceBox<Result<Option<T>, Error>>,
}

/// A variable of any kind.
trait Parsed {
    fn name(&self) -> &'static str;
    fn error(&self) -> Option<Error>;
}

impl<T: Value> Variable<T> {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            parsed: OnceBox::new(),
        }
    }

    /// `None` where it is not set.
    ///
    /// # Errors
    /// When it is set to what it cannot mean.
    pub(crate) fn get(&self) -> Result<Option<&T>, Error> {
        let parsed = self
            .parsed
            .get_or_init(|| Box::new(self.parse(env::var_os(self.name))));
        parsed.as_ref().map(Option::as_ref).map_err(Error::clone)
    }

    /// Whether it is set, usable or not.
    pub(crate) fn is_set(&self) -> bool {
        !matches!(self.get(), Ok(None))
    }

    fn parse(&self, value: Option<OsString>) -> Result<Option<T>, Error> {
        let Some(value) = value else {
            return Ok(None);
        };
        match (value.is_empty(), T::EMPTY) {
            (true, Empty::Unset) => Ok(None),
            (true, Empty::Unusable) => Err(cannot_be_used(self.name, T::EXPECTED)),
            (false, _) => T::parse(&value)
                .map(Some)
                .ok_or_else(|| cannot_be_used(self.name, T::EXPECTED)),
        }
    }
}

/// Without the value, which may be a credential.
fn cannot_be_used(variable: &str, expected: &str) -> Error {
    let message = format!("the environment variable {variable} cannot be used");
    Error::new(ErrorKind::NotRegistered, Operation::Load, message)
        .with_hint(format!("set it to {expected}, or unset it"))
}

impl<T: Value> Parsed for Variable<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn error(&self) -> Option<Error> {
        self.get().err()
    }
}

/// The address of the endpoint for Prometheus, parsed by its exporter.
#[cfg(feature = "prometheus")]
struct MetricsAddress;

#[cfg(feature = "prometheus")]
impl Parsed for MetricsAddress {
    fn name(&self) -> &'static str {
        "CACHIER_METRICS_ADDR"
    }

    fn error(&self) -> Option<Error> {
        let is_unusable = cachier_metrics::check_metrics_address().is_err();
        is_unusable.then(|| cannot_be_used(self.name(), "`host:port`"))
    }
}

/// A kind of value.
pub(crate) trait Value: Sized {
    /// The accepted values, for messages.
    const EXPECTED: &'static str;
    const EMPTY: Empty = Empty::Unset;

    /// `None` if it cannot be parsed. Never called with an empty value.
    fn parse(value: &OsStr) -> Option<Self>;
}

/// The meaning of an empty value.
#[derive(Clone, Copy)]
pub(crate) enum Empty {
    Unset,
    Unusable,
}

/// A flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    On,
    Off,
}

impl Flag {
    fn of(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Some(Self::On),
            "0" | "false" | "no" | "off" => Some(Self::Off),
            _ => None,
        }
    }
}

impl Value for Flag {
    const EXPECTED: &'static str = "`1` or `0`";

    fn parse(value: &OsStr) -> Option<Self> {
        Self::of(value.to_str()?)
    }
}

impl Value for NonZeroUsize {
    const EXPECTED: &'static str = "a positive number";

    fn parse(value: &OsStr) -> Option<Self> {
        value.to_str()?.trim().parse().ok()
    }
}

/// A name.
#[derive(Debug)]
pub(crate) struct Name(String);

impl Value for Name {
    const EXPECTED: &'static str = "a name in Unicode";

    fn parse(value: &OsStr) -> Option<Self> {
        Some(Self(value.to_str()?.to_owned()))
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// A URL, perhaps with a credential. The client decides which ones it understands.
pub(crate) struct Address(String);

impl Value for Address {
    const EXPECTED: &'static str = "a URL, as `scheme:rest`";

    fn parse(value: &OsStr) -> Option<Self> {
        let address = value.to_str()?.trim();
        let (scheme, rest) = address.split_once(':')?;
        let is_of_scheme = |letter: char| letter.is_ascii_alphanumeric() || "+-.".contains(letter);
        let is_url = !scheme.is_empty() && scheme.chars().all(is_of_scheme) && !rest.is_empty();
        is_url.then(|| Self(address.to_owned()))
    }
}

impl Deref for Address {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Value for PathBuf {
    const EXPECTED: &'static str = "a path; one that begins with `~/` is for users with a home";

    fn parse(value: &OsStr) -> Option<Self> {
        home::expand(value.as_ref()).ok()
    }
}

/// The users who may read and write a cache folder, given as the mode of its folders or files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) enum CacheMode {
    /// This user alone.
    #[default]
    User,
    /// The users of its group.
    Group,
}

impl Value for CacheMode {
    const EXPECTED: &'static str = "`0770`, which shares the folder with its group, or `0700`";

    fn parse(value: &OsStr) -> Option<Self> {
        /// cachier sets it by itself.
        const SET_GROUP: u32 = 0o2000;
        let mode = u32::from_str_radix(value.to_str()?.trim(), 8).ok()?;
        match mode & !SET_GROUP {
            0o700 | 0o600 => Some(Self::User),
            0o770 | 0o660 => Some(Self::Group),
            _ => None,
        }
    }
}

#[cfg(feature = "persistent")]
impl Value for KeySecret {
    const EXPECTED: &'static str = "the secret, which is not empty";
    const EMPTY: Empty = Empty::Unusable;

    /// Any bytes.
    fn parse(value: &OsStr) -> Option<Self> {
        Some(Self::new(value.as_encoded_bytes()))
    }
}

impl Value for Switches {
    const EXPECTED: &'static str =
        "`1`, `0`, or patterns of function names with commas between them";

    fn parse(value: &OsStr) -> Option<Self> {
        let mut switches = Self::default();
        for part in value.to_str()?.split(',').map(str::trim) {
            match (part, Flag::of(part)) {
                ("", _) | (_, Some(Flag::Off)) => {}
                ("*", _) | (_, Some(Flag::On)) => switches.disable_all(),
                (pattern, None) if is_of_names(pattern) => switches.disable(pattern),
                _ => return None,
            }
        }
        Some(switches)
    }
}

/// Whether a pattern may be of names of functions, and is no number.
fn is_of_names(pattern: &str) -> bool {
    pattern.contains(|letter: char| letter.is_alphabetic() || letter == '*')
}

#[cfg(test)]
#[path = "environment_tests.rs"]
mod tests;
