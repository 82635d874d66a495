//! State shared by processes: a store with leases, and the source of their values.

/// The store and the source.
#[derive(Default)]
pub(super) struct Shared {
    /// Grows with each change, followed by an invalidation.
    pub(super) source: u64,
    /// The source at the last invalidation of the entry.
    pub(super) invalidated: u64,
    pub(super) entry: Option<Entry>,
    /// The number of the owner.
    lease: Option<u64>,
    numbers: u64,
    /// The next of this kind fails.
    pub(super) failing: Option<Request>,
    /// Whether it has no leases: who asks for one gets it.
    pub(super) is_unleased: bool,
}

/// A request that can fail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Load,
    Claim,
    Store,
}

/// It got no answer.
pub(super) struct Failed;

#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) value: u64,
    pub(super) version: u64,
    pub(super) is_stale: bool,
}

/// The answer to a claim.
pub(super) enum Claim {
    Granted(u64),
    Held(u64),
    Changed,
    Failed,
}

/// The answer to a store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    Stored,
    Refused,
    Failed,
}

impl Shared {
    /// With an entry.
    pub(super) fn fresh() -> Self {
        Self {
            entry: Some(Entry {
                value: 0,
                version: 1,
                is_stale: false,
            }),
            numbers: 1,
            ..Self::default()
        }
    }

    /// With a stale entry.
    pub(super) fn stale() -> Self {
        let mut shared = Self::fresh();
        let stale = |entry| Entry {
            is_stale: true,
            ..entry
        };
        shared.entry = shared.entry.map(stale);
        shared
    }

    /// In which the next request of this kind fails.
    pub(super) fn failing(request: Request) -> Self {
        Self {
            failing: Some(request),
            ..Self::default()
        }
    }

    /// Without leases.
    pub(super) fn unleased() -> Self {
        Self {
            is_unleased: true,
            ..Self::default()
        }
    }

    /// Whether this request fails.
    fn fails(&mut self, request: Request) -> bool {
        self.failing
            .take_if(|failing| *failing == request)
            .is_some()
    }

    pub(super) fn load(&mut self) -> Result<Option<Entry>, Failed> {
        match self.fails(Request::Load) {
            true => Err(Failed),
            false => Ok(self.entry),
        }
    }

    pub(super) fn claim(&mut self, seen: Option<u64>) -> Claim {
        if self.fails(Request::Claim) {
            return Claim::Failed;
        }
        if self.is_unleased {
            return Claim::Granted(self.number());
        }
        match (self.entry.map(|entry| entry.version) == seen, self.lease) {
            (false, _) => Claim::Changed,
            (true, Some(owner)) => Claim::Held(owner),
            (true, None) => Claim::Granted(self.take_over()),
        }
    }

    pub(super) fn take_over(&mut self) -> u64 {
        let owner = self.number();
        self.lease = Some(owner);
        owner
    }

    pub(super) fn holds(&self, owner: u64) -> bool {
        self.is_unleased || self.lease == Some(owner)
    }

    /// Stores under this owner's lease, if one is needed.
    pub(super) fn store(&mut self, value: u64, owner: Option<u64>) -> Reply {
        if self.fails(Request::Store) {
            return Reply::Failed;
        }
        if owner.is_some_and(|owner| !self.holds(owner)) {
            return Reply::Refused;
        }
        self.entry = Some(Entry {
            value,
            version: self.number(),
            is_stale: false,
        });
        self.lease = None;
        Reply::Stored
    }

    /// Removes the entry that the owner of the lease is going to replace; whether the lease was valid.
    pub(super) fn vacate(&mut self, owner: u64) -> bool {
        let is_valid = self.holds(owner);
        if is_valid {
            self.entry = None;
        }
        is_valid
    }

    pub(super) fn remove(&mut self) {
        (self.entry, self.lease) = (None, None);
        self.invalidated = self.source;
    }

    pub(super) fn release(&mut self, owner: u64) {
        if self.holds(owner) {
            self.lease = None;
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}
