//! Backends by name: what the program registered, else what the environment and the platform say.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cachier_backends::process::{PerProcess, copied};
use cachier_backends::{Backend, Error};
use cachier_metrics::StoreFigures;

use crate::backend_handle::BackendHandle;
use crate::budget::Bounded;
use crate::builtin;
use crate::environment;
use crate::folder::Folder;
use crate::identity::Package;
use crate::options::{BackendName, GlobalParams, Policy};

/// The backends of one context.
pub(crate) struct Backends {
    state: PerProcess<Mutex<State>>,
}

impl Default for Backends {
    fn default() -> Self {
        Self {
            state: PerProcess::new(copied),
        }
    }
}

#[derive(Clone, Default)]
struct State {
    registered: HashMap<String, Arc<BackendHandle>>,
    /// The built-in ones that are or were in use, by name and, for those that keep files, by folder.
    opened: HashMap<(String, Option<Folder>), Arc<BackendHandle>>,
    /// Stores that could be opened, though none of their functions has been called.
    openable: HashSet<(String, Option<Folder>)>,
    default: Option<String>,
}

impl Backends {
    pub(crate) fn register(&self, name: &str, backend: Arc<dyn Backend>) {
        let mut state = self.state();
        // Current users of the replaced backend keep it; its health is no longer reported.
        state.opened.retain(|(opened, _), _| opened != name);
        let registered = BackendHandle::new(backend);
        state.registered.insert(name.to_owned(), registered);
    }

    /// Chooses the backend of functions that name none.
    ///
    /// # Errors
    /// When this program has none of this name; then all stays as it was.
    pub(crate) fn set_default(&self, name: &str) -> Result<(), Error> {
        let mut state = self.state();
        if !state.registered.contains_key(name) {
            builtin::is_in_build(name)?;
        }
        state.default = Some(name.to_owned());
        Ok(())
    }

    /// The backend of functions that name none: the program's choice, else `CACHIER_BACKEND`, else files.
    pub(crate) fn default_name(&self) -> Result<String, Error> {
        if let Some(chosen) = self.state().default.clone() {
            return Ok(chosen);
        }
        let named = environment::BACKEND.get()?;
        Ok(named.map_or("file", |name| name).to_owned())
    }

    /// The backend's name in metrics.
    pub(crate) fn label(&self, name: &BackendName) -> String {
        match name {
            BackendName::Memory => "memory".to_owned(),
            BackendName::Named(name) => (*name).to_owned(),
            BackendName::Default => self.default_name().unwrap_or_else(|_| "unknown".to_owned()),
        }
    }

    /// The backend of a function of this package. `opened` is called with a folder that is newly in use.
    pub(crate) fn resolve(
        &self,
        backend: &BackendName,
        policy: &Policy,
        package: Package,
        opened: impl FnOnce(&Folder),
    ) -> Result<Arc<BackendHandle>, Error> {
        environment::is_usable(policy.namespace.as_deref())?;
        let name = self.name_of(backend)?;
        if let Some(registered) = self.registered(&name) {
            return Ok(registered);
        }
        let folder = builtin::folder(&name, policy, Some(package))?;
        self.built_in(name, folder, opened)
    }

    /// Fails if no call of a function of this package can have its store, whatever that does.
    pub(crate) fn can_be_had(
        &self,
        backend: &BackendName,
        policy: &Policy,
        package: Package,
    ) -> Result<(), Error> {
        environment::is_usable(policy.namespace.as_deref())?;
        let name = self.name_of(backend)?;
        if self.registered(&name).is_some() {
            return Ok(());
        }
        let folder = builtin::folder(&name, policy, Some(package))?;
        let id = (name, folder);
        let state = self.state();
        let is_known = state.opened.contains_key(&id) || state.openable.contains(&id);
        drop(state);
        if !is_known {
            builtin::open(&id.0, id.1.as_ref())?;
            self.state().openable.insert(id);
        }
        Ok(())
    }

    /// The path or address of the store of a function of this package; `None` until that is opened.
    pub(crate) fn store_name(
        &self,
        backend: &BackendName,
        policy: &Policy,
        package: Package,
    ) -> Option<String> {
        let name = self.name_of(backend).ok()?;
        let known = self.registered(&name).or_else(|| {
            let folder = builtin::folder(&name, policy, Some(package)).ok()?;
            self.state().opened.get(&(name, folder)).cloned()
        });
        known.map(|known| known.store_name())
    }

