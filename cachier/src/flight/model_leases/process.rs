//! A process that carries out decisions on real flights.

mod caller;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use shuttle::thread::{self, JoinHandle};

use super::store::{Claim, Reply, Shared};
use super::variant::Variant;
use crate::decision::{Intent, OnStale, Rules};
use crate::flight::{
    ComputationId, FlightResult, Flights, Joined, Leader, Recheck, Reservation, Validity,
};
use crate::sync::{Mutex, lock};

const KEY: u8 = 7;
const RULES: Rules = Rules {
    stale_after: Some(Duration::from_secs(60)),
    longest_own_limit: None,
    max_stale: None,
    stale_on_error: None,
    refresh_after: None,
    early_lead: Duration::ZERO,
    on_stale: OnStale::ServeAndRefresh,
    retry_after: Duration::ZERO,
};

/// A process, and the store that it shares with another.
pub(super) struct Process {
    flights: Flights<u8, u64>,
    pub(super) shared: Mutex<Shared>,
    variant: Variant,
    size: Size,
    /// Running refreshes. Not a lock of the model, as it is no part of it.
    refreshes: AtomicU64,
    /// Whether this process has invalidated a flight, whose computation then runs concurrently with the next.
    has_forgotten: AtomicBool,
    background: Mutex<Vec<JoinHandle<()>>>,
}

/// How large values are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// The caller stores them.
    Small,
    /// They are stored in the background.
    Large,
}

/// How a call uses the cache.
#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) intent: Intent,
    pub(super) max_age: Option<Duration>,
    /// It does not wait for others.
    pub(super) is_impatient: bool,
}

pub(super) const PLAIN: Call = Call {
    intent: Intent::Use,
    max_age: None,
    is_impatient: false,
};

/// The right to store.
#[derive(Clone, Copy)]
struct Lease {
    owner: u64,
    is_own: bool,
    /// When it was requested, or last found valid.
    valid_at: Instant,
}

/// A store, when it was sent, and its answer.
#[derive(Clone, Copy)]
struct Sent {
    reply: Reply,
    /// `None` if it was not sent.
    at: Option<Instant>,
}

impl Sent {
    const REFUSED: Self = Self {
        reply: Reply::Refused,
        at: None,
    };
}

type Leads = Leader<'static, u8, u64>;

