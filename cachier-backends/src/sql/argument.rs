//! Statement arguments.

use std::sync::Arc;

use crate::key::Scope;

/// The value of a placeholder.
#[derive(Clone)]
pub(super) enum Argument {
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
    Number(Option<i64>),
}

impl Argument {
    pub(super) fn of_scope(scope: &Scope) -> Self {
        Self::Text(Arc::clone(scope.path()))
    }

    pub(super) fn bytes(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}
