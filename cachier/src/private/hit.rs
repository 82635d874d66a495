//! The fast path of a call: a hit.

use std::thread::LocalKey;
use std::time::Duration;

use cachier_metrics::{Local, LocalSlot, NearResult, TimedHit};

use super::arguments::Arguments;
use super::instance::{Instance, StoreKind};
use super::return_type::ReturnType;
use super::site::Site;
use crate::session::CallStart;

/// The result of a call's lookup. An async function holds it while it computes, so its future can go to other threads where
/// its return type can.
///
/// ```
/// use std::error::Error;
/// use cachier::cachier;
///
/// // With a `Box<dyn Error>` it could not.
/// #[cachier(backend = "memory")]
/// async fn user(id: u64) -> Result<u64, Box<dyn Error + Send + Sync>> {
///     Ok(id)
/// }
///
/// fn goes_to_another_thread(_: impl Future + Send) {}
///
/// goes_to_another_thread(user(1));
/// ```
pub enum Lookup<R> {
    /// The result.
    Hit(R),
    /// The driver has to look.
    Miss(CallStart),
}

impl<S: StoreKind> Site<S> {
    /// Looks for a value at hand, and counts and times a hit.
    ///
    /// Inlined, so that a hit makes no call and its result does not go through memory.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn lookup<Sh: ReturnType, A>(
        &'static self,
        return_type: Sh,
        arguments: &A,
        slot: Option<&'static LocalKey<LocalSlot>>,
    ) -> Lookup<Sh::Return>
    where
        A: Arguments<Sh, StoreKind = S>,
    {
        let instance = self.instance();
        let local = slot.and_then(|slot| instance.metrics().attached(slot));
        if let Some(slot) = slot
            && local.is_none_or(Local::times_hit)
        {
            return instance.lookup_cold(return_type, arguments, local, slot);
        }
        match arguments.hit(instance) {
            Some(value) => {
                instance.core.function.explain_hit(S::TIER);
                instance.finish_hit(return_type, value, local)
            }
            None => instance.finish_miss(local),
        }
    }
}

impl<S: StoreKind> Instance<S> {
    /// The fast path of a call that is timed, or the first one of its thread. Separate, so that other calls keep no
    /// registers for it.
    #[cold]
    #[inline(never)]
    fn lookup_cold<Sh: ReturnType, A>(
        &'static self,
        return_type: Sh,
        arguments: &A,
        local: Option<Local>,
        slot: &'static LocalKey<LocalSlot>,
    ) -> Lookup<Sh::Return>
    where
        A: Arguments<Sh, StoreKind = S>,
    {
        let local = local.unwrap_or_else(|| self.metrics().local(slot));
        let clock = &self.core.function.context.clock;
        let started = local.times_hit().then(|| clock.now());
        let Some(found) = arguments.detailed_hit(self) else {
            return self.finish_miss(Some(local));
        };
        if let Some(started) = started {
            let hit = TimedHit {
                started,
                ended: clock.now(),
                computed: found.computed,
                compute: found.compute_nanos,
            };
            local.timed_hit(hit);
            let age = Duration::from_nanos(hit.ended.saturating_sub(hit.computed));
            self.core.function.explain_timed_hit(S::TIER, age);
        } else {
            self.core.function.explain_hit(S::TIER);
        }
        self.finish_hit(return_type, found.value, Some(local))
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn finish_hit<Sh: ReturnType>(
        &self,
        return_type: Sh,
        value: Sh::Value,
        local: Option<Local>,
    ) -> Lookup<Sh::Return> {
        if let Some(local) = local {
            local.hit();
            if S::HAS_NEAR_TIER {
                local.near_hit();
            }
        }
        Lookup::Hit(return_type.join(value))
    }

    fn finish_miss<R>(&self, local: Option<Local>) -> Lookup<R> {
        if !self.core.function.is_enabled() {
            return Lookup::Miss(CallStart::Undecided);
        }
        if S::HAS_NEAR_TIER
            && let Some(metrics) = self.core.function.metrics
        {
            metrics.near_lookup(NearResult::Miss);
        }
        Lookup::Miss(CallStart::Decided(local.and_then(Local::sample)))
    }
}
