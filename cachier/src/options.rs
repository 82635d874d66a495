//! The arguments of an attribute, and the parameters of the program.

mod params;
mod policy;

use std::path::PathBuf;
use std::time::Duration;

use cachier_backends::Version;
use cachier_metrics::SamplingRate;

use crate::refresh_after::RefreshAfter;
use crate::share::Share;

pub(crate) use params::Params;
pub(crate) use policy::Policy;

/// Where a function keeps its values.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum BackendName {
    /// The persistent backend that the program or its environment chose.
    #[default]
    Default,
    /// The memory of the process.
    Memory,
    /// A built-in or registered backend.
    Named(&'static str),
}

/// The behaviour of a call whose backend fails (`on_backend_error`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnBackendError {
    /// The function runs as if nothing were stored.
    #[default]
    Compute,
    /// The call returns the error.
    Propagate,
}

/// An argument that asks something of types, which is why the attribute decides whether it is compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Switch {
    /// Left out, so not compiled in: the program's parameters cannot turn it on.
    #[default]
    Off,
    /// Off, whatever the parameters say (`false`).
    Never,
    /// On, whatever the parameters say.
    On,
    /// Compiled in; the program's parameters decide (`auto`).
    Auto,
}

impl Switch {
    fn is_on(self, in_params: bool) -> bool {
        match self {
            Self::Off | Self::Never => false,
            Self::On => true,
            Self::Auto => in_params,
        }
    }
}

/// Whether a hit may recompute its value in the background, which asks of types what `next_time` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EarlyRefresh {
    /// Left out, so not compiled in: the program's parameters cannot turn it on.
    #[default]
    Off,
    /// Off, whatever the parameters say (`false`).
    Never,
    /// From there on, whatever the parameters say.
    After(RefreshAfter),
    /// Compiled in; the program's parameters decide (`auto`).
    Auto,
}

impl EarlyRefresh {
    fn or(self, in_params: Option<RefreshAfter>) -> Option<RefreshAfter> {
        match self {
            Self::Off | Self::Never => None,
            Self::After(after) => Some(after),
            Self::Auto => in_params,
        }
    }

    /// Whether the function has the code for it.
    #[cfg(feature = "memory")]
    pub(crate) fn is_compiled_in(self) -> bool {
        matches!(self, Self::After(_) | Self::Auto)
    }
}

/// What says how old a value may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AgeLimits {
    /// The function's `stale_after`, or the program's.
    #[default]
    OfFunction,
    /// Each value, through the closure of `stale_after`.
    OfValues,
}

/// Whether to measure a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantSize {
    /// `capacity_bytes` needs what the value takes of the heap: one without a size is not stored.
    Bounded,
    /// `entry_size_limit` needs the size: a value without one is not stored.
    Needed,
    /// A metric shows the size, if there is one.
    Shown,
    /// Nothing needs the size.
    No,
}

/// The arguments of the attribute; `None` if left out, so that the program's [`GlobalParams`](crate::GlobalParams) apply.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Options {
    pub backend: BackendName,
    pub version: Version,
    pub name: Option<&'static str>,
    pub policy: Option<&'static str>,
    pub stale_after: Option<Duration>,
    pub age_limits: AgeLimits,
    pub jitter: Option<Share>,
    pub refresh_after: EarlyRefresh,
    pub next_time: Switch,
    pub max_stale: Option<Duration>,
    pub stale_on_error: Option<Duration>,
    pub retry_after: Option<Duration>,
    pub wait_for_calc_timeout: Option<Duration>,
    pub allow_none: Option<bool>,
    pub entry_size_limit: Option<u64>,
    pub cleanup_stale: Option<bool>,
    pub cleanup_interval: Option<Duration>,
    pub capacity: Option<u64>,
    pub capacity_bytes: Option<u64>,
    pub near_cache: Option<u64>,
    pub near_stale_after: Option<Duration>,
    pub cache_dir: Option<PathBuf>,
    pub verify: Option<bool>,
    pub operation_timeout: Option<Duration>,
    pub on_backend_error: OnBackendError,
    pub metrics: Option<SamplingRate>,
}

impl Options {
    /// The options of an attribute without arguments.
    #[expect(
        clippy::new_without_default,
        reason = "made by the attribute only, in constants"
    )]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            backend: BackendName::Default,
            version: Version::Unversioned,
            name: None,
            policy: None,
            stale_after: None,
            age_limits: AgeLimits::OfFunction,
            jitter: None,
            refresh_after: EarlyRefresh::Off,
            next_time: Switch::Off,
            max_stale: None,
            stale_on_error: None,
            retry_after: None,
            wait_for_calc_timeout: None,
            allow_none: None,
            entry_size_limit: None,
            cleanup_stale: None,
            cleanup_interval: None,
            capacity: None,
            capacity_bytes: None,
            near_cache: None,
            near_stale_after: None,
            cache_dir: None,
            verify: None,
            operation_timeout: None,
            on_backend_error: OnBackendError::Compute,
            metrics: None,
        }
    }
}

