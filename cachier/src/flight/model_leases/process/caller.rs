//! One call.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use shuttle::future::block_on;

use super::{Call, KEY, Leads, Lease, Process, RULES, Size};
use crate::budget::Budget;
use crate::decision::{Action, ClaimState, Intent, Stored, decide};
use crate::flight::model_leases::store::{Claim, Entry, Shared};
use crate::flight::model_leases::variant::Variant;
use crate::flight::{ComputationId, Flight, FlightResult, Joined, LookupResult, Recheck, Validity};
use crate::sync::{Arc, lock};

impl Process {
    /// Carries out one call, which must not return anything outdated when it began, unless it could load nothing, or there are no
    /// leases: what arrives late is read until it is removed.
    pub(in crate::flight::model_leases) fn call(&'static self, call: Call) {
        let invalidated = lock(&self.shared).invalidated;
        let mut caller = Caller::new(self, call);
        let value = caller.look_up();
        assert!(
            value >= invalidated || caller.has_failed() || lock(&self.shared).is_unleased,
            "a call is given what was invalidated before"
        );
    }
}

struct Caller {
    process: &'static Process,
    call: Call,
    claim_state: ClaimState,
    /// The loaded entry, and when loading began.
    found: Option<Entry>,
    load_started: Instant,
    lookup: LookupResult,
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
            claim_state: ClaimState::Unclaimed,
            found: None,
            load_started: Instant::now(),
            lookup: LookupResult::Answered,
            flight: None,
            joined: None,
            leader: None,
            lease: None,
        }
    }

    /// Whether the store has failed it.
    fn has_failed(&self) -> bool {
        self.lookup == LookupResult::Failed
    }

    /// The call's value.
    fn look_up(&mut self) -> u64 {
        let Call {
            max_age, intent, ..
        } = self.call;
        loop {
            match decide(self.load(), None, self.claim_state, &RULES, max_age, intent) {
                Action::Serve(_) | Action::ServeStale(..) => return self.serve(),
                Action::ServeAndRefresh(..) => {
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
                Action::ComputeUnshared(_) => {
                    if self.claim_unshared() {
                        return self.compute();
                    }
                }
            }
        }
    }

    fn load(&mut self) -> Stored {
        if self.call.intent == Intent::Overwrite {
            return Stored::Unseen;
        }
        if self.has_failed() {
            return Stored::Unknown;
        }
        self.load_started = Instant::now();
        let Ok(found) = self.process.request(Shared::load) else {
            self.lookup = LookupResult::Failed;
            return Stored::Unknown;
        };
        self.found = found;
        match self.found {
            None => Stored::Absent,
            Some(Entry { is_stale: true, .. }) => Stored::Aged(Duration::from_secs(120)),
            Some(_) => Stored::Aged(Duration::from_nanos(1)),
        }
    }

    fn seen(&self) -> Option<u64> {
        self.found.map(|entry| entry.version)
    }

    fn serve(&mut self) -> u64 {
        let value = self.found.unwrap().value;
        if let Some(lease) = self.lease {
            self.process.request(|shared| shared.release(lease.owner));
        }
        if let Some(leader) = self.leader.take() {
            let validity = Validity::Confirmed(self.load_started);
            leader.finish(|| (), || FlightResult::AsOf(value, validity));
        }
        value
    }

    fn claim(&mut self) {
        if self.leader.is_none() && !self.join() {
            return;
        }
        if self.has_failed() {
            self.claim_state = ClaimState::Own;
            return;
        }
        match self.ask_for_lease() {
            Claim::Granted(_) => self.claim_state = ClaimState::Own,
            Claim::Held(_) => self.claim_state = ClaimState::WaitedTooLong,
            Claim::Changed => {}
            Claim::Failed => self.proceed_without_store(),
        }
    }

    fn proceed_without_store(&mut self) {
        self.lease = None;
        self.lookup = LookupResult::Failed;
        self.claim_state = ClaimState::Own;
    }

    fn join(&mut self) -> bool {
        let flights = &self.process.flights;
        match flights.join(&KEY, ComputationId::next(), || Recheck::Unchanged) {
            Joined::Leader(leader) => {
                self.leader = Some(leader);
                return true;
            }
            Joined::Waiter(flight) => {
                self.flight = Some(flight);
                self.joined.get_or_insert_with(Instant::now);
                self.claim_state = match self.call.is_impatient {
                    true => ClaimState::WaitedTooLong,
                    false => ClaimState::Other,
                };
            }
            Joined::Finished => {}
        }
        false
    }

    fn ask_for_lease(&mut self) -> Claim {
        let (valid_at, seen) = (Instant::now(), self.seen());
        let claim = self.process.request(|shared| shared.claim(seen));
        let lease = |owner, is_own| Lease {
            owner,
            is_own,
            valid_at,
        };
        match claim {
            Claim::Granted(owner) => self.lease = Some(lease(owner, true)),
            Claim::Held(owner) => self.lease = Some(lease(owner, false)),
            Claim::Changed | Claim::Failed => {}
        }
        claim
    }

    fn take_over(&mut self) {
        self.process.forget();
        self.replace_leader();
        let valid_at = Instant::now();
        self.lease = Some(Lease {
            owner: self.process.request(Shared::take_over),
            is_own: true,
            valid_at,
        });
        self.claim_state = ClaimState::Own;
    }

    fn replace_leader(&mut self) {
        self.process.has_forgotten.store(true, Ordering::Relaxed);
        let flights = &self.process.flights;
        self.leader = Some(flights.replace_leader(&KEY, ComputationId::next()));
    }

    /// The result of the flight that it has joined, if it may take that.
    fn wait(&mut self) -> Option<u64> {
        let joined = self.joined.unwrap();
        let flight = self.flight.take().unwrap();
        let result = block_on(flight.result(joined, &Budget::unlimited(), || None)).unwrap();
        self.claim_state = ClaimState::Unclaimed;
        match result {
            FlightResult::Value(value) | FlightResult::Storing(value, _) => Some(value),
            FlightResult::AsOf(value, validity) if validity.covers(joined, self.lookup) => {
                Some(value)
            }
            _ => None,
        }
    }

    /// Whether it may compute outside the flight; if not, it loads again.
    fn claim_unshared(&mut self) -> bool {
        if self.leader.is_some() {
            return true;
        }
        match self.ask_for_lease() {
            Claim::Granted(_) => self.replace_leader(),
            Claim::Held(_) => {}
            Claim::Changed => {
                self.claim_state = ClaimState::Unclaimed;
                return false;
            }
            Claim::Failed => {
                self.proceed_without_store();
                return false;
            }
        }
        true
    }

    fn compute(&mut self) -> u64 {
        let process = self.process;
        let Some(lease) = self.lease else {
            return self.compute_unleased();
        };
        let value = process.compute();
        if process.size == Size::Large {
            let Call {
                intent, max_age, ..
            } = self.call;
            let replaces = intent == Intent::Overwrite || max_age == Some(Duration::ZERO);
            process.store_in_background(value, lease, self.leader.take(), replaces);
            return value;
        }
        let sent = process.store(value, lease, self.leader.as_ref());
        if let Some(leader) = self.leader.take() {
            let broken = Variant::SharesRefused;
            process.finish(leader, value, lease, sent, broken);
        }
        value
    }

    /// Nobody is told if the key is invalidated meanwhile.
    fn compute_unleased(&mut self) -> u64 {
        let (process, began) = (self.process, Instant::now());
        let value = process.compute();
        if let Some(leader) = self.leader.take() {
            leader.finish(
                || (),
                || match process.variant {
                    Variant::SharesUnleased => FlightResult::Value(value),
                    _ => FlightResult::AsOf(value, Validity::Unconfirmed(began)),
                },
            );
        }
        value
    }
}
