//! One process, which carries out what is decided on real flights.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use shuttle::future::block_on;
use shuttle::thread::{self, JoinHandle};

use super::Variant;
use super::store::{Claim, Entry, Shared};
use crate::budget::Budget;
use crate::decision::{Action, Intent, OnStale, Rules, Running, Stored, decide};
use crate::flight::{Announced, ComputationId, Flight, Flights, Joined, Landing, Leader, Recheck};
use crate::sync::{Arc, Mutex, lock};

const KEY: u8 = 7;
const RULES: Rules = Rules {
    stale_after: Some(Duration::from_secs(60)),
    max_stale: None,
    stale_on_error: None,
    on_stale: OnStale::ServeAndRefresh,
};

/// One process, and the store that it shares with another.
pub(super) struct Process {
    flights: Flights<u8, u64>,
    pub(super) shared: Mutex<Shared>,
    pub(super) variant: Variant,
    pub(super) size: Size,
    /// How many refreshes are under way. No lock of the model: it is not part of it.
    refreshes: AtomicU64,
    /// Whether this process has taken a flight out of the table; what it carried goes on beside the next.
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

/// How a call wants the cache to be used.
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
    /// When it was asked for, or was last found to be valid.
    valid_at: Instant,
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

    /// Carries out one call; it is given nothing that was out of date when it began.
    pub(super) fn call(&'static self, call: Call) {
        let invalidated = lock(&self.shared).invalidated;
        let value = Caller::new(self, call).seek();
        assert!(
            value >= invalidated,
            "a call is given what was invalidated before"
        );
    }

    /// A change of the source, invalidated by another process.
    pub(super) fn invalidate_elsewhere(&self) {
        self.ask(|shared| shared.source += 1);
        self.ask(Shared::remove);
    }

    /// The same by this one.
    pub(super) fn invalidate(&self) {
        self.ask(|shared| shared.source += 1);
        self.forget();
        self.ask(Shared::remove);
    }

    /// Another process computes the entry anew, if it may.
    pub(super) fn refresh_elsewhere(&self) {
        let seen = self.ask(|shared| shared.entry);
        let claim = self.ask(|shared| shared.claim(seen.map(|entry| entry.version)));
        if let Claim::Granted(owner) = claim {
            let value = self.compute();
            self.ask(|shared| shared.store(value, Some(owner)));
        }
    }

    /// Waits for what is done in the background.
    pub(super) fn flush(&self) {
        loop {
            let Some(thread) = lock(&self.background).pop() else {
                return;
            };
            thread.join().unwrap();
        }
    }

    fn ask<R>(&self, ask: impl FnOnce(&mut Shared) -> R) -> R {
        // A request takes time on its way there and back.
        thread::yield_now();
        let answer = ask(&mut lock(&self.shared));
        thread::yield_now();
        answer
    }

    fn compute(&self) -> u64 {
        let value = self.ask(|shared| shared.source);
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
        let Some(announced) = self.flights.announce(&KEY, || Recheck::Unchanged) else {
            return;
        };
        let is_kept = self.variant != Variant::ForgetsAnnouncement;
        let announced = is_kept.then_some(announced);
        let counted = Counted::new(self);
        self.in_background(move || {
            drop(counted);
            if let Some(leader) = self.lead(announced) {
                self.carry_out_refresh(leader, seen);
            }
        });
    }

    fn lead(&'static self, announced: Option<Announced<'static, u8, u64>>) -> Option<Leads> {
        let recheck = || Recheck::Unchanged;
        let Some(announced) = announced else {
            return match self.flights.join(&KEY, ComputationId::next(), recheck) {
                Joined::Leads(leader) => Some(leader),
                Joined::Waits(_) | Joined::Landed => None,
            };
        };
        announced.lead(recheck)
    }

    fn carry_out_refresh(&'static self, leader: Leads, seen: u64) {
        let counted = Counted::new(self);
        let valid_at = Instant::now();
        // Who waits for a refresh that is refused looks again.
        let Claim::Granted(owner) = self.ask(|shared| shared.claim(Some(seen))) else {
            drop(counted);
            return;
        };
        let value = self.compute();
        let lease = Lease {
            owner,
            is_own: true,
            valid_at,
        };
        let is_stored = self.store(value, Some(lease), Some(&leader));
        drop(counted);
        let is_handed_on = is_stored || self.variant == Variant::HandsOnRefusedRefresh;
        land(leader, value, lease, is_handed_on);
    }