impl Options {
    /// The arguments that the attribute has, as people read them.
    #[must_use]
    pub fn set(&self) -> Vec<(&'static str, String)> {
        let duration = |name, time: Option<Duration>| Some((name, format!("{:?}", time?)));
        let number = |name, number: Option<u64>| Some((name, number?.to_string()));
        let flag = |name, flag: Option<bool>| Some((name, flag?.to_string()));
        let switch = |name, switch| match switch {
            Switch::Off => None,
            Switch::Never => Some((name, "false".to_owned())),
            Switch::On => Some((name, "true".to_owned())),
            Switch::Auto => Some((name, "auto".to_owned())),
        };
        let all = [
            self.policy.map(|name| ("policy", name.to_owned())),
            duration("stale_after", self.stale_after),
            (self.age_limits == AgeLimits::OfValues)
                .then(|| ("stale_after", "|value| ..".to_owned())),
            self.jitter.map(|jitter| ("jitter", jitter.to_string())),
            match self.refresh_after {
                EarlyRefresh::Off => None,
                EarlyRefresh::Never => Some(("refresh_after", "false".to_owned())),
                EarlyRefresh::After(after) => Some(("refresh_after", after.to_string())),
                EarlyRefresh::Auto => Some(("refresh_after", "auto".to_owned())),
            },
            switch("next_time", self.next_time),
            duration("max_stale", self.max_stale),
            duration("stale_on_error", self.stale_on_error),
            duration("retry_after", self.retry_after),
            duration("wait_for_calc_timeout", self.wait_for_calc_timeout),
            flag("allow_none", self.allow_none),
            number("entry_size_limit", self.entry_size_limit),
            flag("cleanup_stale", self.cleanup_stale),
            duration("cleanup_interval", self.cleanup_interval),
            number("capacity", self.capacity),
            number("capacity_bytes", self.capacity_bytes),
            number("near_cache", self.near_cache),
            duration("near_stale_after", self.near_stale_after),
            flag("verify", self.verify),
            duration("operation_timeout", self.operation_timeout),
            (self.on_backend_error == OnBackendError::Propagate)
                .then(|| ("on_backend_error", "propagate".to_owned())),
        ];
        all.into_iter().flatten().collect()
    }
}

/// Parameters of the program, used at call time wherever an attribute left the argument out.
///
/// ```
/// # use std::time::Duration;
/// # use cachier::GlobalParams;
/// let params = GlobalParams::new().stale_after(Duration::from_secs(3600)).namespace("staging");
/// cachier::set_global_params(params);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "set_default_params")]
#[non_exhaustive]
pub struct GlobalParams {
    /// Age from which a value is stale; `None` means never.
    pub stale_after: Option<Duration>,
    /// Up to which share of it the age limit of a value is shortened at random.
    pub jitter: Share,
    /// From which age on a hit of a function with `refresh_after = auto` starts a recomputation in the background; `None` means
    /// not before the value is stale.
    pub refresh_after: Option<RefreshAfter>,
    /// Whether functions with `next_time = auto` return a stale value at once, and recompute it in the background.
    pub next_time: bool,
    /// Oldest stale value that may be served, and for functions with `stale_after` also the expiry in the store; `None` means
    /// unlimited.
    pub max_stale: Option<Duration>,
    /// Up to how much past its age limit a value is served when recomputing it fails; `None` means not at all.
    pub stale_on_error: Option<Duration>,
    /// How long the value at hand is served after a failed attempt to replace it without another one.
    pub retry_after: Duration,
    /// Longest wait for another caller's computation; `None` means as long as its owner lives.
    pub wait_for_calc_timeout: Option<Duration>,
    /// Whether `None` is cached too.
    pub allow_none: bool,
    /// Values larger than this many bytes are returned, not stored; `None` means no limit.
    pub entry_size_limit: Option<u64>,
    /// Whether stale entries are removed in the background.
    pub cleanup_stale: bool,
    /// The shortest time between two clean-ups of one function.
    pub cleanup_interval: Duration,
    /// Age up to which a near tier (`near_cache`) may serve a value without asking the store.
    pub near_stale_after: Duration,
    /// Folder of the file backend, where `~/` is the home folder of the user; `None` means `CACHIER_CACHE_DIR`, else one for each package in the platform's cache folder.
    pub cache_dir: Option<PathBuf>,
    /// Folder in which figures are kept over restarts, where `~/` is the home folder of the user; `None` means
    /// `CACHIER_METRICS_DIR`, else that they are not kept. The first one that is set counts.
    pub metrics_dir: Option<PathBuf>,
    /// Part of every stored key, so that environments which share a store never meet; `None` means
    /// `CACHIER_NAMESPACE`, else `default`. Where a namespace is named, all programs share the default folder.
    pub namespace: Option<String>,
    /// Whether the first arguments and values of each function on a persistent backend are checked.
    pub verify: bool,
    /// Budget of the foreground backend work of one call.
    pub operation_timeout: Duration,
    /// How long a lease lasts without a heartbeat of its owner.
    pub lease_period: Duration,
    /// Consecutive failures after which a backend's circuit breaker opens.
    pub breaker_threshold: u32,
    /// How long an open breaker answers for its backend before it lets a probe through.
    pub breaker_pause: Duration,
    /// The upper limit of that pause, which doubles with each failed probe; never less than the first.
    pub breaker_max_pause: Duration,
}

