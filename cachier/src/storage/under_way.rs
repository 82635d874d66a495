//! The computations of a function in this process that others may put an end to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use cachier_backends::{Change, KeyHash};

use crate::pulse::Pulse;

/// The pulses of the leases that this process holds on the entries of a function, the last of each key.
#[derive(Default)]
pub(crate) struct UnderWay(Mutex<HashMap<KeyHash, Weak<Pulse>>>);

/// From so many on, and whenever there are twice as many, those are forgotten that have ended.
const MANY: usize = 64;

impl UnderWay {
    pub(crate) fn add(&self, key: KeyHash, pulse: &Arc<Pulse>) {
        let mut pulses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pulses.len() >= MANY && pulses.len().is_power_of_two() {
            pulses.retain(|_, pulse| pulse.strong_count() > 0);
        }
        pulses.insert(key, Arc::downgrade(pulse));
    }

    /// Has the owners concerned ask whether their leases are still valid.
    pub(crate) fn doubt(&self, change: &Change) {
        let concerned: Vec<_> = {
            let pulses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let concerned = |(key, pulse): (&KeyHash, &Weak<Pulse>)| {
                change.concerns(*key).then(|| pulse.upgrade()).flatten()
            };
            pulses.iter().filter_map(concerned).collect()
        };
        concerned.iter().for_each(|pulse| pulse.doubt());
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Instant;

    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn a_change_casts_doubt_on_the_leases_that_it_concerns() {
        let under_way = UnderWay::default();
        let [first, second] = [1, 2].map(|byte| {
            let (hash, pulse) = (KeyHash::from_bytes([byte; 32]), Pulse::new(Instant::now()));
            let pulse = Arc::new(pulse);
            under_way.add(hash, &pulse);
            pulse
        });
        let is_doubted = |pulse: &Pulse| block_on(poll_once(pin!(pulse.doubted()))).is_some();
        under_way.doubt(&Change::Entry(KeyHash::from_bytes([1; 32])));
        assert!(is_doubted(&first) && !is_doubted(&second));
        assert!(!is_doubted(&first), "once");
        under_way.doubt(&Change::All);
        assert!(is_doubted(&first) && is_doubted(&second));
    }

    #[test]
    fn computations_that_have_ended_are_forgotten() {
        let under_way = UnderWay::default();
        for number in 0..10 * MANY as u64 {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            let pulse = Arc::new(Pulse::new(Instant::now()));
            under_way.add(KeyHash::from_bytes(bytes), &pulse);
        }
        let pulses = under_way.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(pulses.len() <= MANY, "{}", pulses.len());
    }
}
