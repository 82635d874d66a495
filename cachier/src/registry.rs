//! The cached functions that have been called, and the switches.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cachier_backends::process::{PerProcess, copied};

use crate::handle::{ExpectedFunction, Handle, StoreConfig};
use crate::options::{BackendName, Options};
use crate::registered::RegisteredFunction;
use crate::switches::Switches;

/// Cached functions by their names in storage.
pub(crate) struct Registry {
    functions: PerProcess<Mutex<BTreeMap<String, &'static dyn RegisteredFunction>>>,
    /// Functions that are out of service, because another has their name in storage.
    duplicates: PerProcess<Mutex<Vec<&'static dyn RegisteredFunction>>>,
    switches: PerProcess<Mutex<Switches>>,
    /// Functions that need not have been called.
    expected: PerProcess<Mutex<Vec<&'static ExpectedFunction>>>,
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
        // A function of the same site is replaced: this process was forked just before others could find it there.
        let is_other = |known: &&dyn RegisteredFunction| known.site() != function.site();
        if functions.get(function.storage_name()).is_some_and(is_other) {
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

    /// Whether the switches enable a function that need not have been called.
    pub(crate) fn is_on(&self, function: &ExpectedFunction) -> bool {
        self.switches().is_on(&function.name, &function.typed_name)
    }

    pub(crate) fn is_caching_enabled(&self) -> bool {
        !self.switches().is_everything_off()
    }

    /// Counts a function among those in use, for as long as the process lives.
    pub(crate) fn expect(&self, function: Handle) {
        let function = function.expected();
        let mut expected = self.lock_expected();
        if !expected.iter().any(|known| known.is(&function)) {
            expected.push(Box::leak(Box::new(function)));
        }
    }

    /// The functions that are expected.
    pub(crate) fn expected(&self) -> Vec<&'static ExpectedFunction> {
        self.lock_expected().clone()
    }

    /// Where values are kept of the functions that have been called or are expected, as far as in stores. Functions that are
    /// switched off keep none.
    pub(crate) fn store_configs(&self) -> Vec<StoreConfig> {
        let mut configs = self.store_configs_by_name();
        configs.retain(|(_, config)| config.options.backend != BackendName::Memory);
        configs.into_iter().map(|(_, config)| config).collect()
    }

    /// The options of the functions that have been called or are expected and are not switched off, with their names.
    pub(crate) fn options(&self) -> impl Iterator<Item = (String, Options)> + use<> {
        let configs = self.store_configs_by_name().into_iter();
        configs.map(|(name, config)| (name, config.options))
    }

    fn store_configs_by_name(&self) -> Vec<(String, StoreConfig)> {
        let mut expected = self.expected();
        expected.retain(|function| self.is_on(function));
        let expected = expected.into_iter();
        let mut configs: Vec<_> = expected
            .map(|function| (function.name.clone(), function.store_config.clone()))
            .collect();
        let functions = self.functions();
        let called = functions.values();
        configs.extend(
            called.filter_map(|known| Some((known.name().to_owned(), known.store_config()?))),
        );
        configs
    }

    fn lock_expected(&self) -> MutexGuard<'_, Vec<&'static ExpectedFunction>> {
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
    use cachier_backends::{BoxFuture, Usage};
    use cachier_metrics::CacheMetrics;

    use super::*;
    use crate::call::CallMode;
    use crate::handle::AnnotatedFunction;
    use crate::identity::{FunctionSpec, Package};

    /// A function that is never called, by its number.
    struct Stub(#[expect(dead_code, reason = "one of its own for each address")] u8);

    impl AnnotatedFunction for Stub {
        fn register(&'static self) {}

        fn metrics(&'static self, _: &'static str) -> Option<&'static CacheMetrics> {
            None
        }

        fn clear_unregistered(
            &'static self,
            _: &'static str,
            _: CallMode,
        ) -> BoxFuture<'static, Option<u64>> {
            Box::pin(async { Ok(None) })
        }

        fn clear_leases_unregistered(
            &'static self,
            _: &'static str,
            _: CallMode,
        ) -> BoxFuture<'static, ()> {
            Box::pin(async { Ok(()) })
        }

        fn usage_unregistered(
            &'static self,
            _: &'static str,
            _: CallMode,
        ) -> BoxFuture<'static, Usage> {
            Box::pin(async { Ok(Usage::default()) })
        }
    }

    fn spec(instantiation: &'static str) -> FunctionSpec {
        FunctionSpec {
            identity: instantiation.to_owned(),
            path: instantiation.to_owned(),
            package: Package::built_in("app", 1),
            options: Options::new(),
        }
    }

    #[test]
    fn expecting_a_function_again_takes_no_room() {
        static ONE: Stub = Stub(1);
        static OTHER: Stub = Stub(2);
        let registry = Registry::new(Switches::default());
        for _ in 0..3 {
            for (function, instantiation) in [(&ONE, "u8"), (&ONE, "u16"), (&OTHER, "u8")] {
                registry.expect(Handle::new(function, spec, instantiation));
            }
        }
        assert_eq!(
            (registry.expected().len(), registry.store_configs().len()),
            (3, 3)
        );
    }
}
