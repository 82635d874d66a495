//! Program-wide settings and operations.

#[cfg(feature = "persistent")]
use cachier_backends::{Error, ErrorKind, IntoBackend, Operation};

use crate::background::{WorkerPool, run_on_thread};
use crate::block_on::block_on;
#[cfg(feature = "persistent")]
use crate::cluster;
use crate::context::{self, Context, ContextId};
use crate::handle::Handle;
use crate::history;
use crate::options::GlobalParams;

/// Sets the parameters that apply wherever an attribute leaves an argument out, from the next call on.
///
/// ```
/// use std::time::Duration;
/// use cachier::{GlobalParams, set_global_params};
///
/// set_global_params(GlobalParams::new().stale_after(Duration::from_secs(3600)).namespace("staging"));
/// ```
#[doc(alias = "set_default_params")]
pub fn set_global_params(params: GlobalParams) {
    context::current().change_params(|all| all.program = params);
}

/// The current parameters.
///
/// ```
/// use cachier::{global_params, set_global_params};
///
/// // One is changed, the others stay.
/// set_global_params(global_params().allow_none(true));
/// assert!(global_params().allow_none);
/// ```
#[must_use]
#[doc(alias = "get_global_params")]
pub fn global_params() -> GlobalParams {
    context::current().params().program.clone()
}

/// Registers parameters under a name, for functions with `policy = "name"`, from the next call on; in place of those that had
/// the name.
///
/// Such a function takes from them whatever its attribute leaves out, so that what they leave unset has its documented default for
/// it, not what [`set_global_params`] says: start from [`global_params`] to keep that. What no attribute has stays the program's:
/// the namespace, the folder of figures, the period of leases, the limits of circuit breakers; so does the folder of files where
/// the policy names none. What asks something of types is compiled in by the attribute alone: [`check`](crate::check) tells of a policy
/// that sets `next_time` or `refresh_after` for a function without it, and of one that is named and not registered, in whose
/// place the parameters of the program count.
///
/// ```
/// use std::time::Duration;
/// use cachier::{GlobalParams, cachier, register_policy};
///
/// #[cachier(backend = "memory", policy = "sessions", next_time = auto)]
/// fn session(user: u64) -> String {
///     format!("of {user}")
/// }
///
/// let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
/// register_policy("sessions", GlobalParams::new().stale_after(minutes(10)).next_time(true));
/// session(7);
/// // At night, when the source is slow:
/// register_policy("sessions", GlobalParams::new().stale_after(minutes(60)).next_time(true));
/// ```
pub fn register_policy(name: impl Into<String>, params: GlobalParams) {
    let name = name.into();
    context::current().change_params(|all| _ = all.policies.insert(name, params));
}

/// Enables all caches, including those disabled by pattern or by `CACHIER_DISABLED`.
///
/// ```
/// cachier::disable_caching();
/// cachier::enable_caching();
/// assert!(cachier::is_caching_enabled());
/// ```
#[doc(alias = "caching_enabled")]
pub fn enable_caching() {
    context::current()
        .registry
        .switch(|switches| switches.enable_all());
}

/// Disables all caches: every call runs its function, and nothing is stored.
///
/// ```
/// cachier::disable_caching();
/// assert!(!cachier::is_caching_enabled());
/// ```
#[doc(alias = "caching_enabled")]
pub fn disable_caching() {
    context::current()
        .registry
        .switch(|switches| switches.disable_all());
}

/// Whether caching is on: not after [`disable_caching`], nor with `CACHIER_DISABLED=1`, until [`enable_caching`].
///
/// Where it is on, single functions may be switched off by a pattern: [`CachedFunction::is_enabled`] tells.
///
/// ```
/// assert!(cachier::is_caching_enabled());
/// cachier::disable("billing::*");
/// assert!(cachier::is_caching_enabled(), "but for some functions");
/// ```
///
/// [`CachedFunction::is_enabled`]: crate::CachedFunction::is_enabled
#[must_use]
#[doc(alias = "caching_enabled")]
pub fn is_caching_enabled() -> bool {
    context::current().registry.is_caching_enabled()
}

/// Switches off the caches of all functions whose name matches the pattern; `*` stands for any text.
///
/// ```
/// cachier::disable("billing::*");
/// ```
pub fn disable(pattern: &str) {
    context::current()
        .registry
        .switch(|switches| switches.disable(pattern));
}

