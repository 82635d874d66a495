//! Which backend a name means: what the program registered, else what its environment and the platform say.

use std::collections::HashMap;
#[cfg(feature = "file")]
use std::path::Path;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cachier_backends::{Backend, Error, ErrorKind, Operation};
#[cfg(feature = "file")]
use cachier_backends::{Blocking, file::FileBackend};

use crate::breaker::{Breaker, Permit};
use crate::environment;
use crate::options::{BackendName, GlobalParams, Policy};

/// A backend and the breaker that stands before it.
pub(crate) struct Guarded {
    pub(crate) backend: Arc<dyn Backend>,
    breaker: Mutex<Breaker>,
}

impl Guarded {
    fn new(backend: Arc<dyn Backend>) -> Arc<Self> {
        Arc::new(Self {
            backend,
            breaker: Mutex::default(),
        })
    }

    /// Whether an operation may be sent to the backend now.
    pub(crate) fn ask(&self, operation: Operation, now: u64) -> Result<(), Error> {
        match self.breaker().ask(now) {
            Permit::Granted => Ok(()),
            Permit::Refused => {
                let message = "the backend failed repeatedly and is not asked for the time being";
                let error = Error::new(ErrorKind::BreakerOpen, operation, message);
                Err(error.at(self.backend.store_name()))
            }
        }
    }

    /// Tells the breaker how an operation went.
    pub(crate) fn learn<R>(&self, result: &Result<R, Error>, now: u64, params: &GlobalParams) {
        match result {
            Err(error) if speaks_against_the_store(error.kind()) => {
                self.breaker()
                    .failed(now, params.breaker_threshold, params.breaker_pause);
            }
            _ => self.breaker().succeeded(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.breaker().is_open()
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an error means that the store does not work, rather than that one entry is of no use.
fn speaks_against_the_store(kind: ErrorKind) -> bool {
    use ErrorKind::{BreakerOpen, Codec, Corrupt, Identity, NotRegistered};
    !matches!(
        kind,
        Codec | Corrupt | Identity | NotRegistered | BreakerOpen
    )
}

/// The backends of one world.
#[derive(Default)]
pub(crate) struct Backends {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    registered: HashMap<String, Arc<Guarded>>,
    files: HashMap<Option<PathBuf>, Arc<Guarded>>,
    default: Option<String>,
}

impl Backends {
    pub(crate) fn register(&self, name: &str, backend: Arc<dyn Backend>) {
        self.state()
            .registered
            .insert(name.to_owned(), Guarded::new(backend));
    }

    pub(crate) fn set_default(&self, name: &str) {
        self.state().default = Some(name.to_owned());
    }

    /// What functions that name no backend use: the program's choice, else `CACHIER_BACKEND`, else files.
    pub(crate) fn default_name(&self) -> String {
        let chosen = self.state().default.clone();
        chosen
            .or_else(environment::backend)
            .unwrap_or_else(|| "file".to_owned())
    }

    /// What metrics call the backend that a function means.
    pub(crate) fn label(&self, name: &BackendName) -> String {
        match name {
            BackendName::Memory => "memory".to_owned(),
            BackendName::Named(name) => (*name).to_owned(),
            BackendName::Default => self.default_name(),
        }
    }

    /// The backend that a function means.
    pub(crate) fn resolve(
        &self,
        name: &BackendName,
        policy: &Policy,
    ) -> Result<Arc<Guarded>, Error> {
        let name = match name {
            BackendName::Named(name) => (*name).to_owned(),
            BackendName::Default | BackendName::Memory => self.default_name(),
        };
        if let Some(registered) = self.state().registered.get(&name) {
            return Ok(Arc::clone(registered));
        }
        match name.as_str() {
            "file" => self.file(policy.cache_dir.clone().or_else(environment::cache_dir)),
            _ => Err(not_registered(&name)),
        }
    }

    /// Every backend that is in use or registered, by name.
    pub(crate) fn all(&self) -> Vec<(String, Arc<Guarded>)> {
        let state = self.state();
        let registered = state
            .registered
            .iter()
            .map(|(name, guarded)| (name.clone(), guarded));
        let files = state
            .files
            .values()
            .map(|guarded| ("file".to_owned(), guarded));
        registered
            .chain(files)
            .map(|(name, guarded)| (name, Arc::clone(guarded)))
            .collect()
    }

    /// The folder of the file backend.
    #[cfg(feature = "file")]
    pub(crate) fn cache_dir(&self, policy: &Policy) -> PathBuf {
        let chosen = policy.cache_dir.clone().or_else(environment::cache_dir);
        let backend = chosen.map_or_else(FileBackend::default, FileBackend::new);
        backend.dir().map(Path::to_owned).unwrap_or_default()
    }

    /// Without the file backend there is no folder.
    #[cfg(not(feature = "file"))]
    pub(crate) fn cache_dir(&self, _: &Policy) -> PathBuf {
        PathBuf::new()
    }

    #[cfg(feature = "file")]
    fn file(&self, dir: Option<PathBuf>) -> Result<Arc<Guarded>, Error> {
        let mut state = self.state();
        if let Some(known) = state.files.get(&dir) {
            return Ok(Arc::clone(known));
        }
        let backend = dir
            .as_ref()
            .map_or_else(FileBackend::default, FileBackend::new);
        let guarded = Guarded::new(Arc::new(Blocking::new(backend)));
        state.files.insert(dir, Arc::clone(&guarded));
        Ok(guarded)
    }

    #[cfg(not(feature = "file"))]
    fn file(&self, _: Option<PathBuf>) -> Result<Arc<Guarded>, Error> {
        Err(not_registered("file").with_hint("enable the feature `file` of cachier"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_registered(name: &str) -> Error {
    let message = format!("no backend is registered as `{name}`");
    Error::new(ErrorKind::NotRegistered, Operation::Load, message)
        .with_hint("call `cachier::register_backend` before the first call")
}
