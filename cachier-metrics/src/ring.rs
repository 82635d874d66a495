//! The latest timed hits of a thread, until they are added to those of the function.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::sync::{AtomicU64, fence};
use crate::timed_hits::{TimedHit, Weighted};

/// Timed hits as they came. One thread at a time puts them in, and takes all out when there is no room left; readers only
/// copy them. A thread that ends leaves them to the next one.
pub(crate) struct Ring {
    /// How many have been put in, ever.
    put: AtomicU64,
    /// How many of them have been taken out, or are being.
    taken: AtomicU64,
    /// How many have been added to those of the function.
    added: AtomicU64,
    places: [RingSlot; LENGTH],
}

/// Two for the model checker, which then sees many rounds.
const LENGTH: usize = if cfg!(shuttle) { 2 } else { 32 };

/// The elements that a reader found.
pub(crate) struct Waiting {
    /// How many had been taken out by then, ever.
    pub(crate) taken: u64,
    pub(crate) hits: Vec<Weighted>,
}

/// Whether a ring is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Left,
    None,
}

/// The five numbers of a timed hit with its weight.
#[derive(Default)]
struct RingSlot([AtomicU64; 5]);

impl Ring {
    pub(crate) fn new() -> Self {
        Self {
            put: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            added: AtomicU64::new(0),
            places: std::array::from_fn(|_| RingSlot::default()),
        }
    }

    /// Puts a hit in. If no room is left, [`drain`](Self::drain) must follow.
    #[inline]
    pub(crate) fn put(&self, hit: Weighted) -> Room {
        let put = self.put.load(Relaxed);
        self.places[put as usize % LENGTH].write(hit);
        self.put.store(put + 1, Release);
        match (put + 1).is_multiple_of(LENGTH as u64) {
            true => Room::None,
            false => Room::Left,
        }
    }

    /// Takes all out, for `add` to add them to those of the function.
    pub(crate) fn drain(&self, add: impl FnOnce(&[Weighted])) {
        let put = self.put.load(Relaxed);
        self.taken.store(put, Relaxed);
        // A reader that sees an added element sees that it was taken.
        fence(Release);
        let hits: [Weighted; LENGTH] = std::array::from_fn(|place| self.places[place].read());
        add(&hits);
        self.added.store(put, Release);
    }

    /// How many have been added to the function's figures. A later read of the figures includes them.
    pub(crate) fn added(&self) -> u64 {
        self.added.load(Acquire)
    }

    /// The hits that have not been taken out: none that is among the function's, if those have been read before. They are
    /// complete together if as many had been [`added`](Self::added) as were taken out.
    pub(crate) fn waiting(&self) -> Waiting {
        fence(Acquire);
        let (put, first) = (self.put.load(Acquire), self.taken.load(Relaxed));
        let place = |number: u64| &self.places[number as usize % LENGTH];
        let copies: Vec<_> = (first..put).map(|number| place(number).read()).collect();
        // Elements taken out meanwhile may have been overwritten.
        fence(Acquire);
        let taken = self.taken.load(Relaxed);
        let hits = copies.into_iter().skip((taken - first) as usize);
        Waiting {
            taken,
            hits: hits.collect(),
        }
    }

    /// Increases with every change.
    pub(crate) fn activity(&self) -> u64 {
        self.put.load(Relaxed).wrapping_add(self.added())
    }
}

impl RingSlot {
    #[inline]
    fn write(&self, Weighted { hit, weight }: Weighted) {
        let numbers = [hit.started, hit.ended, hit.computed, hit.compute, weight];
        for (place, number) in self.0.iter().zip(numbers) {
            place.store(number, Relaxed);
        }
    }

    #[inline]
    fn read(&self) -> Weighted {
        let [started, ended, computed, compute, weight] = &self.0;
        Weighted {
            hit: TimedHit {
                started: started.load(Relaxed),
                ended: ended.load(Relaxed),
                computed: computed.load(Relaxed),
                compute: compute.load(Relaxed),
            },
            weight: weight.load(Relaxed),
        }
    }
}