    /// Stores what is still wanted; whether it was.
    fn store(&self, value: u64, lease: Option<Lease>, leader: Option<&Leads>) -> bool {
        let owner = match self.variant {
            Variant::StoresWithoutLease => None,
            _ => lease.map(|lease| lease.owner),
        };
        let is_superseded = leader.is_some_and(Leader::is_superseded);
        !is_superseded && self.ask(|shared| shared.store(value, owner))
    }

    /// Stores in the background: who waits has the value now, and who comes before it is stored learns whether it was.
    fn store_later(
        &'static self,
        value: u64,
        mut lease: Lease,
        leader: Option<Leads>,
        replaces: bool,
    ) {
        if replaces && lease.is_own {
            let asked_at = Instant::now();
            if !self.ask(|shared| shared.vacate(lease.owner)) {
                let is_handed_on = self.variant == Variant::HandsOnRefusedOverwrite;
                if let Some(leader) = leader {
                    land(leader, value, lease, is_handed_on);
                }
                return;
            }
            lease.valid_at = asked_at;
        }
        if let Some(leader) = &leader {
            let asked_at = Instant::now();
            if leader.is_awaited() && self.ask(|shared| shared.holds(lease.owner)) {
                lease.valid_at = asked_at;
            }
            let valid_at = match self.variant {
                Variant::HandsOnWhatIsBeingStored => None,
                _ => Some(lease.valid_at),
            };
            leader.share(Landing::Storing(value, valid_at));
        }
        self.in_background(move || {
            take_long();
            let is_stored = self.store(value, Some(lease), leader.as_ref());
            let is_handed_on = is_stored || self.variant == Variant::HandsOnLargeThatWasRefused;
            if let Some(leader) = leader {
                land(leader, value, lease, is_handed_on);
            }
        });
    }
}

/// As long as others need to invalidate the entry, and to call.
fn take_long() {
    (0..20).for_each(|_| thread::yield_now());
}

/// Ends a flight: those who came too late for a value that is not handed on look again.
fn land(leader: Leads, value: u64, lease: Lease, is_handed_on: bool) {
    leader.land(
        || (),
        || match is_handed_on {
            true => Landing::Value(value),
            false => Landing::Unstored(value, lease.valid_at),
        },
    );
}

/// A refresh that is announced or led; there is one at most, as long as nobody takes its flight out of the table.
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

/// One call on its way.
struct Caller {
    process: &'static Process,
    call: Call,
    running: Running,
    /// What it has found, and when it began to look.
    found: Option<Entry>,
    looked_at: Instant,
    flight: Option<Arc<Flight<u64>>>,
    joined: Option<Instant>,
    leader: Option<Leads>,
    lease: Option<Lease>,
}

impl Caller {
    fn new(process: &'static Process, call: Call) -> Self {
        Self {
            process,
            call,
            running: Running::Unclaimed,
            found: None,
            looked_at: Instant::now(),
            flight: None,
            joined: None,
            leader: None,
            lease: None,
        }
    }

    /// Its value.
    fn seek(mut self) -> u64 {
        let Call {
            max_age, intent, ..
        } = self.call;
        loop {
            match decide(self.look(), None, self.running, &RULES, max_age, intent) {
                Action::Serve(_) => return self.serve(),
                Action::ServeStaleAndRefresh(_) => {
                    let (process, seen) = (self.process, self.seen().unwrap());
                    let value = self.serve();
                    process.refresh(seen);
                    return value;
                }
                Action::Claim => self.claim(),
                Action::TakeOver => self.take_over(),
                Action::Wait => {
                    if let Some(value) = self.wait() {
                        return value;
                    }
                }
                Action::Compute(_) => return self.compute(),
                Action::ComputeBeside(_) => {
                    if self.claim_beside() {
                        return self.compute();
                    }
                }
            }
        }
    }