    fn name_of(&self, backend: &BackendName) -> Result<String, Error> {
        match backend {
            BackendName::Named(name) => Ok((*name).to_owned()),
            BackendName::Default | BackendName::Memory => self.default_name(),
        }
    }

    /// The backend of a name, in use from now on, for nobody in particular. Where it keeps files and nobody has named a folder,
    /// one of `others` in an unnamed folder stands for it, else one in the folder that all share, which is not in use by that.
    pub(crate) fn open(
        &self,
        name: &str,
        policy: &Policy,
        others: &[(String, Arc<BackendHandle>)],
    ) -> Result<Arc<BackendHandle>, Error> {
        environment::is_usable(policy.namespace.as_deref())?;
        if let Some(registered) = self.registered(name) {
            return Ok(registered);
        }
        match builtin::folder(name, policy, None)? {
            Some(Folder::Shared) => {
                let other = others
                    .iter()
                    .find(|(known, handle)| known == name && self.is_in_unnamed_folder(handle));
                match other {
                    Some((_, handle)) => Ok(Arc::clone(handle)),
                    None => self.instance(name, policy),
                }
            }
            folder => self.built_in(name.to_owned(), folder, |_| {}),
        }
    }

    /// The backend of a name, which is not in use by that.
    pub(crate) fn instance(
        &self,
        name: &str,
        policy: &Policy,
    ) -> Result<Arc<BackendHandle>, Error> {
        environment::is_usable(policy.namespace.as_deref())?;
        if let Some(registered) = self.registered(name) {
            return Ok(registered);
        }
        let folder = builtin::folder(name, policy, None)?;
        Ok(BackendHandle::new(builtin::open(name, folder.as_ref())?))
    }

    fn is_in_unnamed_folder(&self, handle: &Arc<BackendHandle>) -> bool {
        let is_unnamed =
            |folder: &Option<Folder>| !matches!(folder, Some(Folder::Named(..)) | None);
        let state = self.state();
        let mut opened = state.opened.iter();
        opened.any(|((_, folder), known)| is_unnamed(folder) && Arc::ptr_eq(known, handle))
    }

    pub(crate) fn registered(&self, name: &str) -> Option<Arc<BackendHandle>> {
        self.state().registered.get(name).cloned()
    }

    /// The names of the backends that somebody has named, whether or not a function uses them.
    pub(crate) fn named(&self, params: &GlobalParams) -> Vec<String> {
        let mut names: Vec<_> = builtin::named().map(str::to_owned).collect();
        if cfg!(feature = "file") && params.cache_dir.is_some() {
            names.push("file".to_owned());
        }
        let chosen = self.state().default.clone();
        if chosen.is_some() || environment::BACKEND.is_set() {
            names.extend(self.default_name());
        }
        names
    }

    /// Every backend that the program registered, by name.
    pub(crate) fn all_registered(&self) -> Vec<(String, Arc<BackendHandle>)> {
        let state = self.state();
        let registered = state.registered.iter();
        registered
            .map(|(name, handle)| (name.clone(), Arc::clone(handle)))
            .collect()
    }

    /// Waits for what the backends do in the background on their own.
    pub(crate) async fn idle(&self) {
        for (_, handle) in self.all() {
            // A backend that failed has nothing left to do.
            let _ = handle.backend(Bounded::OUTSIDE_CALLS).idle().await;
        }
    }

    /// The figures of all backends.
    pub(crate) fn figures(&self) -> Vec<StoreFigures> {
        let all = self.all().into_iter();
        all.map(|(name, handle)| handle.figures(name)).collect()
    }

    /// Every backend that is or was in use, or is registered, by name.
    fn all(&self) -> Vec<(String, Arc<BackendHandle>)> {
        let mut all = self.all_registered();
        let state = self.state();
        let opened = state.opened.iter();
        all.extend(opened.map(|((name, _), handle)| (name.clone(), Arc::clone(handle))));
        all
    }

    /// A built-in backend, opened when it is first needed.
    fn built_in(
        &self,
        name: String,
        folder: Option<Folder>,
        opened: impl FnOnce(&Folder),
    ) -> Result<Arc<BackendHandle>, Error> {
        let mut state = self.state();
        let id = (name, folder);
        if let Some(known) = state.opened.get(&id) {
            return Ok(Arc::clone(known));
        }
        let (name, folder) = &id;
        let handle = BackendHandle::new(builtin::open(name, folder.as_ref())?);
        if let Some(folder) = folder {
            opened(folder);
        }
        state.opened.insert(id, Arc::clone(&handle));
        Ok(handle)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
