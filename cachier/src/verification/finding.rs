//! The findings of a check, and their messages.

use cachier_backends::{Error, ErrorKind, Operation};

/// A finding of a check.
#[derive(Debug)]
pub enum Finding {
    /// Unequal arguments have one key.
    KeyCollision,
    /// The same for a key known to collide.
    KnownKeyCollision,
    /// A value comes back as another one.
    Altered,
    /// A value does not come back.
    Lost(Error),
}

impl Finding {
    /// The finding as an error.
    pub(crate) fn into_error(self) -> Error {
        let error = |operation, message: &'static str| {
            Error::new(ErrorKind::Unfaithful, operation, message)
        };
        match self {
            Self::KeyCollision | Self::KnownKeyCollision => error(
                Operation::Load,
                "arguments that are not equal have one key, so no call with them is cached",
            )
            .with_hint(
                "serde shows no difference between them (a skipped field, an untagged variant, a redacted text): write \
                 `key = |..| ..` with what tells them apart, or `verify = false` if they are to share a value",
            ),
            Self::Altered => error(
                Operation::Store,
                "a value comes back from its stored form as another one, so it is not stored",
            )
            .with_hint(
                "serde loses something of it (a skipped field, an untagged variant): mend how it is serialized, or write \
                 `verify = false` if that does not matter",
            ),
            Self::Lost(source) => error(
                Operation::Store,
                "a value does not come back from its stored form, so it is not stored",
            )
            .with_source(source)
            .with_hint("mend how its type is deserialized, or return another type"),
        }
    }
}