    fn look(&mut self) -> Stored {
        if self.call.intent == Intent::Overwrite {
            return Stored::Unseen;
        }
        self.looked_at = Instant::now();
        self.found = self.process.ask(|shared| shared.entry);
        match self.found {
            None => Stored::Absent,
            Some(Entry { is_stale: true, .. }) => Stored::Aged(Duration::from_secs(120)),
            Some(_) => Stored::Aged(Duration::from_nanos(1)),
        }
    }

    fn seen(&self) -> Option<u64> {
        self.found.map(|entry| entry.version)
    }

    fn serve(self) -> u64 {
        let value = self.found.unwrap().value;
        if let Some(lease) = self.lease {
            self.process.ask(|shared| shared.release(lease.owner));
        }
        if let Some(leader) = self.leader {
            leader.land(|| (), || Landing::Unstored(value, self.looked_at));
        }
        value
    }

    fn claim(&mut self) {
        if self.leader.is_none() && !self.join() {
            return;
        }
        match self.ask_for_lease() {
            Claim::Granted(_) => self.running = Running::Mine,
            Claim::Held(_) => self.running = Running::WaitedTooLong,
            Claim::Changed => {}
        }
    }

    fn join(&mut self) -> bool {
        let flights = &self.process.flights;
        match flights.join(&KEY, ComputationId::next(), || Recheck::Unchanged) {
            Joined::Leads(leader) => {
                self.leader = Some(leader);
                return true;
            }
            Joined::Waits(flight) => {
                self.flight = Some(flight);
                self.joined.get_or_insert_with(Instant::now);
                self.running = match self.call.is_impatient {
                    true => Running::WaitedTooLong,
                    false => Running::Other,
                };
            }
            Joined::Landed => {}
        }
        false
    }

    fn ask_for_lease(&mut self) -> Claim {
        let (valid_at, seen) = (Instant::now(), self.seen());
        let claim = self.process.ask(|shared| shared.claim(seen));
        let lease = |owner, is_own| Lease {
            owner,
            is_own,
            valid_at,
        };
        match claim {
            Claim::Granted(owner) => self.lease = Some(lease(owner, true)),
            Claim::Held(owner) => self.lease = Some(lease(owner, false)),
            Claim::Changed => {}
        }
        claim
    }

    fn take_over(&mut self) {
        self.process.forget();
        self.supplant();
        let valid_at = Instant::now();
        self.lease = Some(Lease {
            owner: self.process.ask(Shared::take_over),
            is_own: true,
            valid_at,
        });
        self.running = Running::Mine;
    }

    fn supplant(&mut self) {
        self.process.has_forgotten.store(true, Ordering::Relaxed);
        let flights = &self.process.flights;
        self.leader = Some(flights.supplant(&KEY, ComputationId::next()));
    }

    /// What the flight that it has joined lands with, if that is for this call.
    fn wait(&mut self) -> Option<u64> {
        let joined = self.joined.unwrap();
        let flight = self.flight.take().unwrap();
        let landing = block_on(flight.landing(joined, &Budget::endless())).unwrap();
        self.running = Running::Unclaimed;
        match landing {
            Landing::Value(value) | Landing::Storing(value, _) => Some(value),
            Landing::Unstored(value, valid_at) if joined <= valid_at => Some(value),
            _ => None,
        }
    }

    /// Whether it may compute beside another; if not, it looks again.
    fn claim_beside(&mut self) -> bool {
        if self.leader.is_some() {
            return true;
        }
        match self.ask_for_lease() {
            Claim::Granted(_) => self.supplant(),
            Claim::Held(_) => {}
            Claim::Changed => {
                self.running = Running::Unclaimed;
                return false;
            }
        }
        true
    }

    fn compute(self) -> u64 {
        let process = self.process;
        let lease = self.lease.unwrap();
        let value = process.compute();
        if process.size == Size::Large {
            let Call {
                intent, max_age, ..
            } = self.call;
            let replaces = intent == Intent::Overwrite || max_age == Some(Duration::ZERO);
            process.store_later(value, lease, self.leader, replaces);
            return value;
        }
        let is_stored = process.store(value, Some(lease), self.leader.as_ref());
        if let Some(leader) = self.leader {
            let is_handed_on = is_stored || process.variant == Variant::HandsOnWhatWasRefused;
            land(leader, value, lease, is_handed_on);
        }
        value
    }
}
