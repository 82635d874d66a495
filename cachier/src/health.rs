//! Readiness probes of the stores.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cachier_backends::{
    Backend, Error, ErrorKind, Key, KeyHash, LeaseReply, Operation, Scope, Version,
};

use crate::backend_handle::BackendHandle;
use crate::backends::Backends;
use crate::background::remove_unused_folders;
use crate::block_on::block_on;
use crate::budget::Bounded;
use crate::builtin;
use crate::context::{self, Context, ContextId};
use crate::environment::{self, Concern};
use crate::history;
use crate::options::{GlobalParams, Options, Params, Policy};

/// The name under which the folder of figures is shown.
const METRICS: &str = "metrics";

/// Whether one backend can be used right now.
///
/// ```no_run
/// for health in cachier::check() {
///     match &health.error {
///         None => println!("{} at {} works", health.name, health.store),
///         Some(error) => println!("{} is out, {:?}: {error}", health.name, error.kind()),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackendHealth {
    /// The name that attributes use; `environment` for a variable that cannot be used and concerns more than one, `metrics` for
    /// the folder of figures, `policy` for one that is missing, or that a function cannot follow.
    pub name: String,
    /// Its path or address, without credentials; empty where there is none, or the name of the variable or the policy.
    pub store: String,
    /// Whether the circuit breaker answers for it at the moment.
    pub breaker_open: bool,
    /// The failure; `None` when it works.
    pub error: Option<Error>,
}

impl BackendHealth {
    /// Whether calls can use it.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.error.is_none()
    }

    /// A backend that is not there.
    fn missing(name: impl Into<String>, store: &str, error: Error) -> Self {
        Self {
            name: name.into(),
            store: store.to_owned(),
            breaker_open: false,
            error: Some(error),
        }
    }
}

impl fmt::Display for BackendHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.store.is_empty() {
            write!(f, " ({})", self.store)?;
        }
        match &self.error {
            None => f.write_str(": works"),
            Some(error) => write!(f, ": {error}"),
        }
    }
}

/// Checks whether the backends work, for readiness probes: registered ones; those named by the environment, the program's
/// parameters or [`set_default_backend`](crate::set_default_backend); and those of functions that have been called or are
/// [expected](crate::expect). A missing backend and an unusable variable are unhealthy, and so are a folder of figures in which
/// none can be kept, as `metrics`, and a policy that is missing or asks for what a function has no code for, as `policy`.
///
/// A check does what a miss does: it loads, and takes a lease. Success closes the circuit breaker.
///
/// Blocks the thread; each backend has `operation_timeout` to answer. In a task use [`check_async`].
///
/// ```no_run
/// let is_ready = cachier::check().iter().all(|health| health.is_healthy());
/// ```
#[must_use]
pub fn check() -> Vec<BackendHealth> {
    block_on(check_async())
}

/// [`check`], one backend after another, without blocking the thread.
///
/// ```no_run
/// # async fn ready() -> bool {
/// cachier::check_async().await.iter().all(|health| health.is_healthy())
/// # }
/// ```
#[must_use]
pub async fn check_async() -> Vec<BackendHealth> {
    let context = context::current();
    let Known { stores, missing } = known(context);
    let mut all = Vec::with_capacity(stores.len() + missing.len());
    for (name, handle) in stores {
        all.push(probe(context, name, &handle).await);
    }
    all.extend(missing);
    all
}

/// Checks one backend by the name that attributes use, whether or not a function uses it. Among several with this name, such as
/// files in several folders, an unhealthy one is returned if there is any.
///
/// Blocks the thread, as [`check`] does. In a task use [`check_backend_async`].
///
/// ```no_run
/// let health = cachier::check_backend("redis");
/// println!("{health}"); // redis (redis://127.0.0.1:6379): works
/// ```
#[must_use]
pub fn check_backend(name: &str) -> BackendHealth {
    block_on(check_backend_async(name))
}

/// [`check_backend`], without blocking the thread.
///
/// ```no_run
/// # async fn ready() -> bool {
/// cachier::check_backend_async("redis").await.is_healthy()
/// # }
/// ```
#[must_use]
pub async fn check_backend_async(name: &str) -> BackendHealth {
    let context = context::current();
    let Known { stores, missing } = known(context);
    if let Some(missing) = missing.into_iter().find(|health| health.name == name) {
        return missing;
    }
    let mut of_name: Vec<_> = stores
        .into_iter()
        .filter(|(known, _)| known == name)
        .collect();
    if of_name.is_empty() {
        match context.backends.instance(name, &policy(context)) {
            Ok(store) => of_name.push((name.to_owned(), store)),
            Err(error) => return BackendHealth::missing(name, "", error),
        }
    }
    let mut first = None;
    for (name, handle) in of_name {
        let health = probe(context, name, &handle).await;
        if !health.is_healthy() {
            return health;
        }
        first.get_or_insert(health);
    }
    first.expect("there is at least one of the name")
}

/// The backends to check by name, each once, and those that are missing.
#[derive(Default)]
struct Known {
    stores: Vec<(String, Arc<BackendHandle>)>,
    missing: Vec<BackendHealth>,
}

