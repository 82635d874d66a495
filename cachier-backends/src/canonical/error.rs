//! Why there is no canonical serialization.

use std::fmt;

use serde::ser;

use crate::depth::TooDeep;

/// Why a value could not be serialized, in the words of its `Serialize` or for its depth.
#[derive(Debug)]
pub(super) struct SerializeError {
    message: String,
    /// In which element of the outermost sequence or tuple it is.
    element: Option<usize>,
}

impl SerializeError {
    /// In which element of the whole it is, where that is a sequence or tuple.
    pub(super) fn element(&self) -> Option<usize> {
        self.element
    }

    /// The same, seen from a sequence around.
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
