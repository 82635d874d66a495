//! Whatever lies in a file or store of figures: reading it never panics, nor does showing it.

#![no_main]

use cachier_metrics::{Cluster, ClusterStats, InstanceFigures, Publication};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for bytes in [bytes.to_vec(), Publication::sealed(bytes)] {
        if let Ok(publication) = Publication::read(&bytes) {
            let own = publication.figures(None);
            let empty = Publication::full(&publication.header, &InstanceFigures::default());
            let empty = Publication::read(&empty).expect("just written");
            let _ = (own, empty.figures(Some(&publication)));
        }
        let mut cluster = Cluster::default();
        let _ = cluster.add(&bytes, 0);
        let _ = ClusterStats::from(&cluster.merge(0)).to_string();
    }
});
