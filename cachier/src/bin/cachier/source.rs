//! Where figures come from.

use serde_json::Value;

use crate::detail::Detail;
use crate::figures::Figures;

/// A place that figures are read from. Its operations block, for a bounded time.
///
/// What has gone wrong is said in a few words, for a person, without the source's name.
pub(crate) trait Source: Send + Sync {
    /// Short, for people.
    fn name(&self) -> &str;

    /// What all functions have counted in the window, as it was said.
    fn read(&self, window: Window) -> Result<Value, String>;

    /// All of one function: what it has counted since its start, and its recent past.
    fn read_function(&self, function: &str, window: Window) -> Result<Value, String>;

    fn figures(&self, window: Window) -> Result<Figures, String> {
        crate::figures::parse(&self.read(window)?)
    }

    fn detail(&self, function: &str, window: Window) -> Result<Detail, String> {
        Detail::parse(&self.read_function(function, window)?)
    }
}

/// A span of time that ends now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Window {
    #[default]
    Minute,
    Hour,
    Day,
}

impl Window {
    pub(crate) const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    pub(crate) fn parse(word: &str) -> Result<Self, &'static str> {
        let known = Self::ALL.into_iter().find(|window| window.word() == word);
        known.ok_or("there are minute, hour or day")
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    pub(crate) fn next(self) -> Self {
        match self {
            Self::Minute => Self::Hour,
            Self::Hour => Self::Day,
            Self::Day => Self::Minute,
        }
    }
}
