//! The store and the truth that all functions and operations of a process share.

use std::sync::OnceLock;

use crate::store::Store;
use crate::truth::Truth;

static TRUTH: OnceLock<Truth> = OnceLock::new();
static STORE: OnceLock<Store> = OnceLock::new();

/// Sets both, once, before the first operation.
pub(crate) fn share(store: Store, truth: Truth) {
    let is_first = TRUTH.set(truth).is_ok() && STORE.set(store).is_ok();
    assert!(is_first, "it is shared once");
}

pub(crate) fn truth() -> &'static Truth {
    TRUTH.get().expect("the truth comes first")
}

pub(crate) fn store() -> Store {
    *STORE.get().expect("the store comes first")
}
