//! Whatever lies in a file of figures over restarts, or in a ledger: reading it never panics, and what was read can be
//! written and shown.

#![no_main]

use cachier_metrics::{ClusterFigures, History, Ledger, MetricsFile, Publication};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for bytes in [bytes.to_vec(), Publication::sealed(bytes)] {
        if let Ok(ledger) = Ledger::read(&bytes) {
            Ledger::read(&ledger.write()).expect("just written");
        }
        let history = History::read(&bytes);
        if let Ok(history) = &history {
            let figures = ClusterFigures::of_files(vec![history.clone()]);
            let _ = MetricsFile::from(figures).functions.to_string();
        }
        match history {
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
