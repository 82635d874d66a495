//! The cached functions that have been called, and the switches.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cachier_backends::process::{PerProcess, copied};

use crate::handle::Place;
use crate::options::BackendName;
use crate::registered::RegisteredFunction;
use crate::switches::Switches;

/// Cached functions by their names in storage.
pub(crate) struct Registry {
    functions: PerProcess<Mutex<BTreeMap<String, &'static dyn RegisteredFunction>>>,
    /// Functions that are out of service, because another has their name in storage.
    duplicates: PerProcess<Mutex<Vec<&'static dyn RegisteredFunction>>>,
    switches: PerProcess<Mutex<Switches>>,
    /// Where functions keep their values that need not have been called.
    expected: PerProcess<Mutex<Vec<Place>>>,
}

/// Another function has this name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DuplicateName;

impl Registry {
    pub(crate) fn new(switches: Switches) -> Self {
        Self {
            functions: PerProcess::new(copied),
            duplicates: PerProcess::new(copied),
            switches: PerProcess::with(Mutex::new(switches), copied),
            expected: PerProcess::new(copied),
        }
    }

    /// Registers the function by its name in storage, unless another has that name.
    pub(crate) fn register(
        &self,
        function: &'static dyn RegisteredFunction,
    ) -> Result<(), DuplicateName> {
        let mut functions = self.functions();
        function.apply_switches(&self.switches());
        // The parameters may have changed since the function read them.
        function.update_params();
        if functions.contains_key(function.storage_name()) {
            self.duplicates().push(function);
            return Err(DuplicateName);
        }
        functions.insert(function.storage_name().to_owned(), function);
        Ok(())
    }

    /// Applies changed parameters to every function.
    pub(crate) fn update_params(&self) {
        for function in self.functions().values() {
            function.update_params();
        }
    }

    /// Clears the near tiers of all functions.
    pub(crate) fn clear_near(&self) {
        // Not under the lock: dropping values runs the user's code.
        let functions: Vec<_> = self.functions().values().copied().collect();
        for function in functions {
            function.clear_near();
        }
    }

    /// Changes the switches and applies them to every function.
    pub(crate) fn switch(&self, change: impl FnOnce(&mut Switches)) {
        let functions = self.functions();
        let mut switches = self.switches();
        change(&mut switches);
        for function in functions.values() {
            function.apply_switches(&switches);
        }
    }

    pub(crate) fn is_caching_enabled(&self) -> bool {
        !self.switches().is_everything_off()
    }

    /// Counts a function's store among those in use.
    pub(crate) fn expect(&self, place: Place) {
        let mut places = self.expected_places();
        if !places.iter().any(|known| known.is_same(&place)) {
            places.push(place);
        }
    }

    /// Where values are kept of the functions that have been called or are expected, as far as in stores.
    pub(crate) fn places(&self) -> Vec<Place> {
        let mut places = self.expected_places().clone();
        places.extend(self.functions().values().filter_map(|known| known.place()));
        places.retain(|place| place.options.backend != BackendName::Memory);
        places
    }

    fn expected_places(&self) -> MutexGuard<'_, Vec<Place>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn functions(
        &self,
    ) -> MutexGuard<'_, BTreeMap<String, &'static dyn RegisteredFunction>> {
        self.functions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Functions that have been called, but are out of service because another has their name in storage.
    pub(crate) fn duplicates(&self) -> MutexGuard<'_, Vec<&'static dyn RegisteredFunction>> {
        self.duplicates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn switches(&self) -> MutexGuard<'_, Switches> {
        self.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Package;
    use crate::options::Options;

    #[test]
    fn a_store_that_is_expected_again_takes_no_more_room() {
        let registry = Registry::new(Switches::default());
        let expect = |options: Options, package| {
            let package = Package::built_in(package, 1);
            registry.expect(Place { options, package });
            registry.places().len()
        };
        let with_folder = |folder: &str| Options {
            cache_dir: Some(folder.into()),
            ..Options::new()
        };
        for _ in 0..3 {
            expect(Options::new(), "app");
            assert!(expect(with_folder("/one"), "app") <= 4);
            expect(with_folder("/two"), "app");
            expect(Options::new(), "other");
        }
        assert_eq!(registry.places().len(), 4);
    }
}