/// Registers a backend under a name, for `backend = registered("name")`.
///
/// A built-in name, such as `file`, replaces the default instance. The backend may be of this crate, or a [`Backend`] or
/// [`BlockingBackend`] of the program's own.
///
/// ```
/// # #[cfg(feature = "file")] {
/// use cachier::{FileBackend, cachier, register_backend};
///
/// #[cachier(backend = registered("scratch"))]
/// fn thumbnail(path: &str, width: u32) -> Vec<u8> {
///     // ... something slow ...
/// #   let _ = (path, width);
/// #   Vec::new()
/// }
///
/// register_backend("scratch", FileBackend::new("/mnt/scratch/app"))?;
/// # }
/// # Ok::<(), cachier::Error>(())
/// ```
///
/// [`Backend`]: crate::Backend
/// [`BlockingBackend`]: crate::BlockingBackend
///
/// # Errors
/// [`ErrorKind::Identity`] for `memory`, whose entries are values and never pass through a [`Backend`].
#[cfg(feature = "persistent")]
#[doc(alias("mongetter", "sql_engine", "redis_client"))]
pub fn register_backend<Form: ?Sized>(
    name: &str,
    backend: impl IntoBackend<Form>,
) -> Result<(), Error> {
    if name == "memory" {
        let message = "`memory` keeps typed values and cannot be replaced by a backend of bytes";
        return Err(Error::new(ErrorKind::Identity, Operation::Load, message)
            .with_hint("register it under another name"));
    }
    let context = context::current();
    context.backends.register(name, backend.into_backend());
    context.stores_changed();
    Ok(())
}

/// Sets the backend of functions whose attribute names none; it outranks `CACHIER_BACKEND`.
///
/// Best before the first call: the metrics of a function keep the name of the backend that it began with.
///
/// ```
/// # fn main() -> Result<(), cachier::Error> {
/// cachier::set_default_backend("file")?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ErrorKind::NotRegistered`], which says what to do, for a name that this program has no backend of: a misspelt one, one
/// of its own that is not [registered](register_backend) yet, or a built-in one whose feature is off. Also for `memory`, whose
/// values have types: write `backend = "memory"` at the functions. All stays as it was then. Whether the store can be reached
/// is not asked here, but by [`check`](crate::check).
#[cfg(feature = "persistent")]
pub fn set_default_backend(name: &str) -> Result<(), Error> {
    let context = context::current();
    context.backends.set_default(name)?;
    context.stores_changed();
    Ok(())
}

/// Includes the backends of these functions in `check`, and the functions in what [`function`](crate::function) finds,
/// before their first calls.
///
/// Takes a list of handles, also for one function: `cachier::expect([forecast::handle()])`, not `cachier::expect(forecast)`.
///
/// ```
/// # use cachier::cachier;
/// #[cachier]
/// fn forecast(city: &str) -> String {
///     format!("{city}: rain")
/// }
///
/// cachier::expect([forecast::handle()]);
/// ```
pub fn expect(functions: impl IntoIterator<Item = Handle>) {
    let context = context::current();
    for function in functions {
        context.registry.expect(function);
    }
}

/// Waits until all current background work is done, with all that follows from it: refreshes, large stores, clean-ups. Work begun
/// by calls meanwhile is not waited for, nor is work of a call that a refresh makes in another thread or task.
///
/// Blocks the thread. In a task use [`flush_async`], since the work may need the thread of the task.
///
/// ```
/// # use cachier::cachier;
/// #[cachier(backend = "memory", stale_after = "10m", next_time)]
/// fn forecast(day: u32) -> u32 {
///     day * 2
/// }
///
/// fn main() {
///     forecast(3);
///     cachier::flush(); // else what still goes on in the background is lost
/// }
/// ```
pub fn flush() {
    block_on(flush_async());
}

/// [`flush`], without blocking the thread.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// cachier::flush_async().await;
/// # }
/// ```
pub async fn flush_async() {
    let context = context::current();
    #[cfg(feature = "persistent")]
    cluster::publish_on_flush(context);
    keep_history(context);
    context.pending.idle().await;
    // Afterwards, since that work leads to the backends' own.
    context.backends.idle().await;
}

/// Has the figures of the program kept over restarts, as a part of the work that a flush waits for.
fn keep_history(context: &'static Context) {
    let folder = context.params().program.metrics_dir.clone();
    if context.id == ContextId::MAIN && history::is_on(folder.as_deref()) {
        run_on_thread(context, WorkerPool::Figures, move || {
            history::keep_on_flush(folder.as_deref());
        });
    }
}