impl Process {
    /// Lives as long as the program, as cached functions do.
    pub(super) fn new(variant: Variant, size: Size, shared: Shared) -> &'static Self {
        Box::leak(Box::new(Self {
            flights: Flights::new(),
            shared: Mutex::new(shared),
            variant,
            size,
            refreshes: AtomicU64::new(0),
            has_forgotten: AtomicBool::new(false),
            background: Mutex::default(),
        }))
    }

    /// A change of the source, and its invalidation by another process.
    pub(super) fn invalidate_elsewhere(&self) {
        self.request(|shared| shared.source += 1);
        self.request(Shared::remove);
    }

    /// The same by this process.
    pub(super) fn invalidate(&self) {
        self.request(|shared| shared.source += 1);
        self.forget();
        self.request(Shared::remove);
    }

    /// Another process recomputes the entry, if it may.
    pub(super) fn refresh_elsewhere(&self) {
        let seen = self.request(|shared| shared.entry);
        let claim = self.request(|shared| shared.claim(seen.map(|entry| entry.version)));
        if let Claim::Granted(owner) = claim {
            let value = self.compute();
            self.request(|shared| shared.store(value, Some(owner)));
        }
    }

    /// The source has nothing any more, and the removal of the entry gets no answer: it may arrive whenever it likes, and is
    /// repeated before the lease is released.
    pub(super) fn remove_late(&'static self) {
        self.request(|shared| shared.source += 1);
        self.forget();
        let owner = self.request(Shared::take_over);
        self.in_background(move || {
            self.request(|shared| shared.vacate(owner));
        });
        self.in_background(move || {
            if self.variant != Variant::ReleasesBeforeRemoval {
                self.request(|shared| shared.vacate(owner));
            }
            self.request(|shared| shared.release(owner));
        });
    }

    /// Waits for background work.
    pub(super) fn flush(&self) {
        loop {
            let Some(thread) = lock(&self.background).pop() else {
                return;
            };
            thread.join().unwrap();
        }
    }

    fn request<R>(&self, run: impl FnOnce(&mut Shared) -> R) -> R {
        // A request takes time in both directions.
        thread::yield_now();
        let answer = run(&mut lock(&self.shared));
        thread::yield_now();
        answer
    }

    fn compute(&self) -> u64 {
        let value = self.request(|shared| shared.source);
        take_long();
        value
    }

    fn forget(&self) {
        self.has_forgotten.store(true, Ordering::Relaxed);
        self.flights.forget(&KEY);
    }

    fn in_background(&self, run: impl FnOnce() + Send + 'static) {
        let thread = thread::spawn(run);
        lock(&self.background).push(thread);
    }

    /// Starts a recomputation in the background, unless one is running.
    fn refresh(&'static self, seen: u64) {
        let Some(reservation) = self.flights.reserve(&KEY, || Recheck::Unchanged) else {
            return;
        };
        let is_kept = self.variant != Variant::WithoutReservation;
        let reservation = is_kept.then_some(reservation);
        let counted = Counted::new(self);
        self.in_background(move || {
            drop(counted);
            if let Some(leader) = self.lead(reservation) {
                self.carry_out_refresh(leader, seen);
            }
        });
    }

    fn lead(&'static self, reservation: Option<Reservation<'static, u8, u64>>) -> Option<Leads> {
        let recheck = || Recheck::Unchanged;
        let Some(reservation) = reservation else {
            return match self.flights.join(&KEY, ComputationId::next(), recheck) {
                Joined::Leader(leader) => Some(leader),
                Joined::Waiter(_) | Joined::Finished => None,
            };
        };
        reservation.lead(recheck)
    }

    fn carry_out_refresh(&'static self, leader: Leads, seen: u64) {
        let counted = Counted::new(self);
        let valid_at = Instant::now();
        // Waiters of a refused refresh load again.
        let Claim::Granted(owner) = self.request(|shared| shared.claim(Some(seen))) else {
            drop(counted);
            return;
        };
        let value = self.compute();
        let lease = Lease {
            owner,
            is_own: true,
            valid_at,
        };
        let sent = self.store(value, lease, Some(&leader));
        drop(counted);
        let broken = Variant::SharesRefusedRefresh;
        self.finish(leader, value, lease, sent, broken);
    }

    /// Stores what is still wanted.
    fn store(&self, value: u64, lease: Lease, leader: Option<&Leads>) -> Sent {
        let owner = match self.variant {
            Variant::WithoutLease => None,
            _ => Some(lease.owner),
        };
        if leader.is_some_and(Leader::is_superseded) {
            return Sent::REFUSED;
        }
        let at = Instant::now();
        let reply = self.request(|shared| shared.store(value, owner));
        // The answer takes long.
        take_long();
        let is_late = leader.is_some_and(Leader::is_superseded);
        if is_late && self.variant != Variant::KeepsLate && lock(&self.shared).is_unleased {
            self.request(|shared| shared.entry = None);
            return Sent::REFUSED;
        }
        Sent {
            reply,
            at: Some(at),
        }
    }

    /// Finishes a flight. Callers that joined after the key was last known to be valid load again, except in the broken
    /// variant.
    fn finish(&self, leader: Leads, value: u64, lease: Lease, sent: Sent, broken: Variant) {
        let is_shared = match sent.reply {
            Reply::Stored => self.variant == Variant::SharesStored,
            Reply::Refused => self.variant == broken,
            Reply::Failed => false,
        };
        let sent_at = sent.at.unwrap_or(lease.valid_at);
        let validity = match sent.reply {
            Reply::Stored => Validity::Confirmed(sent_at),
            Reply::Failed if self.variant == Variant::SharesUnstored => {
                Validity::Confirmed(sent_at)
            }
            Reply::Refused => Validity::Confirmed(lease.valid_at),
            Reply::Failed => Validity::Unconfirmed(lease.valid_at),
        };
        leader.finish(
            || (),
            || match is_shared {
                true => FlightResult::Value(value),
                false => FlightResult::AsOf(value, validity),
            },
        );
    }

    /// Stores in the background: waiters get the value now, later callers learn whether it was stored.
    fn store_in_background(
        &'static self,
        value: u64,
        mut lease: Lease,
        leader: Option<Leads>,
        replaces: bool,
    ) {
        if replaces && lease.is_own {
            let asked_at = Instant::now();
            if !self.request(|shared| shared.vacate(lease.owner)) {
                if let Some(leader) = leader {
                    let broken = Variant::SharesRefusedOverwrite;
                    self.finish(leader, value, lease, Sent::REFUSED, broken);
                }
                return;
            }
            lease.valid_at = asked_at;
        }
        if let Some(leader) = &leader {
            let asked_at = Instant::now();
            if leader.is_awaited() && self.request(|shared| shared.holds(lease.owner)) {
                lease.valid_at = asked_at;
            }
            let valid_at = match self.variant {
                Variant::SharesWhileStoring => None,
                _ => Some(lease.valid_at),
            };
            leader.share(FlightResult::Storing(value, valid_at));
        }
        self.in_background(move || {
            take_long();
            let sent = self.store(value, lease, leader.as_ref());
            if let Some(leader) = leader {
                let broken = Variant::SharesRefusedLarge;
                self.finish(leader, value, lease, sent, broken);
            }
        });
    }
}

/// Long enough for others to invalidate the entry and to call.
pub(super) fn take_long() {
    (0..20).for_each(|_| thread::yield_now());
}

/// A refresh, reserved or led; there is at most one while nobody invalidates its flight.
struct Counted(&'static AtomicU64);

impl Counted {
    fn new(process: &'static Process) -> Self {
        let others = process.refreshes.fetch_add(1, Ordering::Relaxed);
        assert!(
            others == 0 || process.has_forgotten.load(Ordering::Relaxed),
            "two refreshes of one key are under way"
        );
        Self(&process.refreshes)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
