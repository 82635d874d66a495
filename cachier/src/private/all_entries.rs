//! The companion's operations on all entries of a function.

#![cfg_attr(
    not(feature = "persistent"),
    allow(
        unused_variables,
        reason = "of what was not called, memory has nothing"
    )
)]

use std::path::PathBuf;

use cachier_backends::{Error, Usage};

use super::erased_site::ErasedSite;
use super::instance::StoreKind;
use super::site::Site;
use crate::call::CallMode;
use crate::context;
use crate::folder::Folder;
use crate::function::Function;
use crate::options::BackendName;
use crate::registered::RegisteredFunction;
#[cfg(feature = "persistent")]
use crate::session::Session;
#[cfg(feature = "persistent")]
use crate::storage::{Store, persistent::Persistent};

/// The marker of a generic free function's companion, in place of type arguments.
const ANY_TYPES: &str = "<_>";

/// Whether the annotated function is an `async fn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsAsync {
    No,
    Yes,
}

impl From<IsAsync> for CallMode {
    fn from(is_async: IsAsync) -> Self {
        match is_async {
            IsAsync::No => Self::Sync,
            IsAsync::Yes => Self::Async,
        }
    }
}

impl<S: StoreKind> Site<S> {
    /// Forgets all entries.
    pub async fn clear(&'static self, mode: IsAsync) -> Result<Option<u64>, Error> {
        self.instance().erased().clear(mode.into()).await
    }

    /// Drops all leases.
    pub async fn clear_leases(&'static self, mode: IsAsync) -> Result<(), Error> {
        self.instance().erased().clear_leases(mode.into()).await
    }

    /// Entries and bytes held.
    pub async fn usage(&'static self, mode: IsAsync) -> Result<Usage, Error> {
        self.instance().erased().usage(mode.into()).await
    }

    /// The folder of the file backend.
    pub fn cache_dir(&'static self) -> PathBuf {
        cache_dir(&self.instance().core.function)
    }
}

impl ErasedSite {
    /// Forgets all entries of the instantiations that this process has called; how many, if each can tell and there may be
    /// no others.
    pub async fn clear(
        &'static self,
        marker: &'static str,
        mode: IsAsync,
    ) -> Result<Option<u64>, Error> {
        let mut sum = self.uncalled_count(marker);
        let mut failed = None;
        let functions = self.instantiations();
        // At once, as waiting for the stores may take long, or end.
        functions.iter().for_each(|function| function.clear_near());
        for function in functions {
            match function.clear(mode.into()).await {
                Ok(cleared) => sum = add(sum, cleared),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let uncalled = self.clear_uncalled(marker, mode.into()).await?;
        Ok(add(sum, uncalled))
    }

    /// Drops all leases of all instantiations.
    pub async fn clear_leases(
        &'static self,
        marker: &'static str,
        mode: IsAsync,
    ) -> Result<(), Error> {
        let mut done = Ok(());
        for function in self.instantiations() {
            // Each one's flights end even if a store is not reached.
            done = done.and(function.clear_leases(mode.into()).await);
        }
        done?;
        self.clear_leases_uncalled(marker, mode.into()).await
    }

    /// Entries and bytes held by all instantiations together, unless some may exist that this process has not called.
    pub async fn usage(&'static self, marker: &'static str, mode: IsAsync) -> Result<Usage, Error> {
        let (mut entries, mut bytes) = (self.uncalled_count(marker), self.uncalled_count(marker));
        let mut count = |usage: Usage| {
            entries = add(entries, usage.entries);
            bytes = add(bytes, usage.bytes);
        };
        for function in self.instantiations() {
            count(function.usage(mode.into()).await?);
        }
        count(self.usage_uncalled(marker, mode.into()).await?);
        Ok(Usage::new(entries, bytes))
    }

    /// The folder of the file backend.
    pub fn cache_dir(&'static self, marker: &'static str) -> PathBuf {
        cache_dir(&self.detached(marker))
    }

    /// Forgets the entries of the marker's function, if this process has not called it.
    pub(super) async fn clear_uncalled(
        &'static self,
        marker: &'static str,
        mode: CallMode,
    ) -> Result<Option<u64>, Error> {
        match self.never_called(marker)? {
            #[cfg(feature = "persistent")]
            Some(function) => {
                let session = Session::for_companion(&function, mode);
                let cleared = Persistent::open().clear(&session).await;
                // A first call meanwhile may have loaded an entry before the store was cleared, and keep it near.
                let mut called = self.instantiations().into_iter();
                match called.find(|known| known.storage_name() == function.storage_name) {
                    Some(called) => {
                        let again = called.clear(mode).await;
                        Ok(add(cleared?, again?))
                    }
                    None => cleared,
                }
            }
            _ => Ok(self.count_of_none(marker)),
        }
    }

    /// Drops the leases of the marker's function, if this process has not called it.
    pub(super) async fn clear_leases_uncalled(
        &'static self,
        marker: &'static str,
        mode: CallMode,
    ) -> Result<(), Error> {
        match self.never_called(marker)? {
            #[cfg(feature = "persistent")]
            Some(function) => {
                let session = Session::for_companion(&function, mode);
                Persistent::open().clear_leases(&session).await
            }
            _ => Ok(()),
        }
    }

    /// Entries and bytes of the marker's function, if this process has not called it.
    pub(super) async fn usage_uncalled(
        &'static self,
        marker: &'static str,
        mode: CallMode,
    ) -> Result<Usage, Error> {
        match self.never_called(marker)? {
            #[cfg(feature = "persistent")]
            Some(function) => {
                let session = Session::for_companion(&function, mode);
                Persistent::open().usage(&session).await
            }
            _ => {
                let count = self.count_of_none(marker);
                Ok(Usage::new(count, count))
            }
        }
    }

    /// The entries besides those of called instantiations, where the marker adds none.
    fn count_of_none(&self, marker: &'static str) -> Option<u64> {
        match marker == ANY_TYPES {
            true => self.uncalled_count(marker),
            false => Some(0),
        }
    }

    /// The entries of uncalled instantiations: zero, or unknown. Stores know names of functions, not which are
    /// instantiations of one.
    fn uncalled_count(&self, marker: &'static str) -> Option<u64> {
        let spec = self.spec(marker);
        let is_generic = spec.identity != spec.path;
        let is_in_memory = spec.options.backend == BackendName::Memory;
        (is_in_memory || !is_generic).then_some(0)
    }

    /// The marker's function, if it is persistent, so that its entries may outlive processes, and this one has not called it.
    /// Fails if another function has its name.
    fn never_called(&'static self, marker: &'static str) -> Result<Option<Function>, Error> {
        if marker == ANY_TYPES {
            return Ok(None);
        }
        let function = self.detached(marker);
        if !function
            .context
            .registry
            .functions()
            .contains_key(&function.storage_name)
        {
            let is_persistent = function.options.backend != BackendName::Memory;
            return Ok(is_persistent.then_some(function));
        }
        let mut called = self.instantiations().into_iter();
        match called.any(|known| known.storage_name() == function.storage_name) {
            true => Ok(None),
            false => Err(function.mark_duplicate().clone()),
        }
    }

    fn detached(&'static self, marker: &'static str) -> Function {
        Function::new(self.spec(marker), context::current(), None)
    }
}

/// The sum, if both are known.
fn add(sum: Option<u64>, more: Option<u64>) -> Option<u64> {
    Some(sum?.saturating_add(more?))
}

fn cache_dir(function: &Function) -> PathBuf {
    Folder::cache_dir(&function.policy(), function.package)
}