fn known(context: &'static Context) -> Known {
    let mut known = Known::default();
    let params = context.params();
    let backends = &context.backends;
    for unusable in environment::unusable(|_| true) {
        if let Some(name) = concerned(unusable.concern, backends, &params.program) {
            known.miss(name, unusable.variable, unusable.error);
        }
    }
    if context.id == ContextId::MAIN
        && let Some((folder, error)) = history::failure(params.program.metrics_dir.as_deref())
    {
        known.miss(METRICS, &folder.display().to_string(), error);
    }
    for (name, registered) in backends.all_registered() {
        known.add(&name, Ok(registered));
    }
    // Used backends first, then those only named.
    for config in context.registry.store_configs() {
        let policy = Policy::resolve(&config.options, &params);
        let opened = |folder: &_| remove_unused_folders(context, folder);
        let resolved = backends.resolve(&config.options.backend, &policy, config.package, opened);
        known.add(&backends.label(&config.options.backend), resolved);
    }
    for name in backends.named(&params.program) {
        let opened = backends.open(&name, &policy(context), &known.stores);
        known.add(&name, opened);
    }
    known.miss_policies(context, &params);
    known
}

/// The name under which a variable that cannot be used is shown; `None` where the program's code outranks it.
fn concerned(concern: Concern, backends: &Backends, params: &GlobalParams) -> Option<&'static str> {
    const ALL: &str = "environment";
    let is_in_use = |name: &'static str| {
        builtin::is_in_build(name).is_ok() && backends.registered(name).is_none()
    };
    match concern {
        Concern::EveryFunction | Concern::Folders => Some(ALL),
        #[cfg(feature = "prometheus")]
        Concern::Exporter => Some(ALL),
        Concern::MetricsDir => params.metrics_dir.is_none().then_some(ALL),
        Concern::Namespace => params.namespace.is_none().then_some(ALL),
        Concern::DefaultBackend => backends.default_name().is_err().then_some(ALL),
        Concern::CacheDir => (params.cache_dir.is_none() && is_in_use("file")).then_some("file"),
        Concern::Backend(name) => is_in_use(name).then_some(name),
    }
}

impl Known {
    /// A backend, or the error of one that is not there.
    fn add(&mut self, name: &str, store: Result<Arc<BackendHandle>, Error>) {
        match store {
            Ok(store) => {
                let is_same = |(_, known): &(_, Arc<_>)| Arc::ptr_eq(known, &store);
                if !self.stores.iter().any(is_same) {
                    self.stores.push((name.to_owned(), store));
                }
            }
            Err(error) => self.miss(name, "", error),
        }
    }

    /// What of the policies of functions cannot count.
    fn miss_policies(&mut self, context: &Context, params: &Params) {
        for (function, options) in context.registry.options() {
            if let Some((policy, error)) = params.problem_of(&function, &options) {
                self.miss("policy", policy, error);
            }
        }
    }

    /// A missing backend; each error once.
    fn miss(&mut self, name: &str, store: &str, error: Error) {
        let text = error.to_string();
        let is_known = |known: &Error| known.to_string() == text;
        // What is wrong with the folder of figures says nothing of stores.
        let mut of_stores = self.missing.iter().filter(|health| health.name != METRICS);
        if !of_stores.any(|health| health.error.as_ref().is_some_and(is_known)) {
            let missing = BackendHealth::missing(name, store, error);
            self.missing.push(missing);
        }
    }
}

/// The policy of a function whose attribute has no arguments.
fn policy(context: &Context) -> Policy {
    Policy::resolve(&Options::new(), &context.params())
}

async fn probe(context: &'static Context, name: String, handle: &BackendHandle) -> BackendHealth {
    let policy = policy(context);
    let key = key(&policy);
    let backend = handle.backend(Bounded::OUTSIDE_CALLS);
    let probed = async {
        backend.check().await?;
        probe_like_a_miss(&**backend, &key, policy.lease_period).await
    };
    let probed = context
        .timer
        .timeout(Some(policy.operation_timeout), probed);
    let error = match probed.await {
        Some(result) => result
            .inspect(|()| handle.record_answer(context.clock.now()))
            .err(),
        None => Some(Error::new(
            ErrorKind::Timeout,
            Operation::Load,
            "the backend did not answer in time",
        )),
    };
    BackendHealth {
        name,
        store: handle.store_name(),
        breaker_open: handle.is_open(),
        error,
    }
}

/// Does what a miss does, except storing.
async fn probe_like_a_miss(
    backend: &dyn Backend,
    key: &Key,
    period: Duration,
) -> Result<(), Error> {
    let loaded = backend.load(key).await?;
    let seen = loaded.map(|loaded| loaded.version);
    match backend.lease(key, seen.as_ref(), period).await? {
        LeaseReply::Granted(lease) => backend.release(lease).await,
        // Another process may be checking.
        LeaseReply::Held(_) | LeaseReply::Changed => Ok(()),
    }
}

/// A key of no function: their names in storage begin with a package's name.
fn key(policy: &Policy) -> Key {
    let scope = Scope::new(policy.namespace(), ":check");
    Key::new(
        Arc::new(scope),
        Version::Unversioned,
        KeyHash::from_bytes([0; 32]),
    )
}
