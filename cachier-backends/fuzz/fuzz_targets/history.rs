//! Whatever lies in a file of figures over restarts, or in a ledger: reading it never panics, and what was read can be
//! written.

#![no_main]

use cachier_metrics::{History, Ledger, Publication};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for bytes in [bytes.to_vec(), Publication::sealed(bytes)] {
        if let Ok(ledger) = Ledger::read(&bytes) {
            Ledger::read(&ledger.write()).expect("just written");
        }
        match History::read(&bytes) {
            Ok(History::Ended(ended)) => {
                for (function, backend) in ended.ledger.ended.functions.keys() {
                    let _ = ended.past_of(function, backend);
                }
            }
            Ok(History::Instance(one) | History::Trail(one)) => {
                let mut later = one.clone();
                later.header.sequence = later.header.sequence.saturating_add(1);
                let mut trail = one;
                trail.go_on(later);
            }
            Err(_) => {}
        }
    }
});