impl Default for GlobalParams {
    fn default() -> Self {
        Self::new()
    }
}

impl GlobalParams {
    /// The documented defaults.
    pub fn new() -> Self {
        Self {
            stale_after: None,
            jitter: Share::percent(0.0),
            refresh_after: None,
            next_time: false,
            max_stale: None,
            stale_on_error: None,
            retry_after: Duration::from_secs(5),
            wait_for_calc_timeout: None,
            allow_none: false,
            entry_size_limit: None,
            cleanup_stale: false,
            cleanup_interval: Duration::from_secs(24 * 60 * 60),
            near_stale_after: Duration::from_secs(30),
            cache_dir: None,
            metrics_dir: None,
            namespace: None,
            verify: true,
            operation_timeout: Duration::from_secs(1),
            lease_period: Duration::from_secs(10),
            breaker_threshold: 5,
            breaker_pause: Duration::from_secs(1),
            breaker_max_pause: Duration::from_secs(5),
        }
    }
}

/// One setter per field.
macro_rules! setters {
    ($($(#[$doc:meta])* $field:ident: $accepts:ty => $convert:expr;)*) => {
        impl GlobalParams {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $field(mut self, $field: $accepts) -> Self {
                    self.$field = $convert($field);
                    self
                }
            )*
        }
    };
}

setters! {
    /// Sets the age from which a value is stale.
    stale_after: Duration => Some;
    /// Sets up to which share of it the age limit of each value is shortened at random.
    jitter: Share => std::convert::identity;
    /// Sets from which age on a hit of a function with `refresh_after = auto` starts a recomputation in the background.
    refresh_after: RefreshAfter => Some;
    /// Sets whether functions with `next_time = auto` return stale values at once.
    next_time: bool => std::convert::identity;
    /// Sets the oldest stale value that may be served.
    max_stale: Duration => Some;
    /// Sets up to how much past its age limit a value is served when recomputing it fails.
    stale_on_error: Duration => Some;
    /// Sets how long the value at hand is served after a failed attempt without another one; zero tries each time.
    retry_after: Duration => std::convert::identity;
    /// Sets the longest wait for another caller's computation.
    wait_for_calc_timeout: Duration => Some;
    /// Sets whether `None` is cached too.
    allow_none: bool => std::convert::identity;
    /// Sets the size in bytes above which values are not stored.
    entry_size_limit: u64 => Some;
    /// Sets whether stale entries are removed in the background.
    cleanup_stale: bool => std::convert::identity;
    /// Sets the shortest time between two clean-ups of one function.
    cleanup_interval: Duration => std::convert::identity;
    /// Sets the age up to which near tiers may serve a value without asking the store.
    near_stale_after: Duration => std::convert::identity;
    /// Sets the folder of the file backend.
    cache_dir: impl Into<PathBuf> => |dir| Some(Into::into(dir));
    /// Sets the folder in which figures are kept over restarts.
    metrics_dir: impl Into<PathBuf> => |dir| Some(Into::into(dir));
    /// Sets the namespace of stored keys.
    namespace: impl Into<String> => |namespace| Some(Into::into(namespace));
    /// Sets whether the first arguments and values of each function on a persistent backend are checked.
    verify: bool => std::convert::identity;
    /// Sets the budget of the foreground backend work of one call.
    operation_timeout: Duration => std::convert::identity;
    /// Sets how long a lease lasts without a heartbeat of its owner.
    lease_period: Duration => std::convert::identity;
    /// Sets the number of consecutive failures after which a breaker opens.
    breaker_threshold: u32 => std::convert::identity;
    /// Sets how long an open breaker waits before it lets a probe through.
    breaker_pause: Duration => std::convert::identity;
    /// Sets the longest pause between two probes of an open breaker.
    breaker_max_pause: Duration => std::convert::identity;
}
