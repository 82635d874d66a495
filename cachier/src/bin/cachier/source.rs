//! Where figures come from.

use std::time::Duration;

use serde_json::Value;

use crate::detail::Detail;
use crate::figures::Figures;

/// A place that figures are read from. Its operations block, for a bounded time.
///
/// Errors are short messages for users, without the source's name.
pub(crate) trait Source: Send + Sync {
    /// Short, for people.
    fn name(&self) -> &str;

    /// The counts of all functions in the window, as received.
    fn read(&self, window: Window) -> Result<Value, String>;

    /// All of one function: what it has counted since its start, and its recent past where that is known.
    fn detail(&self, function: &str, window: Window) -> Result<Detail, String>;

    /// How often the source has new figures.
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn figures(&self, window: Window) -> Result<Figures, String> {
        crate::figures::parse(&self.read(window)?)
    }
}

/// A span of time that ends now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Window {
    #[default]
    Minute,
    Hour,
    Day,
    /// Since each program began, for sources that know no other window.
    Start,
}

impl Window {
    pub(crate) fn parse(word: &str) -> Result<Self, &'static str> {
        let all = [Self::Minute, Self::Hour, Self::Day];
        let known = all.into_iter().find(|window| window.word() == word);
        known.ok_or("there are minute, hour or day")
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Start => "start",
        }
    }

    /// The word for calls in this window: their number or their rate.
    pub(crate) fn calls_word(self) -> &'static str {
        match self {
            Self::Start => "calls",
            _ => "calls/s",
        }
    }

    /// For people.
    pub(crate) fn phrase(self) -> String {
        match self {
            Self::Start => "since the start".to_owned(),
            _ => format!("last {}", self.word()),
        }
    }

    pub(crate) fn next(self) -> Self {
        match self {
            Self::Minute => Self::Hour,
            Self::Hour => Self::Day,
            Self::Day => Self::Minute,
            Self::Start => Self::Start,
        }
    }
}
