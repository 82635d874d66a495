//! Failures of canonical serialization.

use std::fmt;

use serde::ser;

use crate::depth::TooDeep;

/// Why a value could not be serialized: its `Serialize` failed, or it is nested too deep.
#[derive(Debug)]
pub(super) struct SerializeError {
    message: String,
    /// The index in the outermost sequence or tuple.
    element: Option<usize>,
}

impl SerializeError {
    /// The index of the failing element, if the value is a sequence or tuple.
    pub(super) fn element(&self) -> Option<usize> {
        self.element
    }

    /// The same error, in an element of a sequence.
    pub(super) fn inside(self, element: usize) -> Self {
        let element = Some(element);
        Self { element, ..self }
    }
}

impl ser::Error for SerializeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            message: message.to_string(),
            element: None,
        }
    }
}

impl From<TooDeep> for SerializeError {
    fn from(too_deep: TooDeep) -> Self {
        ser::Error::custom(too_deep)
    }
}

impl fmt::Display for SerializeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SerializeError {}
